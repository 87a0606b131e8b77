import type { Check, CheckContext, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import { STUN_WITNESSES, WEB_WITNESSES } from '../witnesses.ts';

/** IPv4 and ICMP headers. */
const HEADERS = 28;
const SMALL = 64;
/** What common tunnels and lines leave: PPPoE, WireGuard, the least that IPv6 allows. */
const SIZES = [1492, 1452, 1420, 1400, 1280] as const;

/**
 * Packets that may not be broken up, of growing size, to machines that answer small ones. When large ones vanish and nobody
 * says that they are too large, connections open and then hang.
 *
 *   small ones | large ones                    | found
 *   -----------+-------------------------------+------------------------------------------
 *   answered   | answered by one machine       | ok
 *   answered   | some router says "too large"  | ok: programs are told
 *   answered   | vanish, to two machines       | MTU_BLACK_HOLE
 *   anything else                              | unknown
 */
export const mtu: Check = {
  name: 'mtu',
  title: 'mtu.name',
  needs: ['outside'],
  deadlineMs: 7800,
  run: async (context) => {
    const { world, signal, see } = context;
    const full = Math.min((await world.wayOut(4, signal))?.mtu ?? 1500, 1500);
    const tried = await Promise.all((await targets(context)).map((host) => tryHost(host, full, context)));
    const id = see('pings', 'ping', { full, tried });
    const heard = tried.filter(({ small }) => small === 'answered');
    if (heard.length === 0) return { text: text('mtu.unknown'), isUnknown: true };
    if (heard.some(({ large }) => large === 'answered')) return { text: text('mtu.ok', { size: full }) };
    if (heard.some(({ large }) => large === 'too-large')) return { text: text('mtu.told') };
    if (heard.length < 2) return { text: text('mtu.unknown'), isUnknown: true };
    const size = await largestThrough(heard[0]?.host ?? '', full, context);
    const hosts = heard.map(({ host }) => host).join(', ');
    return { text: text('mtu.hole', { size: full }), findings: [holeFinding({ full, size, hosts }, id)] };
  },
};

function holeFinding(values: { full: number; size: number; hosts: string }, evidence: string): Finding {
  const { size } = values;
  return {
    code: 'MTU_BLACK_HOLE',
    values,
    because: [evidence],
    fix: [
      { text: text('mtu.fix.router', { size }), who: 'you' },
      {
        text: text('mtu.fix.here', { size }),
        command: `sudo ip link set dev INTERFACE mtu ${size}`,
        who: 'you',
      },
    ],
  };
}

/** Addresses, so that ping asks nobody for names. */
async function targets({ world, signal }: CheckContext): Promise<string[]> {
  const names = [
    ...WEB_WITNESSES.map(({ url }) => new URL(url).hostname),
    ...STUN_WITNESSES.map((server) => server.split(':')[0] ?? ''),
  ];
  const looked = await Promise.all(names.map((name) => world.lookup(name, 4, signal)));
  return [...new Set(looked.flatMap((one) => ('addresses' in one ? one.addresses.slice(0, 1) : [])))].slice(
    0,
    4,
  );
}

type Heard = 'answered' | 'too-large' | 'silent';

async function tryHost(host: string, full: number, context: CheckContext) {
  const [small, large] = await Promise.all([ping(host, SMALL, context), ping(host, full, context)]);
  return { host, small, large };
}

/** `size`: of the whole packet. */
async function ping(host: string, size: number, { world, signal }: CheckContext): Promise<Heard> {
  const shown = await world.program(
    ['ping', '-n', '-c', '2', '-i', '0.3', '-W', '1', '-M', 'do', '-s', String(size - HEADERS), host],
    signal,
  );
  if (/ bytes from /.test(shown?.stdout ?? '')) return 'answered';
  return /frag(mentation)? needed|message too long/i.test(shown?.stdout ?? '') ? 'too-large' : 'silent';
}

async function largestThrough(host: string, full: number, context: CheckContext): Promise<number> {
  const sizes = SIZES.filter((size) => size < full);
  const heard = await Promise.all(sizes.map((size) => ping(host, size, context)));
  return sizes.find((_, index) => heard[index] === 'answered') ?? 1280;
}
