import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMachine, until, type Machine } from '../../support/machine.ts';

/** Each host of names over its own protocol on a real socket; knot is the real one. */
const NODE = process.execPath;
const SUPPORT = new URL('../../support/', import.meta.url).pathname;
const SERVER = 'https://127.0.0.1:8443';
const TRUST = 'NODE_EXTRA_CA_CERTS=/run/certificate.pem';
const KNOT_SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==';
let machine: Machine;

beforeAll(async () => {
  machine = await startMachine();
  await machine.sh(
    'env',
    'OPENSSL_CONF=/dev/null',
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=hosts',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    '/run/key.pem',
    '-out',
    '/run/certificate.pem',
  );
  machine.start(NODE, `${SUPPORT}dns-hosts-main.ts`, '/run/key.pem', '/run/certificate.pem', '8443');
  await startKnot();
  await until(async () => (await held().catch(() => undefined)) && true);
}, 30_000);
afterAll(() => machine.stop());

async function startKnot(): Promise<void> {
  await machine.sh('mkdir', '-p', '/run/knot');
  const soa = '@ SOA ns host 1 3600 600 86400 5\n@ NS ns\nns A 127.0.0.1\nhome A 11.9.9.9\n';
  await writeFile(machine.outside('/run/knot/zone'), `$ORIGIN lab.test.\n$TTL 5\n${soa}`);
  await writeFile(
    machine.outside('/run/knot/knot.conf'),
    `server:
    rundir: /run/knot
    listen: 127.0.0.1@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
key:
  - id: home-key
    algorithm: hmac-sha256
    secret: ${KNOT_SECRET}
acl:
  - id: home
    key: home-key
    action: update
database:
    storage: /run/knot
zone:
  - domain: lab.test
    storage: /run/knot
    file: zone
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    acl: home
`,
  );
  await machine.sh('knotd', '-d', '-c', '/run/knot/knot.conf');
}

interface Held {
  readonly held: [string, string[]][];
  readonly records: unknown[];
}

async function held(): Promise<Held> {
  const program = `fetch('${SERVER}/held').then((answer) => answer.text()).then(console.log)`;
  const text = await machine.sh('env', TRUST, NODE, '-e', program);
  return JSON.parse(text) as Held;
}

async function change(
  zone: string,
  access: object,
  credential: string,
  sets: readonly object[],
): Promise<string | Readonly<Record<string, string>>> {
  await writeFile(machine.outside('/run/credential'), `${credential}\n`);
  const whole = JSON.stringify({ credential: '/run/credential', ...access });
  const main = [NODE, `${SUPPORT}dns-main.ts`, zone, whole, JSON.stringify(sets)] as const;
  const said = await machine.sh('env', TRUST, ...main);
  return said === 'done' ? said : (JSON.parse(said) as Record<string, string>);
}

const set = (name: string, type: string, ...values: string[]): object => ({
  name,
  type,
  ttlSeconds: 60,
  values,
});

describe('a server of one’s own (RFC 2136, knot)', () => {
  const access = { host: 'rfc2136', server: '127.0.0.1', key: 'home-key' };
  const lookup = (name: string, type: string): Promise<string> =>
    machine.sh('kdig', '+short', '@127.0.0.1', name, type);

  test('addresses and texts are replaced whole, and taken away', async () => {
    const sets = [
      set('home.lab.test', 'A', '11.2.0.2'),
      set('home.lab.test', 'AAAA', '2001:db8::7'),
      set('_acme-challenge.lab.test', 'TXT', 'one', 'two'),
    ];
    expect(await change('lab.test', access, KNOT_SECRET, sets)).toBe('done');
    expect(await lookup('home.lab.test', 'A')).toBe('11.2.0.2');
    expect(await lookup('home.lab.test', 'AAAA')).toBe('2001:db8::7');
    expect((await lookup('_acme-challenge.lab.test', 'TXT')).split('\n').sort()).toEqual(['"one"', '"two"']);
    expect(await change('lab.test', access, KNOT_SECRET, [set('_acme-challenge.lab.test', 'TXT')])).toBe(
      'done',
    );
    expect(await lookup('_acme-challenge.lab.test', 'TXT')).toBe('');
  });

  test('a wrong key is refused for good, and what to look at is said', async () => {
    const error = await change('lab.test', access, Buffer.from('wrong').toString('base64'), [
      set('home.lab.test', 'A', '11.2.0.3'),
    ]);
    expect(error).toMatchObject({ code: 'NameRefused', retry: 'when-changed' });
    expect(error).toHaveProperty('message', expect.stringContaining('BADSIG'));
    expect(await lookup('home.lab.test', 'A')).not.toBe('11.2.0.3');
  });

  test('a zone that is not there is refused, a server that is not there is asked again', async () => {
    const sets = [set('home.other.test', 'A', '11.2.0.3')];
    expect(await change('other.test', access, KNOT_SECRET, sets)).toMatchObject({ code: 'NameRefused' });
    const gone = { ...access, server: '127.0.0.1:5399' };
    expect(await change('lab.test', gone, KNOT_SECRET, sets)).toMatchObject({
      code: 'Unreachable',
      retry: 'backoff',
    });
  });
});

