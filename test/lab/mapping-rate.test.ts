import { expect, it, vi } from 'vitest';
import { begin, given, nextStep, refused, unseen } from '../../src/core/mapping-lease.ts';
import { NODE_INSIDE, parseTopology } from '../../src/lab/index.ts';
import { outputOf, withLab } from '../support/lab.ts';

/** What a steady home asks of its router: how often by the lease machine's own clock, and packets by the kernel's count. */
vi.setConfig({ testTimeout: 40_000 });

const topology = parseTopology(
  {
    nodes: {
      home: { defaultRoute: '192.168.50.1' },
      router: {
        kind: 'router',
        nat: { outside: 'uplink' },
        services: [{ type: 'port-mapping', inside: 'lan' }],
      },
      outside: {},
    },
    networks: {
      lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
      uplink: { router: '11.2.0.2/24', outside: '11.2.0.1/24' },
    },
  },
  'a steady home',
);
const COUNT = '/opt/gateway/test/support/router-packets-main.ts';
const HOUR = 3_600_000;
const SPEC = { transport: 'udp', port: 51_820, externalPort: 51_820 } as const;
const LEASE = {
  protocol: 'pcp',
  router: '192.168.50.1',
  transport: 'udp',
  internalAddress: '192.168.50.10',
  internalPort: 51_820,
  externalPort: 51_820,
  lifetimeSeconds: 3600,
  nonce: '',
  description: '',
  mark: {},
} as const;

/** Looks and renewals in an hour of a mapping that is well. */
function steadyHour(): { looks: number; renewals: number } {
  const count = { looks: 0, renewals: 0 };
  let state = given(begin(SPEC, '', 0), LEASE, 0, 0.5);
  for (let step = nextStep(state); step.at < HOUR; step = nextStep(state)) {
    if (step.action === 'check') count.looks += 1;
    else count.renewals += 1;
    // A look without an answer comes again soonest.
    state =
      step.action === 'check'
        ? { ...unseen(state, step.at), checkAt: step.at + 60_000 }
        : given(state, LEASE, step.at, 0.5);
  }
  return count;
}

/** Tries in the second hour at a router that answers nothing. */
function triesInVain(): number {
  let tries = 0;
  let state = begin(SPEC, '', 0);
  while (state.askAt < 2 * HOUR) {
    if (state.askAt > HOUR) tries += 1;
    state = refused(state, { refusal: 'silent', message: '' }, state.askAt);
  }
  return tries;
}

it('sends a packet or two a minute by PCP and NAT-PMP, and one short exchange by UPnP', async () => {
  await withLab(topology, async (lab) => {
    const found = JSON.parse(await outputOf(lab, 'home', [NODE_INSIDE, COUNT])) as Record<
      string,
      { look: number; renewal: number }
    >;
    const { looks, renewals } = steadyHour();
    const perMinute = (protocol: string): number => {
      const { look = NaN, renewal = NaN } = found[protocol] ?? {};
      return (looks * look + renewals * renewal) / 60;
    };
    expect(perMinute('pcp')).toBeLessThan(2);
    expect(perMinute('nat-pmp')).toBeLessThan(2);
    expect(perMinute('upnp')).toBeLessThan(12);
  });
});

it('asks a router that answers nothing with fewer than three packets a minute', async () => {
  await withLab(topology, async (lab, signal) => {
    const drop = ['insert', 'rule', 'ip', 'filter', 'input', 'iifname', 'lan', 'drop'] as const;
    await lab.node('router').run(['nft', ...drop], { signal });
    const argv = [NODE_INSIDE, COUNT, 'silent'] as const;
    const { packets } = JSON.parse(await outputOf(lab, 'home', argv)) as { packets: number };
    expect(packets).toBeGreaterThan(3);
    expect((packets * triesInVain()) / 60).toBeLessThan(3);
  });
});
