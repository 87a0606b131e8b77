import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Handout } from '../../src/core/contract.ts';
import type { Control } from '../../src/core/control.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { onionAddress, renderSecretKeyFile } from '../../src/wire/onion.ts';
import { cliGateway, runCli } from '../support/cli-gateway.ts';
import { device, ONION, service, status, way } from '../support/recording-control.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function gateway(replace: Partial<Control> = {}) {
  const made = await cliGateway(replace);
  open.push(made.close);
  return made;
}

describe('what is typed arrives at the gateway', () => {
  const draft = {
    name: 'shop',
    port: 80,
    kind: 'http',
    privacy: 'open',
    namespace: 'own',
    expose: { tor: {} },
  };
  test.each([
    ['service add shop --port 80', ['addService', draft]],
    ['service add shop --port 80 --no-tor', ['addService', { ...draft, expose: {} }]],
    [
      'service add shop --port 80 --via wireguard',
      ['addService', { ...draft, expose: { tor: {}, wireguard: {} } }],
    ],
    ['service add shop --port 80 --isolation off', ['addService', { ...draft, namespace: 'host' }]],
    ['service add shop --port 80 --namespace web', ['addService', { ...draft, namespace: { name: 'web' } }]],
    [
      'service add shop --port 80 --namespace-of container:shop_1',
      ['addService', { ...draft, namespace: { entered: { by: 'container', value: 'shop_1' } } }],
    ],
    [
      'service add shop --target 10.0.0.2:80',
      ['addService', { ...draft, namespace: { target: '10.0.0.2:80' } }],
    ],
    ['service set shop --isolation off --port 81', ['setService', 'shop', { port: 81, isolated: false }]],
    [
      'service add shop --port 80 --upstream btcpay --upstream lnd',
      ['addService', { ...draft, upstreams: ['btcpay', 'lnd'] }],
    ],
    ['service set shop --upstream btcpay', ['setService', 'shop', { upstreams: ['btcpay'] }]],
    ['service set shop --no-upstreams', ['setService', 'shop', { upstreams: [] }]],
    ['service remove shop', ['removeService', 'shop']],
    ['expose shop --via wireguard', ['expose', 'shop', 'wireguard', {}]],
    [
      'expose shop --via clearnet --domain pay.example.com --no-wait',
      ['expose', 'shop', 'clearnet', { domain: 'pay.example.com' }],
    ],
    [
      'expose shop --via clearnet --domain pay.example.com --onion-location --no-wait',
      ['expose', 'shop', 'clearnet', { domain: 'pay.example.com', onionLocation: true }],
    ],
    ['certificates revoke pay.shop.test', ['revokeCertificate', 'pay.shop.test', false]],
    ['certificates revoke a.test --compromised', ['revokeCertificate', 'a.test', true]],
    ['unexpose shop --via tor', ['unexpose', 'shop', 'tor', false]],
    ['unexpose --all', ['unexposeAll', false]],
    ['unexpose --all --now', ['unexposeAll', true]],
    ['unexpose shop --via tor --now', ['unexpose', 'shop', 'tor', true]],
    [
      'device add phone -s shop --service lnd --json',
      ['addDevice', { name: 'phone', services: ['shop', 'lnd'] }],
    ],
    [
      'device grant phone -s lnd --from-service btcpay:8080 --json',
      ['grantDevice', 'phone', { services: ['lnd'], reachedBy: [{ service: 'btcpay', port: 8080 }] }],
    ],
    ['device ungrant phone --service lnd', ['ungrantDevice', 'phone', { services: ['lnd'] }]],
    [
      'device ungrant phone --from-service btcpay:8080 --gently',
      [
        'ungrantDevice',
        'phone',
        { services: [], reachedBy: [{ service: 'btcpay', port: 8080 }], gently: true },
      ],
    ],
    ['device renew phone --json', ['renewDevice', 'phone']],
    ['device revoke phone', ['revokeDevice', 'phone', false]],
    ['device revoke phone --gently', ['revokeDevice', 'phone', true]],
    [
      'name set my.dedyn.io --at desec --credential /etc/token --register',
      [
        'setName',
        {
          name: 'my.dedyn.io',
          zone: 'my.dedyn.io',
          wildcard: false,
          access: { host: 'desec', credential: '/etc/token', server: 'https://desec.io' },
          register: true,
        },
      ],
    ],
    ['name remove my.dedyn.io', ['removeName', 'my.dedyn.io']],
    ['rollback', ['rollback', undefined]],
    ['rollback 2', ['rollback', 2]],
    ['up', ['up']],
  ])('gateway %s', async (line, call) => {
    const { run, calls } = await gateway();
    const { exitCode, stderr } = await run(...line.split(' '));
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(calls).toEqual([call]);
  });
});