describe('dyndns2', () => {
  const access = { host: 'dyndns2', server: SERVER, user: 'alice' };

  test('both families go in one request', async () => {
    const sets = [set('home.example.org', 'A', '11.2.0.2'), set('home.example.org', 'AAAA', '2001:db8::7')];
    expect(await change('home.example.org', access, 'secret', sets)).toBe('done');
    expect((await held()).held).toContainEqual(['home.example.org', ['11.2.0.2', '2001:db8::7']]);
  });

  test.each([
    ['a wrong password', 'home.example.org', 'wrong', 'NameRefused', 'badauth'],
    ['a name of somebody else', 'home.example.net', 'secret', 'NameRefused', 'nohost'],
    ['a server in trouble', 'busy.example.org', 'secret', 'NameNotChanged', '911'],
  ])('%s', async (_title, name, password, code, said) => {
    const error = await change(name, access, password, [set(name, 'A', '11.2.0.2')]);
    expect(error).toMatchObject({ code, message: expect.stringContaining(said) as string });
    expect(JSON.stringify(error)).not.toContain(password === 'wrong' ? 'alice:' : password);
  });

  test('a redirect is not followed: it would carry the password elsewhere', async () => {
    const moved = { ...access, server: `${SERVER}/moved/nic/update` };
    const error = await change('x.example.org', moved, 'secret', [set('x.example.org', 'A', '11.2.0.2')]);
    expect(error).toMatchObject({ code: 'NameNotChanged' });
    expect((await held()).held).not.toContainEqual(['x.example.org', ['11.2.0.2']]);
  });

  test('a certificate that nobody vouches for gets no password', async () => {
    await writeFile(machine.outside('/run/credential'), 'secret\n');
    const whole = JSON.stringify({ ...access, credential: '/run/credential' });
    const sets = JSON.stringify([set('home.example.org', 'A', '11.2.0.2')]);
    const said = await machine.sh(NODE, `${SUPPORT}dns-main.ts`, 'home.example.org', whole, sets);
    expect(JSON.parse(said)).toMatchObject({
      code: 'Unreachable',
      message: expect.stringContaining('CERT') as string,
    });
  });
});

describe('DuckDNS', () => {
  const access = { host: 'duckdns', server: SERVER };

  test('addresses and the text of a certificate', async () => {
    const sets = [
      set('home.duckdns.org', 'A', '11.2.0.2'),
      set('_acme-challenge.home.duckdns.org', 'TXT', 'proof'),
    ];
    expect(await change('home.duckdns.org', access, 'duck-token', sets)).toBe('done');
    expect((await held()).held).toEqual(
      expect.arrayContaining([
        ['home', ['11.2.0.2']],
        ['TXT home', ['proof']],
      ]),
    );
  });

  test('KO is no, and the token is in no message', async () => {
    const error = await change('home.duckdns.org', access, 'wrong-token', [
      set('home.duckdns.org', 'A', '11.2.0.2'),
    ]);
    expect(error).toMatchObject({ code: 'NameRefused' });
    const gone = { ...access, server: 'https://127.0.0.1:9' };
    const unreachable = await change('home.duckdns.org', gone, 'wrong-token', [
      set('home.duckdns.org', 'A', '11.2.0.2'),
    ]);
    expect(unreachable).toMatchObject({ code: 'Unreachable' });
    expect(JSON.stringify([error, unreachable])).not.toContain('wrong-token');
  });
});

