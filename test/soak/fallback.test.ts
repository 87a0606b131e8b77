import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JournalEvent } from '../../src/core/events.ts';
import { startPortMapping } from '../../src/lab/port-mapping.ts';
import { isUp } from '../support/owner.ts';
import { PageLab, TOR_NETWORK } from '../support/page-lab.ts';

/**
 * Ways in of one service die in turn; what noticed it, what healed it or took over, and the way back, in seconds, as the
 * table of docs/fallback.md: `npm run lab:fallback`. Too long for CI.
 */
const isAsked = process.env['GATEWAY_FALLBACK'] !== undefined;
const signal = AbortSignal.timeout(900_000);
const drop = (verdict: string): string =>
  `table inet shut { chain forward { type filter hook forward priority -5; iifname "uplink" tcp dport 443 ${verdict}; }; }`;
const rows: string[] = [];
let scene: PageLab;

const nft = (input: string) => scene.lab.node('router').run(['nft', '-f', '-'], { signal, input });
const events = async (sinceMs: number): Promise<JournalEvent[]> =>
  (await scene.owner.json<JournalEvent[]>('events', '--last', '500')).filter(
    ({ at }) => Date.parse(at) >= sinceMs,
  );

/** Seconds from `sinceMs` until the first event that has this in it; `undefined` when it did not come in time. */
async function first(sinceMs: number, what: RegExp, timeoutMs = 90_000): Promise<number | undefined> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const found = (await events(sinceMs)).find(({ type, message }) => what.test(`${type} ${message}`));
    if (found !== undefined) return (Date.parse(found.at) - sinceMs) / 1000;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return undefined;
}

function note(...cells: (string | number | undefined)[]): void {
  const words = cells.map((cell) =>
    typeof cell === 'number' ? `${cell.toFixed(1)} s` : (cell ?? 'not seen'),
  );
  rows.push(`| ${words.join(' | ')} |`);
}

const DETECTED = /condition\.changed shop\/clearnet: reachable no/;
const ENGAGED = /fallback\.engaged shop: tor takes over/;
const RELEASED = /fallback\.released shop: clearnet/;

describe.skipIf(!isAsked)('ways in die in turn', () => {
  beforeAll(async () => {
    scene = await PageLab.start(signal, {
      shop: 'port: 80, kind: http, expose: { tor: {} }',
      world: TOR_NETWORK,
    });
    await scene.expose();
    await scene.owner.until('the page is open', isUp('shop', 'clearnet'));
    await scene.owner.until('the onion is open', isUp('shop', 'tor'));
  }, 120_000);
  afterAll(async () => {
    process.stdout.write(`\n${rows.join('\n')}\n`);
    await scene?.lab.stop();
  });

  it.each([
    ['port 443 is blocked: packets vanish', 'drop'],
    ['port 443 is refused', 'reject with tcp reset'],
  ])(
    '%s',
    async (name, verdict) => {
      const brokenAt = Date.now();
      await nft(drop(verdict));
      const [detected, engaged] = [await first(brokenAt, DETECTED), await first(brokenAt, ENGAGED)];
      const mendedAt = Date.now();
      await nft('delete table inet shut');
      const released = await first(mendedAt, RELEASED);
      note(
        name,
        detected,
        engaged === undefined ? undefined : `onion after ${engaged.toFixed(1)} s`,
        released,
      );
      expect([engaged, released]).not.toContain(undefined);
    },
    240_000,
  );

  it('the router lists the port and forwards nothing', async () => {
    const brokenAt = Date.now();
    await nft('flush chain inet upnp prerouting_miniupnpd');
    const detected = await first(brokenAt, /mapping\.dead|condition\.changed shop\/clearnet: reachable no/);
    const healed = await first(brokenAt, /mapping\.healed/);
    await scene.opens();
    note('the router lists the port and forwards nothing', detected, 'the mapping is made again', healed);
    expect(healed).toBeDefined();
  }, 240_000);

  it('the router restarts and forgets every port', async () => {
    const router = scene.lab.node('router');
    const brokenAt = Date.now();
    await router.run(['pkill', '-KILL', 'miniupnpd'], { signal });
    await nft('delete table inet upnp; delete table inet only');
    const service = scene.lab.topology.nodes['router']?.services.find(({ type }) => type === 'port-mapping');
    if (service?.type !== 'port-mapping') throw new Error('the router opens no ports');
    await startPortMapping(router, scene.lab.topology, service, signal);
    const made = await first(brokenAt, /mapping\.(made|healed)/);
    await scene.opens();
    const opened = (Date.now() - brokenAt) / 1000;
    note('the router restarts and forgets every port', made, 'the mapping is made again', opened);
    expect(made).toBeDefined();
  }, 240_000);

  it('tor is killed', async () => {
    const brokenAt = Date.now();
    await scene.owner.home('pkill', '-KILL', '-x', 'tor');
    await scene.owner.until(
      'the onion is proved again',
      ({ services }) => {
        const way = services[0]?.ways.find(({ provider }) => provider === 'tor');
        return way?.reachable === 'yes' && Date.parse(way.provedAt ?? '') > brokenAt;
      },
      120_000,
    );
    note('tor is killed', '–', 'tor is started again', (Date.now() - brokenAt) / 1000);
  }, 200_000);

  it('the daemon is killed', async () => {
    const [pid = ''] = await scene.owner.pidsOf('main.js daemon');
    const brokenAt = Date.now();
    await scene.owner.home('kill', '-KILL', pid);
    let missed = 0;
    for (let visit = 0; visit < 20; visit += 1) {
      if (!(await scene.open()).includes('The corner shop')) missed += 1;
    }
    await scene.demand('up');
    note(
      'the daemon is killed',
      '–',
      `nothing: ${missed} of 20 visits failed`,
      (Date.now() - brokenAt) / 1000,
    );
    expect(missed).toBe(0);
  }, 200_000);
});
