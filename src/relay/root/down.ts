import { GatewayError } from '../../core/errors.ts';
import type { Log } from '../../core/ports.ts';
import { lineClient } from '../lines.ts';
import { relayPlaces } from '../places.ts';
import { takeAway } from './applier.ts';
import { prepareRelay } from './main.ts';

/** Ends the relay that runs here and takes away what it made; also what one that was killed has left. */
export async function endRelay(state: string | undefined, log: Log): Promise<void> {
  const places = relayPlaces(state);
  const environment = await prepareRelay(places, log);
  if (await isTold(places.rootSocket)) return;
  await takeAway(places, environment, AbortSignal.timeout(60_000));
}

async function isTold(rootSocket: string): Promise<boolean> {
  try {
    const client = await lineClient(rootSocket, () => undefined);
    await client.ask({ ask: 'down' });
    client.close();
    return true;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'RelayUnreachable') return false;
    throw error;
  }
}
