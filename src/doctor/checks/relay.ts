import { parseEndpoint } from '../../core/inet.ts';
import type { RelayStatus } from '../../core/status.ts';
import type { Check, CheckContext, Finding } from '../check.ts';
import { text } from '../messages/message.ts';

/** The port of every rented machine that its owner gets in by. */
const SSH = 22;

/**
 *   the relay's port     | its port 22 | found
 *   ---------------------+-------------+------------------------------------------------
 *   answers              | –           | ok, or RELAY_FORGOT where it does not know us
 *   refuses              | –           | RELAY_STOPPED: the machine is there, no program
 *   silent               | answers     | RELAY_FIREWALL: the machine is there
 *   silent               | silent      | RELAY_AWAY
 */
export const relay: Check = {
  name: 'relay',
  title: 'relay.name',
  needs: ['gateway'],
  deadlineMs: 7800,
  run: async (context) => {
    const { world, signal, see } = context;
    const relays = await world.ask<RelayStatus[]>('/v1/relays', signal);
    if (relays.length === 0) return { text: text('relay.none') };
    const id = see('relays', 'api', relays);
    const bad = relays.filter(({ state }) => state !== 'up');
    const findings = await Promise.all(
      bad.map((one, index) => findingOf(one, [id, `connect-${index}`], context)),
    );
    const names = (bad.length === 0 ? relays : bad).map(({ name }) => name).join(', ');
    return { text: text(bad.length === 0 ? 'relay.up' : 'relay.off', { names }), findings };
  },
};

async function findingOf(
  { name, address, state, message }: RelayStatus,
  [evidence, word]: readonly [string, string],
  { world, signal, see }: CheckContext,
): Promise<Finding> {
  const values = { name, address, why: message };
  const again = { text: text('relay.fix.join'), command: 'gateway relay join --help', who: 'you' as const };
  if (state === 'refused') return { code: 'RELAY_FORGOT', values, because: [evidence], fix: [again] };
  const endpoint = parseEndpoint(address);
  const host = endpoint?.host ?? address;
  const port = endpoint?.port ?? 0;
  const [own, ssh] = await Promise.all([world.connect(host, port, signal), world.connect(host, SSH, signal)]);
  const because = [evidence, see(word, 'tcp-connect', { host, port, own, ssh })];
  const start = {
    text: text('relay.fix.start', { host }),
    command: 'systemctl status gateway-relay',
    who: 'you' as const,
  };
  if (own === 'refused') return { code: 'RELAY_STOPPED', values, because, fix: [start] };
  const isThere = ssh === 'open' || ssh === 'refused';
  const firewall = { text: text('relay.fix.firewall', { port, host }), who: 'you' as const };
  if (isThere)
    return { code: 'RELAY_FIREWALL', values: { ...values, port }, because, fix: [firewall, start] };
  const power = { text: text('relay.fix.power', { host }), who: 'you' as const };
  return { code: 'RELAY_AWAY', values, because, fix: [power, firewall] };
}
