import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { OnionSpec } from '../core/operations.ts';
import { encodeBase32 } from '../wire/onion.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { putNobody } from './onion-clients.ts';
import { countConnections } from './proc-net.ts';
import { askTor, giveTor } from './tor-control.ts';
import { inTorDirectory, ofInstance, type TorDirectory } from './tor-directory.ts';
import { giveWithout, letSettle } from './tor-give.ts';
import { readTorrc, readTorrcText } from './torrc-file.ts';

/**
 * Makes the running tor upload the descriptors of one onion again. There is no command for it, so something in them must
 * change:
 *
 *   onion             | what changes                               | who is disturbed
 *   asks for keys     | the key of nobody among those of its devices | nobody
 *   lets everybody in | new introduction points                    | whoever is connected: so not while somebody is
 */
export const announceOnion: Handler<'tor.announce'> = ({ instance, service }, whole, signal) => {
  const environment = ofInstance(whole, instance);
  return inTorDirectory(environment, async (directory) => ({
    isAnnounced: await announce(service, directory, environment, signal),
  }));
};

async function announce(
  service: string,
  directory: TorDirectory,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<boolean> {
  const torrc = await readTorrc(directory, environment);
  const spec = torrc?.asked.onions.find((onion) => onion.service === service);
  if (torrc === undefined || spec === undefined || !isServed(spec, torrc.left)) return false;
  // What it has not loaded yet makes it announce anyway, when it is loaded.
  if ((await askTor(environment, signal)).loadedHash !== torrc.hash) return false;
  if (spec.authorization !== undefined) {
    const nobody = encodeBase32(randomBytes(32)).toUpperCase();
    await putNobody(join(directory.onions, service), nobody, environment.tor);
  } else {
    if (countConnections(environment.tor.uid, spec.target) > 0) return false;
    await giveWithout(torrc, [service], environment, signal);
  }
  await giveTor(environment, (await readTorrcText(directory)) ?? '', signal);
  await letSettle(torrc, signal);
  return true;
}

function isServed({ service }: OnionSpec, left: readonly { readonly service: string }[]): boolean {
  return left.every((one) => one.service !== service);
}
