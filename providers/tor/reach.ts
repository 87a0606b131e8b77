import type { Context, Exposure, Observed, Reach } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { TorPort } from '../../src/core/ports.ts';
import type { TorInstance } from '../../src/core/tor-instance.ts';
import { asksForKey } from './authorization.ts';
import { stateOf } from './state.ts';
import { introduce } from './visitor.ts';
import { isWeb, virtualPortOf, visitorOf, type Options, type Spec } from './spec.ts';

/** A visitor who waits longer has left. */
const PATIENCE_MS = 45_000;

/**
 * A visit through the Tor network, on a circuit of its own: `yes` when the service accepted the stream. When our own
 * tor could not have checked, that says nothing about the service.
 */
export async function reach(
  exposure: Exposure<Options>,
  observed: readonly Observed<Spec>[],
  context: Context,
): Promise<Reach> {
  const { hostname, published, isVisitable } = stateOf(exposure, observed);
  if (hostname === undefined || !isVisitable) return unknown(published.message);
  const { ports, signal } = context;
  // By the process that serves it, where that can: no other learns of it.
  const instance = visitorOf(exposure);
  const barrier = asksForKey(exposure) ? await barredFrom(hostname, instance, context) : undefined;
  if (barrier !== undefined) return unknown(barrier);
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const tookMs = await visit(exposure, hostname, ports.tor[instance], patience);
    return {
      reachable: 'yes',
      vantage: 'tor',
      provedAt: new Date(ports.now()).toISOString(),
      detail: `visited through the Tor network, accepted after ${(tookMs / 1000).toFixed(1)} s`,
    };
  } catch (error) {
    if (!(error instanceof GatewayError) || (signal.aborted && error.code === 'Aborted')) throw error;
    return missed(error, exposure, published.status === 'yes', context);
  }
}

/** HAProxy accepts in place of a page, and answers in its place when it is gone: then that page was not visited. */
async function visit(
  { service }: Exposure,
  hostname: string,
  tor: TorPort,
  signal: AbortSignal,
): Promise<number> {
  const port = virtualPortOf(service);
  if (!isWeb(service)) return tor.visit(hostname, port, signal);
  const { status, tookMs } = await tor.visitPage(hostname, port, signal);
  if (![502, 503, 504].includes(status)) return tookMs;
  throw new GatewayError(`${hostname} answers with HTTP ${status}`, { code: 'ConnectionRefused' });
}

/** Why our own visitor cannot show its key, as a sentence: then a visit would say nothing. */
async function barredFrom(
  hostname: string,
  instance: TorInstance,
  context: Context,
): Promise<string | undefined> {
  try {
    await introduce(hostname, instance, context);
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError) || (context.signal.aborted && error.code === 'Aborted')) throw error;
    return `it asks for a key, and the gateway's own could not be used: ${error.message}`;
  }
}

async function missed(
  error: GatewayError,
  exposure: Exposure,
  wasUploaded: boolean,
  context: Context,
): Promise<Reach> {
  const { service } = exposure;
  if (error.code === 'ConnectionRefused') {
    const { host, port } = service.dial;
    return no(`the onion service is up, but ${service.name} does not accept connections at ${host}:${port}`);
  }
  if (error.code === 'Timeout') return no(error.message);
  if (error.code !== 'Unreachable') return unknown(`our own tor could not check: ${error.message}`);
  await forgetFailure(visitorOf(exposure), context);
  return wasUploaded
    ? no(error.message)
    : unknown(`${error.message}; its descriptor may not be uploaded yet`);
}

/** tor asks the directories that had no descriptor again only after 15 minutes, unless it is told to begin anew. */
async function forgetFailure(instance: TorInstance, { ports, signal }: Context): Promise<void> {
  try {
    await ports.tor[instance].command('SIGNAL NEWNYM', signal);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    ports.log('warn', 'tor could not be told to forget a failed visit', { error: error.message });
  }
}

function no(detail: string): Reach {
  return { reachable: 'no', vantage: 'tor', detail };
}

function unknown(detail: string): Reach {
  return { reachable: 'unknown', vantage: 'none', detail };
}
