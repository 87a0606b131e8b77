import type { PortsReport } from '../core/mapper.ts';
import { GatewayError } from '../core/errors.ts';
import { isOwners } from '../core/inet.ts';
import { text } from '../doctor/messages/message.ts';
import type { Say } from '../doctor/messages/say.ts';
import type { Report } from '../doctor/types.ts';
import { EXIT, type Context } from './command.ts';
import { show } from './report.ts';

const PATH = '/v1/ports/through';
/** What routers farther out can mend, where they do as they are asked. */
const MENDED = ['NAT_DOUBLE', 'PORT_OPENED_IN_VAIN'];

/**
 * `--fix`: has routers of this home that stand farther out open the same ports as the first. Boxes of the provider are not
 * asked: `gateway ports open --through --provider` is for that. Each change is a sentence; none where nothing can be done.
 */
export async function mend(report: Report, say: Say, context: Context): Promise<string[]> {
  const { progress, signal } = context;
  if (!report.findings.some(({ code }) => MENDED.includes(code))) return [];
  try {
    const client = await context.client(true);
    const { router: first } = await client.get<PortsReport>('/v1/ports', signal);
    const hops = await ownHops(context);
    if (first === null || hops.length === 0) return [];
    for (const { router } of hops) progress(say(text('mend.asking', { router })));
    const { mappings } = await client.send<PortsReport>('POST', PATH, { first, hops }, progress, signal);
    return mappings.flatMap(({ transport, port, through }) =>
      (through ?? []).map(({ router, state, externalAddress, externalPort }) => {
        const values = { port: `${transport.toUpperCase()} ${port}`, router: router ?? '?' };
        const outside = `${externalAddress ?? '?'}:${externalPort ?? '?'}`;
        return say(text(state === 'held' ? 'mend.opened' : 'mend.refused', { ...values, outside }));
      }),
    );
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return [say(text('mend.failed', { why: error.message }))];
  }
}

async function ownHops({ signal }: Context) {
  const { findHops } = await import('../system/hops.ts');
  const hops = await findHops(signal);
  const foreign = hops.findIndex(({ router }) => !isOwners(router));
  return foreign === -1 ? hops : hops.slice(0, foreign);
}

/** `--undo`: what `--fix` had opened is closed. */
export async function undo(say: Say, context: Context): Promise<number> {
  const { progress, signal } = context;
  const client = await context.client(true);
  const report = await client.send<PortsReport>('DELETE', PATH, undefined, progress, signal);
  show(context, report, () => say(text('mend.undone')));
  return EXIT.ok;
}
