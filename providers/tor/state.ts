import type { Exposure, Fact, Observed, Published } from '../../src/core/contract.ts';
import type { TorInstance } from '../../src/core/tor-instance.ts';
import { instanceOf, onionKey, processKey, visitorOf, type Spec } from './spec.ts';

/** The facts about one onion and the process, as one answer. */
export interface OnionState {
  /** `<56 characters>.onion`; `undefined` before it exists. */
  readonly hostname: string | undefined;
  readonly published: Published;
  /** tor runs and is connected to the Tor network: a visit would prove something. */
  readonly isVisitable: boolean;
}

export function stateOf(exposure: Exposure, observed: readonly Observed<Spec>[]): OnionState {
  const { service } = exposure;
  const instance = instanceOf(exposure);
  const onion = observed.find(({ key }) => key === onionKey(service.name, instance));
  const processOf = (which: TorInstance) => observed.find(({ key }) => key === processKey(which))?.facts;
  const process = processOf(instance);
  const visitor = processOf(visitorOf(exposure));
  const address = onion?.facts['address'];
  const hostname = typeof address === 'string' && address !== '' ? address : undefined;
  const published = keyProblem(onion?.facts) ?? torProblem(process) ?? announced(onion?.facts);
  const isVisitable = torProblem(process) === undefined && torProblem(visitor) === undefined;
  return { hostname, published, isVisitable };
}

type Facts = Readonly<Record<string, Fact>> | undefined;

function keyProblem(facts: Facts): Published | undefined {
  const trouble = facts?.['trouble'];
  if (trouble === undefined) return undefined;
  return { status: 'no', reason: String(trouble), message: String(facts?.['why'] ?? '') };
}

function torProblem(facts: Facts): Published | undefined {
  if (facts?.['silence'] !== undefined) {
    const message = `${facts['silence']}${noticeOf(facts)}`;
    return { status: 'unknown', reason: 'TorSilent', message };
  }
  if (facts?.['running'] !== true) {
    const trouble = facts?.['trouble'] === undefined ? '' : `: ${facts['trouble']}`;
    const message = `tor is not running${trouble}${noticeOf(facts)}`;
    return { status: 'no', reason: 'TorNotRunning', message };
  }
  const percent = Number(facts['bootstrap'] ?? 0);
  if (percent >= 100) return undefined;
  const why = facts['warning'] === undefined ? '' : ` (${facts['warning']})`;
  return {
    status: 'no',
    reason: 'Bootstrapping',
    message: `tor is bootstrapping, ${percent} %: ${facts['summary'] ?? ''}${why}${noticeOf(facts)}`,
  };
}

/** A tor that is too old is the likeliest cause of whatever is wrong with it. */
function noticeOf(facts: Facts): string {
  return facts?.['notice'] === undefined ? '' : `; ${facts['notice']}`;
}

function announced(onion: Facts): Published {
  if (onion === undefined) {
    return { status: 'no', reason: 'OnionMissing', message: 'the onion service was not made yet' };
  }
  const { uploaded, upload = 'DescriptorUploaded', progress = 'its descriptor was uploaded' } = onion;
  const status = uploaded === 'yes' || uploaded === 'no' ? uploaded : 'unknown';
  return { status, reason: String(upload), message: String(progress) };
}
