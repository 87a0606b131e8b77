import { GatewayError } from '../core/errors.ts';
import { inNetns, type Family, type Netns } from './netns.ts';
import { run, type Argv } from './run.ts';

/** Questions to `ip` in one namespace and family that came at the same moment. */
interface Group {
  readonly lines: string[];
  readonly signals: AbortSignal[];
  readonly answer: Promise<unknown[][]>;
}

const waiting = new Map<string, Group>();

/**
 * Several `ip -json … show` commands in one process; one array each, in order. Starting a program costs more than what it
 * tells, so those who ask at the same moment share one.
 */
export async function ipShow(
  netns: Netns,
  lines: readonly string[],
  signal: AbortSignal,
  family?: Family,
): Promise<unknown[][]> {
  const key = `${netns ?? ''} ${family ?? ''}`;
  const group = waiting.get(key) ?? open(key, netns, family);
  const first = group.lines.push(...lines) - lines.length;
  group.signals.push(signal);
  try {
    return (await group.answer).slice(first, first + lines.length);
  } catch (error) {
    // One of them may be what `ip` refused, or may have been cancelled; then each is asked by itself.
    if (!(error instanceof GatewayError) || group.signals.length === 1) throw error;
    return ask(netns, lines, signal, family);
  }
}

function open(key: string, netns: Netns, family: Family | undefined): Group {
  const lines: string[] = [];
  const signals: AbortSignal[] = [];
  const answer = new Promise<void>((resolve) => void setImmediate(resolve)).then(() => {
    waiting.delete(key);
    return ask(netns, lines, AbortSignal.any(signals), family);
  });
  const group = { lines, signals, answer };
  waiting.set(key, group);
  return group;
}

async function ask(
  netns: Netns,
  lines: readonly string[],
  signal: AbortSignal,
  family: Family | undefined,
): Promise<unknown[][]> {
  const input = `${lines.join('\n')}\n`;
  const argv: Argv = ['ip', ...(family === undefined ? [] : [family]), '-json', '-batch', '-'];
  const { stdout } = await run(inNetns(netns, argv), { signal, input });
  const arrays = stdout.split('\n').filter((line) => line.trim() !== '');
  return arrays.map((line) => {
    const parsed: unknown = JSON.parse(line);
    return Array.isArray(parsed) ? parsed : [];
  });
}
