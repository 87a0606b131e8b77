import type { Context } from '../../core/contract.ts';

/**
 * The port of this machine that a mapping must lead to, by the one that was asked for: where another program has a port
 * of web names, the edge takes their visitors at another.
 */
export async function movedPorts({ ports, signal }: Context): Promise<ReadonlyMap<number, number>> {
  const { edge, listen } = await ports.helper.call('edge.observe', {}, signal);
  if (edge?.listen === undefined || listen === undefined) return new Map();
  const pairs = [
    [edge.listen.https, listen.https],
    [edge.listen.http, listen.http],
  ] as const;
  return new Map(pairs.filter(([asked, real]) => asked !== real));
}
