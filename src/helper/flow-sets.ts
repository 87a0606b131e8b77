import { z } from 'zod';
import type { Flow } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { loadRules } from '../system/nft.ts';
import type { Handler } from './environment.ts';
import { hubNetns, TABLE } from './names.ts';
import { interfaceOf, twinsOf } from './rules.ts';
import { type HubTable, readTable } from './table.ts';

/**
 * What a transaction holds at most. `nft` sends it in one piece, of at most 208 KiB (`wmem_default`) where it may not ask
 * for more room, as in a user namespace; an IPv6 path takes some 70 bytes of it.
 */
const TRANSACTION_ELEMENTS = 2000;

/** Machines without /etc/protocols list numbers. */
const PROTOCOLS: Readonly<Record<string, string>> = { 6: 'tcp', 17: 'udp' };
const Protocol = z.union([z.string(), z.number()]).transform((value) => PROTOCOLS[value] ?? value);
const ProtocolName = z.enum(['tcp', 'udp']);

/** A path as `nft` lists it: `{ concat: ['host', '10.64.0.3', '10.64.1.2', 'tcp', 80] }` */
export const FlowElement = z.object({
  concat: z.tuple([z.string(), z.string(), z.string(), Protocol.pipe(ProtocolName), z.number()]),
});
type FlowElement = z.infer<typeof FlowElement>;

interface Change {
  readonly verb: 'add' | 'delete';
  readonly set: string;
  readonly element: string;
}

/**
 * Only what differs, and what must go before what comes. A path that stays is never missing; where there is more to do
 * than one transaction holds and the second one fails, less is open than was asked for, and the next pass does the rest.
 */
export const replaceFlows: Handler<'flows.replace'> = async ({ network, flows }, _environment, signal) => {
  const hub = hubNetns(network);
  const table = await readTable(hub, signal);
  for (const rules of flowTransactions(table, flows, network)) await loadRules(hub, rules, signal);
  return {};
};

/**
 * Without reading what is there, which takes longer the more there is: what shall go is added first, so that it can be
 * deleted whether it was there or not. Nobody sees what is between the two.
 */
export const changeFlows: Handler<'flows.change'> = async (input, _environment, signal) => {
  const { network, add, remove } = input;
  const commandsFor = (set: string, gone: readonly Flow[], come: readonly Flow[]): Change[] => {
    const all = (verb: Change['verb'], flows: readonly Flow[]): Change[] =>
      flows.map((flow) => ({ verb, set, element: elementOf(flow) }));
    return [...all('add', gone), ...all('delete', gone), ...all('add', come)];
  };
  const six = network.ula === undefined ? [] : [twinsOf(remove, network), twinsOf(add, network)];
  const changes = [
    ...commandsFor('allowed', remove, add),
    ...commandsFor('allowed6', six[0] ?? [], six[1] ?? []),
  ];
  if (changes.length === 0) return {};
  const rules = changes.map((change) => textOfChanges([change])).join('');
  await loadRules(hubNetns(network), rules, signal);
  return {};
};

function flowTransactions(table: HubTable | undefined, flows: readonly Flow[], network: Network): string[] {
  const changes = [
    ...changesOf('allowed', flows, table),
    ...(network.ula === undefined ? [] : changesOf('allowed6', twinsOf(flows, network), table)),
  ];
  const ordered = ['delete', 'add'].flatMap((verb) => changes.filter((change) => change.verb === verb));
  return Array.from({ length: Math.ceil(ordered.length / TRANSACTION_ELEMENTS) }, (_, index) => {
    const from = index * TRANSACTION_ELEMENTS;
    return textOfChanges(ordered.slice(from, from + TRANSACTION_ELEMENTS));
  });
}

function changesOf(set: string, flows: readonly Flow[], table: HubTable | undefined): Change[] {
  const before = new Set(
    (table?.sets.get(set) ?? []).map((listed) => textOfElement(FlowElement.parse(listed))),
  );
  const after = new Set(flows.map(elementOf));
  const only = (verb: Change['verb'], some: ReadonlySet<string>, others: ReadonlySet<string>): Change[] =>
    [...some].filter((element) => !others.has(element)).map((element) => ({ verb, set, element }));
  return [...only('delete', before, after), ...only('add', after, before)];
}

function elementOf({ via, source, address, protocol, port }: Flow): string {
  return textOfElement({ concat: [interfaceOf(via), source, address, protocol, port] });
}

function textOfElement({ concat: [via, ...rest] }: FlowElement): string {
  return [`"${via}"`, ...rest].join(' . ');
}

function textOfChanges(changes: readonly Change[]): string {
  const byCommand = Map.groupBy(changes, ({ verb, set }) => `${verb} element inet ${TABLE} ${set}`);
  return [...byCommand]
    .map(([command, group]) => `${command} { ${group.map(({ element }) => element).join(',\n')} }\n`)
    .join('');
}