describe('a name', () => {
  test.each([
    ['name set home.example.net', '--at is missing'],
    ['name set home.example.net --at godaddy', 'one of: desec'],
    ['name set home.example.net --at desec', '--credential is missing'],
    ['name set home.example.net --at desec --credential token', 'absolute path'],
    ['name set home.example.net --at desec --credential /x --key k', '--key does not go with --at desec'],
    ['name set home.example.net --at dyndns2 --user a --credential /x --server http://x.org', 'https://'],
  ])('gateway %s is a mistake: %s', async (line, said) => {
    const { run, calls } = await gateway();
    const { exitCode, stderr } = await run(...line.split(' '));
    expect(exitCode).toBe(64);
    expect(stderr).toContain(said);
    expect(calls).toEqual([]);
  });

  test('gateway name list shows where each name stands', async () => {
    const { run } = await gateway();
    const { stdout } = await run('name', 'list');
    expect(stdout).toMatch(/home\.example\.net and below\s+desec\s+11\.2\.0\.2\s+2026-01-02 03:00/);
  });
});

describe('an onion address that exists', () => {
  const secret = nodeCrypto.ed25519ExpandedSecret();
  const address = onionAddress(nodeCrypto.ed25519Public(secret), nodeCrypto.sha3_256);
  const hostname = `${address}.onion`;
  const prepare = async (replace: Partial<Control> = {}) => {
    const made = await gateway(replace);
    const file = join(made.directory, 'hs_ed25519_secret_key');
    await writeFile(file, renderSecretKeyFile(secret));
    return { ...made, file };
  };

  test.each([
    ['service add blog --port 80 --no-wait --onion-key', 'blog', 'addService'],
    ['expose shop --via tor --import', 'shop', 'expose'],
  ])('gateway %s DIR keeps the key before anything is exposed', async (line, name, then) => {
    const { run, calls, directory } = await prepare();
    const { exitCode, stdout, stderr } = await run(...line.split(' '), directory);
    expect(exitCode).toBe(0);
    expect(calls[0]).toEqual(['importOnionKey', name, hostname]);
    expect(calls[1]?.[0]).toBe(then);
    expect(stdout + stderr).not.toContain(Buffer.from(secret).toString('base64'));
  });

  test('nothing is imported for a name that is taken, or from a damaged file', async () => {
    const { run, calls, directory, file } = await prepare();
    expect((await run('service', 'add', 'shop', '--port', '80', '--onion-key', directory)).exitCode).toBe(1);
    await writeFile(file, 'garbage');
    const damaged = await run('service', 'add', 'blog', '--port', '80', '--onion-key', directory);
    expect(damaged.exitCode).toBe(1);
    expect(damaged.stderr).toContain(file);
    expect(calls).toEqual([]);
  });

  test.each(['expose shop --via wireguard --import x', 'service add blog --port 80 --no-tor --onion-key x'])(
    'gateway %s is a mistake',
    async (line) => {
      expect((await (await prepare()).run(...line.split(' '))).exitCode).toBe(64);
    },
  );
});

