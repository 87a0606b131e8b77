import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeeperScene, SHOP } from '../../support/keeper.ts';

let scene: KeeperScene;
beforeEach(() => {
  scene = new KeeperScene();
});
afterEach(() => scene.close());

describe('a certificate', () => {
  it('is there after one order, with its key in one file that only the gateway reads', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    expect(await scene.report()).toMatchObject({
      state: 'valid',
      names: [SHOP],
      challenge: 'http-01',
      problem: null,
    });
    expect(scene.pem()).toMatch(/BEGIN CERTIFICATE[^]+BEGIN CERTIFICATE[^]+BEGIN PRIVATE KEY/);
    expect(statSync(scene.path(`${SHOP}.pem`)).mode & 0o777).toBe(0o600);
    expect(scene.served.get(SHOP)).toBe(scene.pem());
    expect(server.orders).toBe(1);
  });

  it('is shown as soon as it is there', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.keeper.tick();
    await scene.keeper.settled();
    expect(scene.served.get(SHOP)).toBe(scene.pem());
  });

  it('is not ordered again by a restart, nor when a service gives it up and comes back', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    const before = scene.pem();
    scene.restart();
    await scene.work();
    await scene.keeper.release(SHOP, AbortSignal.timeout(1000));
    expect(scene.served.size).toBe(0);
    await scene.work();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    expect([server.orders, scene.pem(), scene.served.get(SHOP)]).toEqual([1, before, before]);
  });

  it('is ordered anew when the owner says so, and when another authority is chosen', async () => {
    const [server, other] = [await scene.authority(), await scene.authority()];
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    await scene.keeper.renew(SHOP);
    await scene.work();
    expect([server.orders, server.accounts]).toEqual([2, 1]);
    await scene.keep([scene.termsOf(other)]);
    await scene.work();
    expect((await scene.report()).authority).toBe(other.directory);
    await expect(scene.keeper.renew('other.test')).rejects.toMatchObject({ code: 'CertificateUnknown' });
  });
});

it('one that is revoked is followed by another; one that nobody uses is forgotten', async () => {
  const server = await scene.authority();
  await scene.keep([scene.termsOf(server)]);
  await expect(scene.keeper.revoke(SHOP, false, AbortSignal.timeout(1000))).rejects.toMatchObject({
    code: 'CertificateUnknown',
  });
  await scene.work();
  const before = scene.pem();
  await scene.keeper.revoke(SHOP, false, AbortSignal.timeout(5000));
  expect(scene.served.get(SHOP)).toBe(before);
  await scene.work();
  expect([server.orders, server.revoked, scene.pem() === before]).toEqual([2, [4], false]);
  await scene.keeper.release(SHOP, AbortSignal.timeout(1000));
  // It says that it did so before.
  server.behaviour.refuses = { what: 'revoke', type: 'alreadyRevoked', detail: 'twice' };
  await scene.keeper.revoke(SHOP, true, AbortSignal.timeout(5000));
  await scene.work();
  expect([server.orders, scene.pem()]).toEqual([2, undefined]);
});

it('an authority that does not revoke is told about, and nothing is lost', async () => {
  const server = await scene.authority();
  await scene.keep([scene.termsOf(server)]);
  await scene.work();
  server.behaviour.refuses = { what: 'revoke', type: 'unauthorized', detail: 'not yours' };
  await expect(scene.keeper.revoke(SHOP, true, AbortSignal.timeout(5000))).rejects.toThrow('not yours');
  await scene.work();
  expect([server.orders, (await scene.report()).state]).toEqual([1, 'valid']);
});

it('a wildcard is shown at each of its pages, and a page more or less orders nothing', async () => {
  const server = await scene.authority();
  const shownAt = (...pages: string[]): Promise<void> => {
    const spec = { name: '*.shop.test', shownAt: pages, challenges: ['dns-01' as const] };
    const terms = { authorities: [scene.termsOf(server)] };
    return scene.keeper.keep({ ...spec, ...terms }, AbortSignal.timeout(1000));
  };
  await shownAt('a.shop.test');
  await scene.work();
  await shownAt('a.shop.test', 'b.shop.test');
  await scene.work();
  expect([...scene.served.keys()]).toEqual(['a.shop.test', 'b.shop.test']);
  expect(new Set(scene.served.values()).size).toBe(1);
  expect((await scene.report('*.shop.test')).names).toEqual(['*.shop.test']);
  scene.restart();
  await shownAt('b.shop.test');
  await scene.work();
  expect([[...scene.served.keys()], server.orders]).toEqual([['b.shop.test'], 1]);
  await scene.keeper.release('*.shop.test', AbortSignal.timeout(1000));
  expect(scene.served.size).toBe(0);
});

