import { countText } from './checks/nat.ts';
import { text, type Text } from './messages/message.ts';
import { harmless, type Say } from './messages/say.ts';
import type { NatHop, Report } from './types.ts';
import { wrap } from './wrap.ts';

/** The way out of this machine, one line for each box; empty where nobody looked. */
export function pathOf({ nat, evidence }: Report, { say, columns }: { say: Say; columns: number }): string[] {
  if (nat === null || (nat.hops.length === 0 && nat.publicV4 === null)) return [];
  const own = evidence.find(({ method }) => method === 'own-address')?.raw;
  const said = typeof own === 'object' && own !== null && 'address' in own ? own['address'] : undefined;
  const address = typeof said === 'string' ? harmless(said) : '';
  const boxes: readonly Box[] = [
    { label: text('path.machine'), address, remarks: '' },
    ...nat.hops.map((hop) => boxOf(hop, say)),
    { label: text('path.internet'), address: '', remarks: worldOf(nat.publicV4, say) },
  ];
  const labels = boxes.map(({ label }) => say(label));
  const width = Math.max(...labels.map(({ length }) => length));
  const wide = Math.max(...boxes.map((box) => box.address.length));
  const lines = boxes.map((box, index) => {
    const head = `  ${(labels[index] ?? '').padEnd(width)}  ${box.address.padEnd(wide)}`;
    const [first = '', ...more] = wrap(box.remarks, Math.max(columns - head.length - 2, 24));
    return [`${head}  ${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(head.length + 2)}${line}`)];
  });
  const title = wrap(say(text('path.title', { count: countText(nat) })), columns);
  return [...title, '', ...lines.flatMap((line, index) => (index === 0 ? line : ['   |', ...line]))];
}

interface Box {
  readonly label: Text;
  readonly address: string;
  readonly remarks: string;
}

function boxOf(hop: NatHop, say: Say): Box {
  const { ttl, lan, wan, model, owner, translates, portmap } = hop;
  const outside = wan === null ? '' : ` -> ${wan}`;
  const opens = [portmap.upnp, portmap.pmp, portmap.pcp];
  const remarks = [
    ...(model === null ? [] : [`"${harmless(model)}"`]),
    ...(owner === 'unknown' ? [] : [say(text(`path.owner-${owner}`))]),
    say(text(`path.translates-${translates}`)),
    ...(opens.includes('yes') ? [say(text('path.opens'))] : []),
  ];
  return {
    label: text('path.router', { ttl }),
    address: `${lan ?? say(text('path.hidden'))}${outside}`,
    remarks: remarks.join(', '),
  };
}

function worldOf(publicV4: string | null, say: Say): string {
  return say(publicV4 === null ? text('path.nobody') : text('path.world', { address: publicV4 }));
}
