import { startLab, type Lab, type Topology } from '../../src/lab/index.ts';

/** A lab for the length of `body`: gone afterwards, whatever happened. */
export async function withLab<T>(
  topology: Topology | string,
  body: (lab: Lab, signal: AbortSignal) => Promise<T>,
  timeoutMs = 60_000,
): Promise<T> {
  const signal = AbortSignal.timeout(timeoutMs);
  await using lab = await startLab(topology, { signal });
  return await body(lab, signal);
}

/** What a program in a node printed, without the last newline. */
export async function outputOf(
  lab: Lab,
  node: string,
  command: readonly [string, ...string[]],
  signal: AbortSignal = AbortSignal.timeout(20_000),
): Promise<string> {
  return (await lab.node(node).run(command, { signal })).stdout.trimEnd();
}