describe('an authority that loses answers', () => {
  it.each(['new-account', 'new-order', 'authorization', 'challenge', 'finalize', 'certificate'])(
    'to %s gives one certificate all the same, and no order is placed twice',
    async (what) => {
      const server = await scene.authority();
      server.behaviour.losesAnswersTo.add(what);
      await scene.keep([scene.termsOf(server)]);
      await scene.work();
      expect((await scene.report()).state).toBe('failing');
      // The next daemon goes on with it.
      scene.restart();
      await scene.pass(0.1, 0.05);
      expect((await scene.report()).state).toBe('valid');
      expect(server.issuedAt.length).toBe(1);
      expect(server.orders).toBe(what === 'new-order' ? 2 : 1);
    },
  );
});

it('an order that stays in processing is left there and taken up again, not placed again', async () => {
  const server = await scene.authority({ staysProcessing: true });
  await scene.keep([scene.termsOf(server)]);
  await scene.work();
  expect((await scene.report()).problem?.message).toContain(`the order for ${SHOP} is still processing`);
  server.behaviour.staysProcessing = false;
  await scene.pass(0.1, 0.05);
  expect([(await scene.report()).state, server.orders]).toEqual(['valid', 1]);
}, 15_000);

describe('a certificate that visitors would refuse', () => {
  it.each([
    ['other-key', 'it is for another key'],
    ['other-name', `it is for other.test, not for ${SHOP}`],
    ['expired', 'it ended on'],
    ['not-yet', 'later than now'],
    ['broken-chain', 'its chain does not hold'],
  ] as const)('(%s) is never kept, and the one before stays', async (certificate, said) => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    const before = scene.pem();
    server.behaviour.certificate = certificate;
    await scene.keeper.renew(SHOP);
    await scene.work();
    const { state, problem } = await scene.report();
    expect([state, problem?.message]).toEqual(['valid', expect.stringContaining(said)]);
    expect([scene.pem(), scene.served.get(SHOP)]).toEqual([before, before]);
  });
});

describe('limits', () => {
  it.each(['7200', 'date'])(
    'an authority that says when to come again (%s) is left alone until then',
    async (said) => {
      const server = await scene.authority();
      const retryAfter = said === 'date' ? new Date(Date.now() + 7_200_000).toUTCString() : said;
      server.behaviour.refuses = {
        what: 'new-order',
        type: 'rateLimited',
        detail: 'too many certificates',
        retryAfter,
      };
      await scene.keep([scene.termsOf(server)]);
      await scene.work();
      expect((await scene.report()).problem?.message).toContain('too many certificates');
      const asked = server.requests.length;
      server.behaviour.refuses = undefined;
      for (let minutes = 0; minutes < 110; minutes += 10) {
        scene.restart();
        await scene.pass(1 / 6, 1 / 6);
      }
      expect(server.requests.length).toBe(asked);
      await scene.pass(1);
      expect((await scene.report()).state).toBe('valid');
    },
  );

  it('are not met by a name that cannot be proved for a week, nor by owners who order again and again', async () => {
    const server = await scene.authority({ looks: () => undefined });
    await scene.keep([scene.termsOf(server)]);
    await scene.pass(7 * 24, 0.5);
    expect(server.orders).toBeGreaterThan(10);
    server.behaviour.looks = () => 'shown';
    await scene.pass(24);
    for (let again = 0; again < 20; again++) {
      await scene.keeper.renew(SHOP);
      await scene.work();
      scene.restart();
    }
    expect(server.issuedAt.length).toBe(4);
    expect(server.limited).toBe(0);
    expect((await scene.report()).problem?.message).toContain('the authority would refuse');
  }, 30_000);

  it('are not met by a gateway that dies each time while it orders', async () => {
    const server = await scene.authority();
    server.behaviour.losesAnswersTo = new Set();
    await scene.keep([scene.termsOf(server)]);
    for (let crash = 0; crash < 30; crash++) {
      // It is asked, and the process is gone before the answer.
      await scene.keeper.tick();
      scene.restart();
      scene.nowMs += 2000;
    }
    expect(server.orders).toBeLessThanOrEqual(3);
    expect(server.limited).toBe(0);
    await scene.pass(3, 0.1);
    expect((await scene.report()).state).toBe('valid');
  }, 30_000);
});

