import type { Change } from '../../core/contract.ts';
import type { Flow } from '../../core/operations.ts';
import { enteredText } from '../../core/service.ts';
import { nameIn } from './apply.ts';
import type { FlowsSpec, Spec } from './spec.ts';

const VERBS = { create: 'make', update: 'repair', delete: 'remove' } as const;

export function describe(change: Change<Spec>): string {
  const { key, spec } = change.op === 'delete' ? change.have : change.want;
  const verb = VERBS[change.op];
  switch (spec.type) {
    case 'hub':
      return `${verb} the hub that joins services, devices and the host (${spec.prefix}-hub, ${spec.pool})`;
    case 'namespace':
      return namespaceSentence(change, nameIn(key), spec);
    case 'entered':
      return change.op === 'delete'
        ? `take our interface out of the namespace of ${enteredText(spec)}`
        : `put an interface for ${nameIn(key)} with ${spec.address} into the namespace of ${enteredText(spec)}`;
    case 'hostService':
      return change.op === 'delete'
        ? `take address ${spec.address} of ${nameIn(key)} off the host`
        : `give the host the address ${spec.address} for ${nameIn(key)}`;
    case 'flows':
      return flowsSentence(change, spec);
  }
}

function namespaceSentence(
  change: Change<Spec>,
  service: string,
  { namespace, address, port, egress, upstreams = [] }: Extract<Spec, { type: 'namespace' }>,
): string {
  if (change.op === 'delete') return `remove namespace ${namespace} of ${service}`;
  const verb = change.op === 'create' ? 'make' : 'set up';
  const name = namespace === service ? 'a namespace' : `namespace ${namespace}`;
  const isLetIn = `where only port ${port} is let in${OUT[egress ?? 'none']}`;
  const names = upstreams.map((upstream) => upstream.service).join(' and ');
  const reaches = names === '' ? '' : `; it may connect to ${names}`;
  return `${verb} ${name} for ${service} at ${address}, ${isLetIn}${reaches}`;
}

const OUT = {
  none: '',
  tor: ', and which is let out through tor',
  direct: ', and which is let out directly',
};

function flowsSentence(change: Change<Spec>, spec: FlowsSpec): string {
  if (change.op === 'delete') return 'close every path through the hub';
  const before = change.op === 'update' && change.have.spec.type === 'flows' ? change.have.spec.flows : [];
  const old = new Set(before.map(wordsOf));
  const now = new Set(spec.flows.map(wordsOf));
  const opened = [...now].filter((flow) => !old.has(flow));
  const closed = [...old].filter((flow) => !now.has(flow));
  const parts = [
    ...(opened.length === 0 ? [] : [`open ${listed(opened)}`]),
    ...(closed.length === 0 ? [] : [`close ${listed(closed)}`]),
  ];
  return parts.length === 0 ? 'open the same paths through the hub again' : parts.join(', ');
}

function wordsOf({ via, source, address, port }: Flow): string {
  const service = via.startsWith('service/') ? via.slice('service/'.length) : undefined;
  const other = via === 'host' ? `this machine (${source})` : `the device at ${source}`;
  const from = service === undefined ? other : `${service} (${source})`;
  return `the path from ${from} to ${address}:${port}`;
}

/** A few in full; thousands as a number. */
function listed(flows: readonly string[]): string {
  return flows.length > 3 ? `${flows.length} paths through the hub` : flows.join(' and ');
}
