import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned, SHOP, startWebLabWith, type WebLab } from '../support/web-lab.ts';

/** What visitors may say, and what they may do: a real HAProxy, a real service, and raw sockets. */
let lab: WebLab;

const NAME = SHOP.domain;
const OTHER = '11.0.0.3';

beforeAll(async () => {
  lab = await startWebLabWith(SHOP);
  const sites = [SHOP, { ...SHOP, domain: 'wiki.test' }];
  await lab.up(sites);
  await lab.machine.sh('ip', '-n', 'visitor', 'addr', 'add', `${OTHER}/24`, 'dev', 'eth0');
  const { pem } = await selfSigned([NAME]);
  await lab.give(NAME, pem);
});
afterAll(async () => {
  await lab.stop();
});

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, `Host: ${NAME}`, 'Connection: close', ...headers, '', ''].join('\r\n');
const withHost = (host: string): string => get('/').replace(NAME, host);

/** What the visitor hears; what the service heard is in the body. */
const askAll = async (requests: readonly string[]): Promise<readonly string[]> =>
  (await lab.visitAll(requests.map((request) => ({ sni: NAME, send: [request] })))).map(
    ({ answer }) => answer,
  );

async function ask(request: string): Promise<string> {
  return (await lab.visit({ sni: NAME, send: [request] })).answer;
}

/** conventions of proxies that went wrong elsewhere; each line is an incident. */
describe('what a visitor says of itself', () => {
  it('is not believed, and does not reach the service', async () => {
    const headers = [
      'X-Forwarded-For: 1.2.3.4',
      'x_forwarded_for: 1.2.3.4',
      'X-Forwarded_For: 1.2.3.4',
      'X-Forwarded-Proto: http',
      'X_Forwarded_Proto: http',
      'X-Forwarded-Prefix: /evil',
      'X-Forwarded-Host: evil.test',
      'X-Forwarded: for=1.2.3.4',
      'Forwarded: for=1.2.3.4;proto=http',
      'X-Real-IP: 1.2.3.4',
      'X_Real_IP: 1.2.3.4',
      'Proxy: http://evil.test',
      'X-Original-URL: /evil',
      'X-Rewrite-URL: /evil',
    ];
    const heard = await askAll(headers.map((header) => get('/', header, header)));
    heard.forEach((each, index) => {
      expect(each, headers[index]).toMatch(/^HTTP\/1\.1 200 /);
      expect(each, headers[index]).not.toMatch(/1\.2\.3\.4|evil|proto: http\r/i);
      expect(each.match(/^x.forwarded.for:/gim)).toEqual(['x-forwarded-for:']);
      expect(each.match(/^x.forwarded.proto:/gim)).toEqual(['x-forwarded-proto:']);
    });
  });

  it('cannot make a service drop what the gateway says (CVE-2024-45410)', async () => {
    const names = 'close, X-Forwarded-For, X-Real-IP, X-Forwarded-Proto';
    const heard = await ask(get('/').replace('Connection: close', `Connection: ${names}`));
    expect(heard).toMatch(/^x-forwarded-for: 11\.0\.0\.2\r$/im);
    expect(heard).not.toMatch(/^connection:.*forwarded/im);
    const upgrading = get('/', 'Upgrade: websocket').replace('close', 'upgrade, X-Forwarded-For');
    expect(await ask(upgrading)).not.toMatch(/^connection:.*forwarded/im);
  });

  it('cannot have a service speak a protocol in which requests pass unseen (h2c smuggling)', async () => {
    for (const protocol of ['h2c', 'H2C', 'websocket, h2c', 'TLS/1.0']) {
      const upgrading = get('/', `Upgrade: ${protocol}`, 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA');
      const heard = await ask(upgrading.replace('close', 'Upgrade, HTTP2-Settings'));
      expect(heard, protocol).not.toMatch(/^(upgrade|connection):.*(h2c|tls|settings)/im);
    }
  });

  it('is the path that the service gets, byte for byte', async () => {
    const targets = [
      '/a%2Fb',
      '/a//b',
      '/./a/../b',
      '/%2e%2e/b',
      '/a;b=c',
      '/a%20b+c?d=%2F&e',
      '/%C3%A9',
      '/a?b?c',
    ];
    const heard = await askAll(targets.map((path) => get(path)));
    heard.forEach((each, index) => expect(each).toContain(`\r\nGET ${targets[index]} HTTP/1.1\r\n`));
  });

  it('is the same name, however it is spelled', async () => {
    const hosts = ['PAY.Shop.TEST', `${NAME}.`, `${NAME}:443`, `${NAME}.:443`];
    for (const heard of await askAll(hosts.map(withHost))) {
      expect(heard).toMatch(/^shop \+ 0 bytes/m);
      expect(heard).toMatch(/^host: pay\.shop\.test(:443)?\r$/im);
    }
  });

  it('is refused when it asks for another name than by TLS', async () => {
    const hosts = ['wiki.test', 'evil.test', `${NAME}.evil.test`, '11.0.0.1', ''];
    for (const heard of await askAll(hosts.map(withHost))) expect(heard).toMatch(/^HTTP\/1\.1 (421|400) /);
  });

  it('is refused when it says two names', async () => {
    expect(await ask(get('/', 'Host: wiki.test'))).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ask(get('http://wiki.test/'))).toMatch(/^HTTP\/1\.1 (400|421) /);
    const seen = await lab.visit({
      sni: NAME,
      alpn: ['h2'],
      http2: { ':authority': 'wiki.test', ':path': '/' },
    });
    expect(seen.headers).toMatchObject({ ':status': 421 });
  });

  it('is refused when its length is ambiguous, so that no request hides in another', async () => {
    const smuggled = 'GET /hidden HTTP/1.1\r\nHost: wiki.test\r\n\r\n';
    const both = get('/', 'Content-Length: 5', 'Transfer-Encoding: chunked').replace('GET', 'POST');
    const ambiguous = [
      get('/', 'Content-Length: 5', 'Content-Length: 6'),
      get('/', 'Content-Length: +5'),
      get('/', 'Transfer-Encoding: xchunked'),
      get('/', 'X-A : b'),
    ];
    for (const heard of await askAll(ambiguous.map((request) => request + smuggled))) {
      expect(heard).toMatch(/^HTTP\/1\.1 (400|422|501) /);
    }
    expect(await ask(`${both}0\r\n\r\n${smuggled}`)).not.toMatch(/hidden/);
  });
});

