import type { Exposure, Observed, Published } from '../../src/core/contract.ts';
import { certificateTrouble, text, type Facts } from '../../src/core/page-facts.ts';
import { type Options, type Spec, wayKey } from './spec.ts';

/** A visitor finds it: the relay carries it, the name leads there, and there is a certificate to show. */
export function published({ service }: Exposure<Options>, observed: readonly Observed<Spec>[]): Published {
  const found = observed.find(({ key }) => key === wayKey(service.name));
  if (found === undefined) {
    return {
      status: 'unknown',
      reason: 'WayMissing',
      message: 'there is no place for visitors by a relay yet',
    };
  }
  const { facts, spec } = found;
  const trouble = carryTrouble(facts);
  if (trouble !== undefined) return trouble;
  if (!('domain' in spec)) {
    return { status: 'yes', reason: 'PortCarried', message: 'the relay carries the port to this service' };
  }
  if (facts['name'] !== 'right') {
    const status = facts['name'] === 'wrong' ? 'no' : 'unknown';
    return { status, reason: text(facts, 'nameReason'), message: text(facts, 'nameMessage') };
  }
  const certificate = certificateTrouble(facts);
  if (certificate !== undefined) return certificate;
  const until = text(facts, 'notAfter').slice(0, 10);
  const blind = facts['blind'] === undefined ? '' : `; ${text(facts, 'blind')}`;
  const message = `${text(facts, 'nameMessage')}, and its certificate is good until ${until}${blind}`;
  return { status: 'yes', reason: 'NameAndCertificate', message };
}

/**
 * Why nothing comes in by the relay; `undefined` when nothing speaks against it.
 *
 *   HAProxy | relay    | tunnel | said
 *   --------+----------+--------+----------------------
 *   down    | any      | any    | it is being started
 *   shut    | any      | any    | why
 *   up      | refuses  | any    | why
 *   up      | not told | any    | it was not asked yet
 *   up      | grants   | silent | it does not answer
 */
export function carryTrouble(facts: Facts): Published | undefined {
  const no = (reason: string, message: string): Published => ({ status: 'no', reason, message });
  if (facts['running'] === false) return no('EdgeNotRunning', 'HAProxy is not running; it is being started');
  if (facts['shut'] !== undefined) return no('EdgePortTaken', text(facts, 'shut'));
  if (facts['granted'] === false) return no('RelayRefused', text(facts, 'refusal'));
  if (facts['granted'] === undefined)
    return no('RelayNotAsked', 'the relay did not say yet that it carries it');
  if (facts['tunnel'] !== 'up') return no('TunnelSilent', text(facts, 'silent'));
  return undefined;
}
