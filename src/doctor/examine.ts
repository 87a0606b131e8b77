import { GatewayError, messageOf } from '../core/errors.ts';
import type { Check, Checked } from './check.ts';
import { severityOf } from './findings.ts';
import { text, type Text } from './messages/message.ts';
import type { CheckReport, Evidence, Mode } from './types.ts';
import type { World } from './world.ts';

export interface Examining {
  readonly checks: readonly Check[];
  readonly world: World;
  readonly mode: Mode;
  readonly isOffline: boolean;
  readonly signal: AbortSignal;
  /** Called as each check ends. */
  readonly onDone: (done: Done) => void;
}

export interface Done {
  readonly check: Check;
  readonly state: CheckReport['state'];
  readonly text: Text;
  readonly durationMs: number;
  /** Absent when it was skipped, or did not end as it should. */
  readonly checked?: Checked;
  readonly evidence: readonly Evidence[];
}

/**
 * All checks at once, each with its own deadline. One that fails, hangs or breaks is unknown, and takes no other with it.
 * Rejects only when aborted. In the order of `checks`, whichever ended first.
 */
export async function examine(examining: Examining): Promise<readonly Done[]> {
  const done = await Promise.all(
    examining.checks.map(async (check) => {
      const one = await runOne(check, examining);
      examining.onDone(one);
      return one;
    }),
  );
  if (examining.signal.aborted) throw new GatewayError('interrupted', { code: 'Aborted', retry: 'never' });
  return done;
}

/** A quick examination takes no longer, whatever is broken. */
const QUICK_MS = 7900;

async function runOne(check: Check, examining: Examining): Promise<Done> {
  const { world, mode, isOffline } = examining;
  const begun = performance.now();
  const evidence: Evidence[] = [];
  const see = (word: string, method: string, raw: unknown): string => {
    const id = `${check.name}.${word}`;
    evidence.push({ id, method, at: new Date(world.now()).toISOString(), raw: jsonOf(raw) });
    return id;
  };
  const end = (state: Done['state'], said: Text, checked?: Checked): Done => ({
    check,
    state,
    text: said,
    durationMs: Math.round(performance.now() - begun),
    ...(checked === undefined ? {} : { checked }),
    evidence,
  });
  const isQuick = mode === 'quick' && check.isOnlyByName !== true;
  const deadlineMs = isQuick ? Math.min(check.deadlineMs, QUICK_MS) : check.deadlineMs;
  const deadline = AbortSignal.timeout(deadlineMs);
  // What a check no longer waits for ends with it.
  const over = new AbortController();
  const signal = AbortSignal.any([examining.signal, deadline, over.signal]);
  try {
    const lacking = await lackingFor(check, examining);
    if (lacking !== undefined) return end('skipped', lacking);
    const checked = await orAborted(check.run({ world, mode, isOffline, signal, see }), signal);
    return end(stateOf(checked), checked.text, checked);
  } catch (error) {
    if (deadline.aborted)
      return end('unknown', text('check.late', { seconds: Math.round(deadlineMs / 1000) }));
    return end('unknown', text('check.failed', { why: messageOf(error) }));
  } finally {
    over.abort();
  }
}

/** A check that listens to no signal must not hold up the others. */
function orAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void =>
    reject(new GatewayError('a check was cut short', { code: 'Aborted', retry: 'never' }));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}

async function lackingFor({ needs }: Check, { world, isOffline }: Examining): Promise<Text | undefined> {
  if (needs.includes('outside') && isOffline) return text('check.offline');
  if (!needs.includes('gateway')) return undefined;
  const gateway = await world.gateway();
  return gateway.state === 'running' ? undefined : text(`check.gateway-${gateway.state}`);
}

/** That of the worst finding. */
function stateOf({ findings = [], isUnknown }: Checked): Done['state'] {
  const severities = new Set(findings.map((finding) => finding.severity ?? severityOf(finding.code)));
  const worst = (['error', 'warning', 'note'] as const).find((severity) => severities.has(severity));
  return worst ?? (isUnknown === true ? 'unknown' : 'ok');
}

function jsonOf(raw: unknown): Evidence['raw'] {
  return JSON.parse(JSON.stringify(raw ?? null)) as Evidence['raw'];
}
