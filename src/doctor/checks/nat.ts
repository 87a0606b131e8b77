import type { Check, CheckContext } from '../check.ts';
import { text, type Text } from '../messages/message.ts';
import { natFindings, type NeedsPort } from '../nat-findings.ts';
import type { NatReport } from '../types.ts';

/** How many routers translate addresses on the way out, which, and whose. */
export const nat: Check = {
  name: 'nat',
  title: 'nat.name',
  needs: [],
  deadlineMs: 400_000,
  run: async (context) => {
    const { world, mode, isOffline, signal } = context;
    const [report, ways] = await Promise.all([world.nat(mode, isOffline, signal), waysWithPorts(context)]);
    const said = { text: countText(report), nat: report, findings: natFindings(report, ways) };
    return report.count.exact || said.findings.length > 0 ? said : { ...said, isUnknown: true };
  },
};

const PROVIDERS = ['clearnet', 'wireguard'];

async function waysWithPorts({ world }: CheckContext): Promise<NeedsPort> {
  const gateway = await world.gateway();
  if (gateway.state !== 'running') return null;
  const answers = gateway.status.services.flatMap(({ ways }) =>
    ways.filter(({ provider }) => PROVIDERS.includes(provider)).map(({ reachable }) => reachable),
  );
  if (answers.length === 0) return null;
  if (answers.includes('no')) return 'no';
  return answers.every((answer) => answer === 'yes') ? 'yes' : 'unknown';
}

/** Never a bare number: what is proved, or a range and why. */
export function countText({ count }: Pick<NatReport, 'count'>): Text {
  const { min, max, exact, likely, doubts } = count;
  if (exact) return text(min === 0 ? 'nat.none' : 'nat.exact', { count: min });
  const [doubt] = doubts;
  const why = text(doubt === undefined ? 'nat.doubt.state' : `nat.doubt.${doubt}`);
  if (max === null && likely === 0) return text('nat.unknown', { why });
  if (max === null) return text('nat.at-least', { min, count: likely, why });
  if (max === min) return text('nat.probably', { count: likely, why });
  return text('nat.range', { min, max, count: likely, why });
}
