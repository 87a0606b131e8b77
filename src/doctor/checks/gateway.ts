import type { Status, Way } from '../../core/status.ts';
import type { Check, Checked, Finding, Step, WayName } from '../check.ts';
import type { FindingCode } from '../findings.ts';
import { text } from '../messages/message.ts';
import type { Answer } from '../types.ts';
import type { GatewayState } from '../world.ts';

/** What the gateway itself knows: whether it runs, and whether each way in was proved from outside. */
export const gateway: Check = {
  name: 'gateway',
  title: 'gateway.name',
  needs: [],
  deadlineMs: 7500,
  run: async ({ world, see }) => {
    const state = await world.gateway();
    if (state.state !== 'running') return notRunning(state, see('state', 'api', state));
    const { status } = state;
    const id = see('status', 'api', status);
    const findings = [
      ...wayFindings(status, id),
      ...silentFindings(status, id),
      ...noticeFindings(status, id),
      ...downFinding(status, id),
    ];
    return { text: lineOf(status), findings, reachable: reachableOf(status) };
  },
};

function notRunning({ state, why }: Exclude<GatewayState, { state: 'running' }>, evidence: string): Checked {
  if (state === 'none') return { text: text('gateway.none') };
  if (state === 'denied') return { text: text('gateway.denied'), isUnknown: true };
  const start: Step = { text: text('gateway.fix.start'), command: 'sudo gateway up', who: 'you' };
  const log: Step = {
    text: text('gateway.fix.log'),
    command: 'journalctl -u gateway -u gateway-helper -n 50',
    who: 'you',
  };
  return {
    text: text('gateway.stopped'),
    findings: [{ code: 'GATEWAY_STOPPED', values: { why }, because: [evidence], fix: [start, log] }],
  };
}

/** Onions are a way of their own name, whatever the provider is called. */
const WAYS: Readonly<Record<string, { readonly name: WayName; readonly code: FindingCode }>> = {
  clearnet: { name: 'clearnet', code: 'WAY_CLEARNET' },
  wireguard: { name: 'wireguard', code: 'WAY_WIREGUARD' },
  tor: { name: 'onion', code: 'WAY_ONION' },
  relay: { name: 'relay', code: 'WAY_RELAY' },
};

interface Found {
  readonly service: string;
  readonly way: Way;
}

function waysOf({ services }: Status): readonly Found[] {
  return services.flatMap(({ name, ways }) => ways.map((way) => ({ service: name, way })));
}

function isOff({ way }: Found): boolean {
  return way.reachable === 'no' || way.phase === 'rejected' || way.phase === 'down';
}

/**
 *   ways of one kind                 | answer
 *   ---------------------------------+-----------
 *   all proved                       | yes
 *   none works                       | no
 *   some work, some do not           | degraded
 *   anything else: not proved yet    | unknown
 */
function answerOf(found: readonly Found[]): Answer {
  const off = found.filter(isOff).length;
  if (off === found.length) return 'no';
  if (off > 0) return 'degraded';
  return found.every(({ way }) => way.reachable === 'yes') ? 'yes' : 'unknown';
}

function reachableOf(status: Status): Partial<Record<WayName, Answer>> {
  if (status.isDown) return {};
  const all = waysOf(status);
  return Object.fromEntries(
    Object.entries(WAYS).flatMap(([provider, { name }]) => {
      const found = all.filter(({ way }) => way.provider === provider);
      return found.length === 0 ? [] : [[name, answerOf(found)] as const];
    }),
  );
}

function wayFindings(status: Status, evidence: string): Finding[] {
  if (status.isDown) return [];
  return Object.entries(WAYS).flatMap(([provider, { code }]) => {
    const off = waysOf(status).filter((found) => found.way.provider === provider && isOff(found));
    if (off.length === 0) return [];
    const names = off.map(({ service }) => service).join(', ');
    const why = off.map(({ service, way }) => `${service}: ${whyOf(way)}`).join('; ');
    return [
      {
        code,
        values: { names, why },
        because: [evidence],
        fix: [{ text: text('gateway.fix.look'), command: 'gateway status', who: 'you' }],
      },
    ];
  });
}

/** The condition that is worst says why. */
function whyOf({ conditions }: Way): string {
  const open = conditions.filter(({ status, message }) => status !== 'yes' && message !== '');
  return (open.find(({ status }) => status === 'no') ?? open[0])?.message ?? 'no';
}

function silentFindings({ services }: Status, evidence: string): Finding[] {
  const silent = services.filter(({ listening }) => listening.status === 'no');
  if (silent.length === 0) return [];
  const names = silent.map(({ name }) => name).join(', ');
  const why = silent.map(({ name, listening }) => `${name}: ${listening.message}`).join('; ');
  return [
    {
      code: 'SERVICE_SILENT',
      values: { names, why },
      because: [evidence],
      fix: [{ text: text('gateway.fix.service', { names }), who: 'you' }],
    },
  ];
}

function noticeFindings({ notices, fileDiffers }: Status, evidence: string): Finding[] {
  const differs: Finding[] = fileDiffers
    ? [
        {
          code: 'GATEWAY_FILE_DIFFERS',
          values: {},
          because: [evidence],
          fix: [
            { text: text('gateway.fix.plan'), command: 'gateway plan', who: 'you' },
            { text: text('gateway.fix.apply'), command: 'gateway up', who: 'you' },
          ],
        },
      ]
    : [];
  if (notices.length === 0) return differs;
  return [
    {
      code: 'GATEWAY_NOTICE',
      values: { notices: notices.join('; ') },
      because: [evidence],
      fix: [{ text: text('gateway.fix.look'), command: 'gateway status', who: 'you' }],
    },
    ...differs,
  ];
}

function downFinding({ isDown }: Status, evidence: string): Finding[] {
  if (!isDown) return [];
  const up: Step = { text: text('gateway.fix.up'), command: 'gateway up', who: 'you' };
  return [{ code: 'GATEWAY_DOWN', values: {}, because: [evidence], fix: [up] }];
}

function lineOf(status: Status) {
  if (status.isDown) return text('gateway.down');
  const ways = waysOf(status);
  if (ways.length === 0) return text('gateway.no-ways');
  const proved = ways.filter(({ way }) => way.reachable === 'yes').length;
  return text('gateway.ways', { proved, count: ways.length });
}