describe('one visitor', () => {
  it('cannot take all connections from the others', async () => {
    const silent = Array.from({ length: 600 }, () => ({ port: lab.ports.https, quietMs: 4000 }));
    const seen = await lab.visitAll([...silent, { sni: NAME, from: OTHER, send: [get('/')], quietMs: 4000 }]);
    expect(seen.at(-1)?.answer).toMatch(/^HTTP\/1\.1 200 /);
    const refused = seen.slice(0, -1).filter(({ isClosed }) => isClosed === true);
    expect(refused.length).toBe(100);
  });

  it('cannot ask without end', async () => {
    // Refused by the edge itself, so that no service is slow here.
    const one = withHost('evil.test').replace('Connection: close\r\n', '');
    const many = { sni: NAME, send: [one], times: 8000, quietMs: 4000 };
    const [asked, other] = await lab.visitAll([many, { sni: NAME, from: OTHER, send: [get('/')] }]);
    expect(asked?.answer).toMatch(/HTTP\/1\.1 429 /);
    expect(other?.answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('cannot hold a connection by being slow, with and without TLS', async () => {
    const slowly = ['GET / HTTP/1.1\r\n', ...Array.from({ length: 8 }, (_, index) => `X-${index}: a\r\n`)];
    const visit = { from: OTHER, send: slowly, pauseMs: 3000 };
    const [secure, plain] = await lab.visitAll([{ ...visit, sni: NAME }, visit]);
    expect(secure).toMatchObject({ answer: expect.stringMatching(/^HTTP\/1\.1 408 /), isClosed: true });
    expect(plain).toMatchObject({ answer: expect.stringMatching(/^HTTP\/1\.1 408 /), isClosed: true });
  });
});