describe('answers', () => {
  test('--json prints the object of the API unchanged', async () => {
    const { run, world } = await gateway();
    const { stdout } = await run('status', '--json');
    expect(JSON.parse(stdout)).toEqual(world.status);
  });

  test('a new service says how to put the real one into its namespace, and its onion address', async () => {
    const { stdout } = await (await gateway()).run('service', 'add', 'shop', '--port', '80');
    expect(stdout).toContain('NetworkNamespacePath=/run/netns/gw-shop');
    expect(stdout).toContain('BindReadOnlyPaths=-/etc/netns/gw-shop/resolv.conf:/etc/resolv.conf');
    expect(stdout).toContain('--network ns:/run/netns/gw-shop');
    expect(stdout).toContain(`Onion address: ${ONION}`);
    expect(stdout).toContain('It is published');
  });

  test('a service without isolation is marked as such', async () => {
    const place: Control['place'] = () =>
      Promise.resolve({
        service: 'shop',
        isolated: false,
        namespacePath: null,
        namespace: null,
        uid: 61_184,
        directory: '/x',
        address: '10.64.1.2',
        port: 80,
        target: null,
        entered: null,
      });
    const { run } = await gateway({ place });
    const { stdout } = await run('service', 'add', 'shop', '--port', '80', '--isolation', 'off', '--no-tor');
    expect(stdout).toContain('not isolated');
    expect(stdout).not.toContain('NetworkNamespacePath');
  });

  test('changes that failed are named, and the exit code is 1', async () => {
    const failed = [
      { change: 'publish an onion service', code: 'TorUnavailable', message: 'tor is gone', hint: 'wait' },
    ];
    const up: Control['up'] = () =>
      Promise.resolve({ changes: ['x'], problems: [], generation: 2, services: 1, failed, notices: [] });
    const { exitCode, stdout } = await (await gateway({ up })).run('up');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('failed: publish an onion service\n  TorUnavailable: tor is gone\n  next: wait');
  });

  test('events: the last ones, oldest first', async () => {
    const { run, world } = await gateway();
    world.events = [1, 2, 3].map((seq) => ({
      seq,
      at: '2026-01-02T03:04:05.678Z',
      type: 'config.applied',
      message: `generation ${seq}`,
      data: {},
    }));
    const { stdout } = await run('events', '--last', '2');
    expect(stdout).toBe(
      '2026-01-02 03:04:05 UTC  config.applied      generation 2\n2026-01-02 03:04:05 UTC  config.applied      generation 3',
    );
  });

  test('text from elsewhere cannot command the terminal', async () => {
    const { run, world } = await gateway();
    world.status = status({ notices: ['\u001b]0;owned\u0007\u001b[31mred\r\nnew line'] });
    const { stdout } = await run('status');
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(stdout).toContain('red new line');
  });
});

describe('exit codes of status', () => {
  test.each([
    [0, 'all ways are proved', status()],
    [1, 'the file differs', status({ fileDiffers: true })],
    [
      1,
      'a service does not listen',
      status({
        services: [service('a', { listening: { status: 'no', message: 'listens on 127.0.0.1 only' } })],
      }),
    ],
    [
      2,
      'a way is unreachable',
      status({
        services: [service('a', { ways: [way(), way({ reachable: 'no' }), way({ reachable: 'unknown' })] })],
      }),
    ],
    [
      3,
      'a way is undecided',
      status({ notices: ['x'], services: [service('a', { ways: [way({ reachable: 'unknown' })] })] }),
    ],
  ])('%i: %s', async (expected, _case, now) => {
    const { run, world } = await gateway();
    world.status = now;
    expect((await run('status')).exitCode).toBe(expected);
  });
});

