import { z } from 'zod';
import { GatewayError } from '../../core/errors.ts';
import { run } from '../run.ts';

/** Nobody has it (TEST-NET-1, RFC 5737): the question is only which way it would go. */
const OUTWARDS = '192.0.2.1';
/** A process is started for it: not with every look at the network. */
const FRESH_MS = 30_000;
const TIMEOUT_MS = 5000;
const Routes = z.array(z.object({ gateway: z.ipv4().optional() }));

/** Where routing policy has the default route in another table than the main one, as UniFi does, only `ip` can tell it. */
export class PolicyRoute {
  #said: { readonly at: number; readonly gateway: Promise<string | undefined> } | undefined;

  gateway(now: number): Promise<string | undefined> {
    if (this.#said === undefined || now - this.#said.at > FRESH_MS) this.#said = { at: now, gateway: ask() };
    return this.#said.gateway;
  }
}

/** `undefined`: there is none, or no `ip` that could say. */
async function ask(): Promise<string | undefined> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const { stdout } = await run(['ip', '-j', '-4', 'route', 'get', OUTWARDS], { signal, accept: [0, 1, 2] });
    return parseRoute(stdout);
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

function parseRoute(text: string): string | undefined {
  const json = text.trim();
  if (!json.startsWith('[')) return undefined;
  const parsed = Routes.safeParse(JSON.parse(json));
  return parsed.success ? parsed.data[0]?.gateway : undefined;
}