describe('deSEC', () => {
  const access = { host: 'desec', server: SERVER };

  test('all sets in one request, never with a shorter life than the zone allows', async () => {
    const sets = [set('my.dedyn.io', 'A', '11.2.0.2'), set('a.my.dedyn.io', 'TXT', 'te"xt')];
    expect(await change('my.dedyn.io', access, 'desec-token', sets)).toBe('done');
    const { held: now } = await held();
    expect(now).toEqual(
      expect.arrayContaining([
        ['A  60', ['11.2.0.2']],
        ['TXT a 60', ['"te\\"xt"']],
      ]),
    );
  });

  test('a wrong token is refused; a limit says when to ask again', async () => {
    const one = [set('my.dedyn.io', 'A', '11.2.0.2')];
    expect(await change('my.dedyn.io', access, 'wrong', one)).toMatchObject({ code: 'NameRefused' });
    const error = await change('my.dedyn.io', access, 'desec-token', [
      set('busy.my.dedyn.io', 'A', '11.2.0.2'),
    ]);
    expect(error).toMatchObject({
      code: 'NameNotChanged',
      message: expect.stringContaining('in 7 s') as string,
    });
  });
});

describe('Cloudflare', () => {
  const access = { host: 'cloudflare', server: `${SERVER}/client/v4` };

  test('a record that is there is changed, and taken out of their proxy', async () => {
    expect(
      await change('example.com', access, 'cloudflare-token', [set('home.example.com', 'A', '11.2.0.2')]),
    ).toBe('done');
    const { records } = await held();
    expect(records).toContainEqual({
      type: 'A',
      name: 'home.example.com',
      content: '11.2.0.2',
      ttl: 60,
      proxied: false,
    });
    expect(JSON.stringify(records)).not.toContain('11.9.9.9');
    expect(await change('example.com', access, 'cloudflare-token', [set('home.example.com', 'A')])).toBe(
      'done',
    );
    expect((await held()).records).toEqual([]);
  });

  test('a token without the zone is refused', async () => {
    const error = await change('other.com', access, 'cloudflare-token', [set('other.com', 'A', '11.2.0.2')]);
    expect(error).toMatchObject({
      code: 'NameRefused',
      message: expect.stringContaining('no zone other.com') as string,
    });
    expect(await change('example.com', access, 'wrong', [])).toMatchObject({ code: 'NameRefused' });
  });
});

describe('a program of the owner', () => {
  const program = async (text: string): Promise<object> => {
    await writeFile(machine.outside('/run/program'), `#!/bin/sh\n${text}\n`);
    await machine.sh('chmod', '755', '/run/program');
    return { host: 'command', command: '/run/program' };
  };

  test('gets the sets and the credential', async () => {
    const access = await program('cat > /run/told; echo "$GATEWAY_CREDENTIAL" >> /run/told');
    expect(await change('example.net', access, 'hush', [set('home.example.net', 'A', '11.2.0.2')])).toBe(
      'done',
    );
    const told = await machine.sh('cat', '/run/told');
    expect(told).toBe(
      '{"sets":[{"name":"home.example.net","type":"A","ttlSeconds":60,"values":["11.2.0.2"]}]}\nhush',
    );
  });

  test('75 is asked again, anything else is no; what it says is told without the credential', async () => {
    const later = await change('example.net', await program('exit 75'), 'hush', []);
    expect(later).toMatchObject({ code: 'NameNotChanged', retry: 'backoff' });
    const no = await change('example.net', await program('echo "bad token hush" >&2; exit 1'), 'hush', []);
    expect(no).toMatchObject({
      code: 'NameRefused',
      message: expect.stringContaining('bad token [redacted]') as string,
    });
    const gone = await change('example.net', { host: 'command', command: '/run/gone' }, 'hush', []);
    expect(gone).toMatchObject({
      code: 'NameRefused',
      message: expect.stringContaining('no such program') as string,
    });
  });
});

test('a credential that cannot be read is an error that names the file', async () => {
  const access = { host: 'duckdns', server: SERVER, credential: '/run/nowhere' };
  const said = await machine.sh(
    NODE,
    `${SUPPORT}dns-main.ts`,
    'home.duckdns.org',
    JSON.stringify(access),
    '[]',
  );
  expect(JSON.parse(said)).toMatchObject({
    code: 'NameRefused',
    message: expect.stringContaining('/run/nowhere') as string,
  });
});