describe('a name that cannot be proved', () => {
  it('is tried by another challenge, with the authority’s own words', async () => {
    const server = await scene.authority({ looks: (type) => (type === 'tls-alpn-01' ? 'shown' : undefined) });
    await scene.keep([scene.termsOf(server)], SHOP, ['http-01', 'tls-alpn-01', 'dns-01']);
    await scene.work();
    const { problem } = await scene.report();
    expect(problem?.message).toContain(`${SHOP} shows something else`);
    expect(problem?.hint).toContain('leads to another machine');
    await scene.pass(1, 0.1);
    expect(scene.tried).toEqual(['http-01', 'tls-alpn-01']);
    expect(scene.events.filter((event) => event.startsWith('certificate.switched'))).toEqual([
      expect.stringMatching(
        `^certificate.switched: ${SHOP} is proved by tls-alpn-01 next, not http-01: .*something else`,
      ),
    ]);
    // What worked is tried first from then on.
    await scene.keeper.renew(SHOP);
    await scene.work();
    expect(scene.tried.at(-1)).toBe('tls-alpn-01');
  });

  it.each([true, false])(
    'by HTTP is proved in its zone next if we hold that (%s), and events say so',
    async (holds) => {
      const server = await scene.authority({ looks: (type) => (type === 'dns-01' ? 'shown' : undefined) });
      scene.around = { holdsZone: () => holds };
      scene.restart();
      await scene.keep([scene.termsOf(server)], SHOP, ['http-01', 'dns-01']);
      await scene.pass(1, 0.1);
      expect(new Set(scene.tried)).toEqual(new Set(holds ? ['http-01', 'dns-01'] : ['http-01']));
      expect((await scene.report()).state === 'valid').toBe(holds);
      expect(scene.events.filter((event) => event.includes('dns-01 next, not http-01'))).toHaveLength(
        holds ? 1 : 0,
      );
    },
  );

  it('is rehearsed where that counts against no limit, before the real authority is asked again', async () => {
    let isWell = false;
    const looks = (): string | undefined => (isWell ? 'shown' : undefined);
    const [server, staging] = [await scene.authority({ looks }), await scene.authority({ looks })];
    // Both are on this machine, and one file of roots trusts both.
    const roots = `${scene.folder}/roots.pem`;
    writeFileSync(roots, server.root + staging.root);
    await scene.keep([{ directory: server.directory, staging: staging.directory, roots }]);
    await scene.pass(24, 0.25);
    expect(server.orders).toBe(1);
    expect(staging.orders).toBeGreaterThan(5);
    isWell = true;
    await scene.pass(7, 0.5);
    expect((await scene.report()).authority).toBe(server.directory);
    expect(server.orders).toBe(2);
  }, 20_000);

  it('gets a certificate of the second authority while the first one is down', async () => {
    const [first, second] = [await scene.authority(), await scene.authority()];
    const terms = [scene.termsOf(first), scene.termsOf(second)];
    first.stop();
    await scene.keep(terms);
    await scene.pass(0.5, 0.05);
    expect(await scene.report()).toMatchObject({ state: 'valid', authority: second.directory });
  });
});

