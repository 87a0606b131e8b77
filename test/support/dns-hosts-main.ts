import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { IncomingMessage } from 'node:http';

/**
 * Four companies on one port, each with its own protocol as its documentation describes it: what they cannot be asked for
 * here. What they hold is at `/held`. `dns-hosts-main.ts KEY CERTIFICATE PORT`
 */
const [key = '', certificate = '', port = ''] = process.argv.slice(2);
const held = new Map<string, string[]>();
const asked: string[] = [];
interface Said {
  readonly status?: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function dyndns2(url: URL, request: IncomingMessage): Said {
  const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`;
  if (request.headers['user-agent'] === undefined) return { body: 'badagent' };
  if (request.headers.authorization !== authorization) return { body: 'badauth' };
  const name = url.searchParams.get('hostname') ?? '';
  if (name.startsWith('busy')) return { body: '911' };
  if (!name.endsWith('.example.org')) return { body: 'nohost' };
  held.set(name, url.searchParams.get('myip')?.split(',') ?? []);
  return { body: `good ${url.searchParams.get('myip')}` };
}

function duckdns(url: URL): Said {
  const { token, domains, ip, ipv6, txt, clear } = Object.fromEntries(url.searchParams);
  if (token !== 'duck-token' || domains !== 'home') return { body: 'KO' };
  if (txt !== undefined) held.set('TXT home', clear === 'true' ? [] : [txt]);
  else held.set('home', clear === 'true' ? [] : [ip, ipv6].filter((value) => value !== undefined));
  return { body: 'OK' };
}

function desec(_url: URL, request: IncomingMessage, body: string): Said {
  if (request.headers.authorization !== 'Token desec-token') {
    return { status: 401, body: '{"detail":"Invalid token."}' };
  }
  if (request.method === 'GET') return { body: JSON.stringify({ minimum_ttl: 60, name: 'my.dedyn.io' }) };
  const sets = JSON.parse(body) as { subname: string; type: string; ttl: number; records: string[] }[];
  if (sets.some(({ subname }) => subname === 'busy')) {
    return { status: 429, body: '{"detail":"throttled"}', headers: { 'retry-after': '7' } };
  }
  for (const { subname, type, ttl, records } of sets) held.set(`${type} ${subname} ${ttl}`, records);
  return { body: '[]' };
}

const records = new Map<string, { type: string; name: string; content: string; proxied?: boolean }>([
  ['old', { type: 'A', name: 'home.example.com', content: '11.9.9.9', proxied: true }],
]);

function cloudflare(url: URL, request: IncomingMessage, body: string): Said {
  const yes = (result: unknown): Said => ({ body: JSON.stringify({ success: true, errors: [], result }) });
  if (request.headers.authorization !== 'Bearer cloudflare-token') {
    const errors = [{ code: 9109, message: 'Invalid access token' }];
    return { status: 403, body: JSON.stringify({ success: false, errors, result: null }) };
  }
  const id = url.pathname.split('/dns_records/')[1];
  const { type, name } = Object.fromEntries(url.searchParams);
  if (url.pathname.endsWith('/zones')) return yes(name === 'example.com' ? [{ id: 'z1' }] : []);
  if (request.method === 'GET') {
    const found = [...records].filter(([, record]) => record.type === type && record.name === name);
    return yes(found.map(([key, record]) => ({ id: key, ...record })));
  }
  if (request.method === 'DELETE') records.delete(id ?? '');
  else records.set(id ?? `r${records.size}`, JSON.parse(body) as never);
  return yes({});
}

const HOSTS: readonly [string, (url: URL, request: IncomingMessage, body: string) => Said][] = [
  ['/nic/update', dyndns2],
  ['/update', duckdns],
  ['/api/v1', desec],
  ['/client/v4', cloudflare],
];

createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
  const url = new URL(request.url ?? '/', 'https://127.0.0.1');
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    if (url.pathname === '/moved/nic/update') {
      response.writeHead(302, { location: 'https://127.0.0.1/nic/update' }).end();
      return;
    }
    if (url.pathname === '/held') {
      response.end(JSON.stringify({ held: [...held], records: [...records.values()], asked: asked.length }));
      return;
    }
    asked.push(url.pathname);
    const found = HOSTS.find(([path]) => url.pathname.startsWith(path));
    const said = found?.[1](url, request, body) ?? { status: 404, body: 'nothing here' };
    response.writeHead(said.status ?? 200, said.headers).end(said.body);
  });
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