describe('failures', () => {
  test('a failure of the gateway is code, message and next step', async () => {
    const refused = new GatewayError('there is no service "shpo"', {
      code: 'ServiceUnknown',
      hint: 'did you mean shop?',
    });
    const { run } = await gateway({ removeService: () => Promise.reject(refused) });
    expect(await run('service', 'remove', 'shpo')).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'gateway: ServiceUnknown: there is no service "shpo"\nnext: did you mean shop?',
    });
  });

  test('a bug of the daemon is 70', async () => {
    const { run } = await gateway({ up: () => Promise.reject(new TypeError('x')) });
    const { exitCode, stderr } = await run('up');
    expect(exitCode).toBe(70);
    expect(stderr).toMatch(/^gateway: Internal: .*bug of ours\nnext: /);
  });

  test('no daemon: what to do', async () => {
    const { exitCode, stderr } = await runCli('--root', '/nonexistent', 'status');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('DaemonUnreachable');
    expect(stderr).toContain('next: start it: gateway up');
  });

  test('a daemon that dies during a call is not a success', async () => {
    const { run, close } = await gateway({
      up: async (progress) => {
        progress('begun');
        await new Promise(() => undefined);
        throw new Error('never');
      },
    });
    const running = run('up');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await close();
    open.pop();
    expect(await running).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('DaemonUnreachable') as string,
    });
  });

  test.each([
    ['frobnicate', 'there is no command "frobnicate"', 'see gateway --help'],
    ['statsu', 'there is no command "statsu"', 'did you mean status?'],
    ['service ad', 'there is no command "service ad"', 'did you mean service add?'],
    ['status --jsn', 'there is no option "--jsn"', 'did you mean --json?'],
    ['status extra', '"extra" is one word too many', 'usage: gateway status'],
    ['expose shop', '--via is missing', 'say which way'],
    ['expose shop --via clearnet', '--domain is missing', '--domain pay.example.com'],
    [
      'expose shop --via tor --onion-location',
      '--onion-location is for pages at home only',
      '--via clearnet',
    ],
    ['expose shop --via tor --domain pay.example.com', '--domain is for pages only', '--via clearnet'],
    ['service add shop --port', '--port needs a value', 'write --port P'],
    ['service add shop --port 0', '--port is "0"', ''],
    ['service add shop --port 80 --kind htpt', '--kind is "htpt"', 'did you mean http?'],
    ['service add shop --port 80 --target 1.2.3.4:5', 'the port in it already', 'leave out --port'],
    ['service add s --isolation off --target 1.2.3.4:5', 'exclude each other', 'choose one'],
    ['service set shop', 'nothing to change', 'use --port'],
    ['service run shop', 'COMMAND is missing', 'usage: gateway service run'],
    ['device add phone', '--service is missing', 'name each service'],
    ['device grant phone', '--service is missing', 'name each service'],
    [
      'device ungrant phone --from-service btcpay',
      '--from-service btcpay is not SERVICE:PORT',
      'btcpay:8080',
    ],
    ['status --json=yes', '--json takes no value', ''],
    ['--root', '--root needs a value', 'write --root DIR'],
  ])('gateway %s is a usage error that says what to type', async (line, message, hint) => {
    const { exitCode, stdout, stderr } = await runCli(...line.split(' '));
    expect([exitCode, stdout]).toEqual([64, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });
});