describe('before an order is spent', () => {
  it.each([
    [
      { findAddresses: () => Promise.resolve([]) },
      `${SHOP} has no address in DNS`,
      `set the A record of ${SHOP} to 11.2.0.2`,
    ],
    [
      { findAddresses: () => Promise.resolve(['11.9.9.9']) },
      `${SHOP} is at 11.9.9.9, and this home at 11.2.0.2`,
      `set the A record of ${SHOP} to 11.2.0.2`,
    ],
    [
      { findAddresses: () => Promise.resolve(['11.2.0.2', '2a00::1']) },
      'IPv6 address 2a00::1, which is not this home',
      'remove the AAAA record',
    ],
    [
      { findCaa: () => Promise.resolve([{ tag: 'issue' as const, value: 'other.test' }]) },
      'its CAA records allow other.test, not acme.test',
      'gateway certificates shows',
    ],
  ])('what would fail is named: %#', async (around, message, hint) => {
    const server = await scene.authority();
    const home = [
      { family: 4 as const, address: '11.2.0.2', source: 'stun' as const },
      { family: 4 as const, address: '11.2.0.2', source: 'relay' as const },
    ];
    scene.around = { addresses: () => home, ...around };
    scene.restart();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    const { problem } = await scene.report();
    expect([problem?.message, problem?.hint]).toEqual([
      expect.stringContaining(message),
      expect.stringContaining(hint),
    ]);
    expect(server.orders).toBe(0);
  });

  it('a CAA record for our account and challenge lets us in, and one for another account keeps us out', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    const url = scene.keeper.account(server.directory)?.url ?? '';
    const value = (account: string, methods: string): string =>
      `acme.test; accounturi=${account}; validationmethods=${methods}`;
    for (const [text, orders] of [
      [value(url, 'http-01'), 2],
      [value(url, 'dns-01'), 2],
      [value('https://acme.test/1', 'http-01'), 2],
    ] as const) {
      scene.records = [{ tag: 'issue', value: text }];
      await scene.keeper.renew(SHOP);
      await scene.work();
      expect(server.orders).toBe(orders);
    }
  });

  it('what may be a mistake of ours only delays', async () => {
    const server = await scene.authority();
    const home = [{ family: 4 as const, address: '11.2.0.2', source: 'stun' as const }];
    scene.around = { addresses: () => home, findAddresses: () => Promise.resolve(['11.9.9.9']) };
    scene.restart();
    await scene.keep([scene.termsOf(server)]);
    await scene.pass(0.5, 0.01);
    expect((await scene.report()).state).toBe('valid');
  });
});

describe('a disk', () => {
  it('that does not take the certificate loses nothing: the order is taken up again when it does', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    mkdirSync(scene.path(`${SHOP}.pem`));
    writeFileSync(scene.path(`${SHOP}.pem/x`), '');
    await scene.work();
    expect((await scene.report()).problem?.message).toContain(`${SHOP}.pem could not be written`);
    rmSync(scene.path(`${SHOP}.pem`), { recursive: true });
    await scene.pass(0.1, 0.05);
    expect([(await scene.report()).state, server.orders, server.issuedAt.length]).toEqual(['valid', 1, 1]);
  });

  it('on which a certificate was damaged: it is told, put aside, and another one ordered', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    const before = scene.pem() ?? '';
    writeFileSync(scene.path(`${SHOP}.pem`), before.slice(0, 900));
    scene.restart();
    await scene.work();
    expect(scene.events.join()).toMatch(
      /certificate.damaged: .*pay.shop.test.pem was damaged .* lies in .*damaged now/,
    );
    expect(readFileSync(scene.path(`${SHOP}.pem.damaged`), 'utf8')).toBe(before.slice(0, 900));
    expect([(await scene.report()).state, server.orders]).toEqual(['valid', 2]);
  });

  it('on which the memory was damaged: the certificate is kept, and nothing is ordered', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    const before = scene.pem();
    writeFileSync(scene.path('certificates.json'), '{"version":1,"acc');
    scene.restart();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    expect([scene.pem(), server.orders, (await scene.report()).state]).toEqual([before, 1, 'valid']);
  });

  it('on which the account key was damaged: an error that names it, never a fresh key', async () => {
    const server = await scene.authority();
    await scene.keep([scene.termsOf(server)]);
    await scene.work();
    const { globSync } = await import('node:fs');
    const [path = ''] = globSync(`${scene.folder}/keys/acme/*.key`);
    writeFileSync(path, 'gateway key 1\n');
    await scene.keeper.renew(SHOP);
    scene.restart();
    await scene.work();
    expect((await scene.report()).problem?.message).toContain(`is damaged: ${path}`);
    expect([readFileSync(path, 'utf8'), server.accounts]).toEqual(['gateway key 1\n', 1]);
  });
});
