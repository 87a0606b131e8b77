import type { Condition, Way } from '../../core/status.ts';
import { isOlder, MINIMUM_VERSION, parseTorVersion } from '../../wire/torversion.ts';
import type { Check, CheckContext, Checked, Finding } from '../check.ts';
import { text } from '../messages/message.ts';
import type { World } from '../world.ts';

/** Longer than it takes on a slow line. */
const STUCK_MS = 180_000;

/**
 *   an onion service is configured | tor                              | found
 *   -------------------------------+----------------------------------+--------------
 *   yes                            | not on this machine              | TOR_MISSING
 *   either                         | older than is safe               | TOR_OLD
 *   yes                            | not connected for three minutes  | TOR_STUCK
 *   no                             | not on this machine              | ok, said so
 */
export const tor: Check = {
  name: 'tor',
  title: 'tor.name',
  needs: [],
  deadlineMs: 7000,
  run: async (context) => {
    const { world, signal, see } = context;
    const [shown, ways] = await Promise.all([world.program(['tor', '--version'], signal), onionsIn(world)]);
    const version = parseTorVersion(shown?.stdout ?? '');
    const starting = ways.flatMap(({ conditions }) =>
      conditions.filter(({ reason }) => reason === 'Bootstrapping'),
    );
    const id = see('tor', 'tor', { version: version?.text ?? null, starting });
    if (shown === undefined) return missing(ways.length > 0, id);
    const minimum = parseTorVersion(MINIMUM_VERSION);
    const isOld = version !== undefined && minimum !== undefined && isOlder(version, minimum);
    const old = isOld ? [oldFinding(version.text, id)] : [];
    const [first] = starting;
    if (first === undefined)
      return { text: text('tor.installed', { version: version?.text ?? '?' }), findings: old };
    return startingOf(first, old, id, context);
  },
};

async function onionsIn(world: World): Promise<readonly Way[]> {
  const gateway = await world.gateway();
  if (gateway.state !== 'running' || gateway.status.isDown) return [];
  return gateway.status.services.flatMap(({ ways }) => ways.filter(({ provider }) => provider === 'tor'));
}

const INSTALL = 'sudo apt-get install --no-install-recommends tor';

function missing(isNeeded: boolean, evidence: string): Checked {
  if (!isNeeded) return { text: text('tor.absent') };
  const fix = [{ text: text('tor.fix.install'), command: INSTALL, who: 'you' as const }];
  return {
    text: text('tor.absent'),
    findings: [{ code: 'TOR_MISSING', values: {}, because: [evidence], fix }],
  };
}

function oldFinding(version: string, evidence: string): Finding {
  return {
    code: 'TOR_OLD',
    values: { version, minimum: MINIMUM_VERSION },
    because: [evidence],
    fix: [
      { text: text('tor.fix.update'), command: INSTALL, who: 'you' },
      { text: text('tor.fix.restart'), command: 'gateway down && gateway up', who: 'you' },
    ],
  };
}

function startingOf(
  { since, message }: Condition,
  found: readonly Finding[],
  evidence: string,
  { world }: CheckContext,
): Checked {
  const said = text('tor.starting', { message });
  if (world.now() - Date.parse(since) < STUCK_MS) return { text: said, isUnknown: true, findings: found };
  const stuck: Finding = {
    code: 'TOR_STUCK',
    values: { message },
    because: [evidence],
    fix: [
      { text: text('tor.fix.clock'), command: 'gateway doctor clock', who: 'you' },
      { text: text('tor.fix.bridges'), who: 'you' },
    ],
  };
  return { text: said, findings: [...found, stuck] };
}