describe('device add', () => {
  test('waits for the handshake and says where it came from', async () => {
    const { run, world, directory } = await gateway();
    const file = join(directory, 'phone.conf');
    const running = run('device', 'add', 'phone', '--service', 'shop', '--conf', file);
    await new Promise((resolve) => setTimeout(resolve, 200));
    world.status = status({
      devices: [device('phone', { latestHandshake: new Date().toISOString(), endpoint: '11.0.0.9:4242' })],
    });
    const { exitCode, stdout } = await running;
    expect(exitCode).toBe(0);
    expect(stdout).toContain('this path was not proved from outside yet');
    expect(stdout).toContain('mobile data');
    expect(stdout).toContain('phone is connected: handshake from 11.0.0.9:4242');
    expect(stdout).not.toContain('PrivateKey');
    expect(await readFile(file, 'utf8')).toBe('[Interface]\nPrivateKey = x\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('an old handshake of the same name proves nothing: exit code 3', async () => {
    const { run, world, directory } = await gateway();
    world.status = status({ devices: [device('phone', { latestHandshake: '2020-01-01T00:00:00.000Z' })] });
    const file = join(directory, 'phone.conf');
    const { exitCode, stderr } = await run(
      'device',
      'add',
      'phone',
      '-s',
      'shop',
      '--timeout',
      '1',
      '--conf',
      file,
    );
    expect(exitCode).toBe(3);
    expect(stderr).toContain('the device stays added');
  });

  const file = Buffer.from([0x30, 0x82, 0x00, 0xff]);
  const link = `https://pay.shop.test/.well-known/gateway-device/${'A'.repeat(22)}`;
  const certified = {
    addDevice: () =>
      Promise.resolve({
        device: device('phone', { publicKey: null, certificate: 'c'.repeat(64) }),
        handouts: [
          ['client-certificate-link', 'Certificate of phone', 'phone-link.txt', link],
          ['client-certificate', 'Certificate of phone, as PKCS#12', 'phone.p12', file.toString('base64')],
          ['client-certificate-password', 'Its password', 'phone-password.txt', 'abcd2345efgh'],
          ['link', 'shop on the web', 'phone-shop.txt', 'https://pay.shop.test'],
        ].map(([kind, label, name, text]) => ({
          kind,
          label,
          file: name,
          text,
          secret: kind !== 'link',
        })) as Handout[],
        notices: [],
      }),
  };

  test('shows the link to a certificate with its code, and the password beside it', async () => {
    const { run } = await gateway(certified);
    const { exitCode, stdout } = await run('device', 'add', 'phone', '-s', 'shop');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`\n  ${link}\n`);
    expect(stdout).toContain('Its password:\n  abcd2345efgh');
    expect(stdout.split('▀').length).toBeGreaterThan(100);
    expect(stdout).not.toContain(file.toString('base64'));
  });

  test('writes a certificate to a file as it is, and then shows no link; never over one that is there', async () => {
    const { run, directory } = await gateway(certified);
    const path = join(directory, 'phone.p12');
    const add = () => run('device', 'add', 'phone', '-s', 'shop', '--p12', path);
    const { stdout } = await add();
    expect(stdout).toContain(path);
    expect(stdout).toContain('abcd2345efgh');
    expect(stdout).not.toContain(link);
    expect(await readFile(path)).toEqual(file);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await add()).stderr).toContain('is there already and was not touched');
  });

  const onionKey = 'K'.repeat(52);
  const ONION_HANDOUTS: Handout[] = [
    {
      kind: 'link',
      label: 'lnd over Tor',
      file: 'lnd-onion.txt',
      secret: false,
      text: `tcp://${ONION.slice(7)}:80`,
    },
    { kind: 'onion-key', label: 'For Tor Browser', file: 'phone-lnd.txt', secret: true, text: onionKey },
    {
      kind: 'onion-key-file',
      label: 'For a tor of your own',
      file: 'phone-lnd.auth_private',
      secret: true,
      text: `${'a'.repeat(56)}:descriptor:x25519:${onionKey}\n`,
    },
  ];
  const enrolled = {
    addDevice: () =>
      Promise.resolve({
        device: device('phone', {
          publicKey: null,
          onionKey: 'P'.repeat(52),
          expiresAt: '2027-01-01T00:00:00.000Z',
        }),
        handouts: ONION_HANDOUTS,
        notices: [],
      }),
  };

  test('shows the onion key with its code and in words, waits for no handshake, says when it ends', async () => {
    const { run } = await gateway(enrolled);
    const { exitCode, stdout } = await run('device', 'add', 'phone', '-s', 'lnd', '--expires', '30d');
    expect(exitCode).toBe(0);
    for (const { label } of ONION_HANDOUTS) expect(stdout).toContain(label);
    expect(stdout).toContain(`\n  ${onionKey}`);
    expect(stdout.split('▀').length).toBeGreaterThan(100);
    expect(stdout).toContain('phone is revoked by itself at 2027-01-01');
    expect(stdout).not.toContain('WireGuard app');
  });

  test('writes onion keys into a directory that a tor can use as it is, and shows them nowhere', async () => {
    const { run, directory } = await gateway(enrolled);
    const keys = join(directory, 'keys');
    const { stdout } = await run('device', 'add', 'phone', '-s', 'lnd', '--onion-dir', keys);
    expect(stdout).not.toContain(onionKey);
    expect(stdout).toContain(join(keys, 'phone-lnd.auth_private'));
    expect(await readdir(keys)).toEqual(['phone-lnd.auth_private']);
    expect((await stat(keys)).mode & 0o777).toBe(0o700);
    expect((await stat(join(keys, 'phone-lnd.auth_private'))).mode & 0o777).toBe(0o600);
  });

  test('makes no key when the directory cannot be written', async () => {
    const { run, calls } = await gateway();
    const { exitCode, stderr } = await run(
      'device',
      'add',
      'phone',
      '-s',
      'lnd',
      '--onion-dir',
      '/proc/none',
    );
    expect([exitCode, calls]).toEqual([1, []]);
    expect(stderr).toContain('/proc/none cannot be written');
  });

  test('a file that is there is never overwritten, and no key is made for it', async () => {
    const { run, calls, directory } = await gateway();
    const file = join(directory, 'phone.conf');
    await writeFile(file, 'precious');
    const { exitCode, stderr } = await run('device', 'add', 'phone', '-s', 'shop', '--conf', file);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('AlreadyExists');
    expect(await readFile(file, 'utf8')).toBe('precious');
    expect(calls).toEqual([]);
  });

  test('a refused device leaves no empty file behind', async () => {
    const refused = new GatewayError('phone is there already', { code: 'AlreadyExists' });
    const { run, directory } = await gateway({ addDevice: () => Promise.reject(refused) });
    const file = join(directory, 'phone.conf');
    expect((await run('device', 'add', 'phone', '-s', 'shop', '--conf', file)).exitCode).toBe(1);
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });

  test('the code of a device cannot be shown again, and the hint says what can be done', async () => {
    const { run, world } = await gateway();
    world.status = status({ devices: [device('phone')] });
    const { exitCode, stderr } = await run('qr', 'phone');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('gateway device renew phone');
  });

  test('of several ways in the code is that of the one in use, with a remark when it took over', async () => {
    const { run, world } = await gateway();
    const clearnet = way({
      provider: 'clearnet',
      reachable: 'no',
      addresses: [{ url: 'https://pay.example.com', network: 'internet', clientNeeds: ['any browser'] }],
    });
    const shop = service('shop', { ways: [clearnet, way()] });
    const fallback = {
      ...shop.fallback!,
      order: ['clearnet', 'tor'],
      isFallback: true,
      why: 'clearnet: shut',
    };
    world.status = status({ services: [{ ...shop, fallback }] });
    const { stdout, stderr } = await run('qr', 'shop');
    expect(stdout).toContain(ONION);
    expect(stderr).toBe(
      '! tor took over, until clearnet works again: clearnet: shut; another way: --via PROVIDER',
    );
    expect((await run('qr', 'shop', '--via', 'tor')).stderr).toBe('');
  });
});

describe('those who watch', () => {
  test('see who took a test message', async () => {
    const { run } = await gateway();
    const { exitCode, stdout } = await run('notify', 'test');
    expect([exitCode, stdout]).toEqual([
      1,
      'told  ntfy https://ntfy.example.net\nNOT   mail me@example.net: it answered 550',
    ]);
  });

  test('go back in the journal for a while, or to a time', async () => {
    const { run, world } = await gateway();
    const event = (seq: number, at: number) => ({
      seq,
      at: new Date(at).toISOString(),
      type: 'fallback.engaged' as const,
      message: `event ${seq}`,
      data: {},
    });
    world.events = [event(1, Date.parse('2026-01-01')), event(2, Date.now() - 60_000)];
    const lines = async (...words: string[]) => (await run('events', ...words)).stdout.match(/event \d/g);
    expect(await lines('--since', '10m')).toEqual(['event 2']);
    expect(await lines('--since', '2025-01-01T00:00Z')).toEqual(['event 1', 'event 2']);
    expect(await lines('--since', '30s')).toBeNull();
    const wrong = await run('events', '--since', 'yesterday');
    expect([wrong.exitCode, wrong.stderr]).toEqual([64, expect.stringContaining('10m, 2h or 3d')]);
  });
});
