import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GatewayError } from '../../core/errors.ts';
import { relayPlaces } from '../../relay/places.ts';
import { endRelay } from '../../relay/root/down.ts';
import { directoriesIn, pathsOf } from '../../system/directories.ts';
import { fileError } from '../../system/files.ts';
import { createLog } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import { createClient } from '../client.ts';
import { type Context, EXIT, type Input } from '../command.ts';
import { isAnswered } from '../find-socket.ts';
import { show } from '../report.ts';
import { demandRoot, isSystemd, openLedger, UNITS } from './install.ts';
import { layoutIn, type Layout } from './layout.ts';
import { exists, removeMade } from './steps.ts';
import { RELAY_UNIT } from './units.ts';
import { madeUsers, noteUsers, removeUsers } from './users.ts';

/** `gateway uninstall`: what was there before is there again; keys and state stay unless `--purge`. */
export async function uninstall(input: Input, context: Context): Promise<number> {
  const top = resolve(input.text('destdir') ?? '/');
  const isHere = top === '/';
  const isPurge = input.has('purge');
  if (isHere) demandRoot('uninstall');
  const layout = layoutIn(top);
  await demandInstalled(layout);
  const { manifest } = await openLedger(layout);
  const has = (unit: string): boolean => manifest.files.includes(join(layout.units, unit));
  if (isHere && UNITS.every(has)) await stop(context);
  if (isHere && has(RELAY_UNIT)) await stopRelay(context);
  await removeMade(layout, manifest);
  if (isHere && isSystemd())
    await run(['systemctl', 'daemon-reload'], { signal: context.signal, timeoutMs: 60_000 });
  const data = [directoriesIn(undefined).config, directoriesIn(undefined).state];
  const kept = isPurge ? [] : [...data, ...(await relayData())];
  if (isHere) await removeData(manifest.users, isPurge, context);
  await rm(layout.at(layout.prefix), { recursive: true, force: true });
  show(context, { removed: manifest.files, kept }, () =>
    isPurge
      ? 'Gateway is gone from this machine, with its keys and its state.'
      : `Gateway is gone from this machine. Kept, with the users that own them: ${kept.join(', ')}; gateway uninstall --purge would have removed them too.`,
  );
  return EXIT.ok;
}

/** Only where there was a relay. */
async function relayData(): Promise<string[]> {
  const { state } = relayPlaces(undefined).directories;
  return (await exists(state)) ? [state] : [];
}

async function demandInstalled(layout: Layout): Promise<void> {
  if (await exists(layout.at(layout.manifest))) return;
  throw new GatewayError(`no gateway is installed here: ${layout.at(layout.manifest)} does not exist`, {
    code: 'InvalidRequest',
    retry: 'never',
  });
}

/** Everything of ours leaves the machine first: namespaces, interfaces, tor. */
async function stop({ progress, signal }: Context): Promise<void> {
  const socket = pathsOf(directoriesIn(undefined)).apiSocket;
  if (await isAnswered(socket)) {
    progress('closing every way in');
    await createClient(socket).send<null>('POST', '/v1/down', undefined, progress, signal);
  }
  if (!isSystemd()) return;
  progress('stopping the units');
  await run(['systemctl', 'disable', '--now', ...UNITS.toReversed()], { signal, timeoutMs: 60_000 });
}

async function stopRelay({ progress, signal }: Context): Promise<void> {
  progress('ending the relay');
  await endRelay(undefined, createLog('relay-root', process.env['GATEWAY_LOG']));
  if (isSystemd()) await run(['systemctl', 'disable', '--now', RELAY_UNIT], { signal, timeoutMs: 60_000 });
}

async function removeData(made: readonly string[], isPurge: boolean, { signal }: Context): Promise<void> {
  const note = join(directoriesIn(undefined).state, 'made-users');
  const users = await madeUsers(made, note);
  await removeFolders(isPurge);
  if (isPurge) await removeUsers(users, signal);
  else await noteUsers(users, note);
}

async function removeFolders(isPurge: boolean): Promise<void> {
  const { config, state, run: runtime } = directoriesIn(undefined);
  try {
    const { directories: relay } = relayPlaces(undefined);
    const kept = [config, state, relay.state];
    for (const folder of [runtime, relay.run, ...(isPurge ? kept : [])]) {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw fileError('the folders of the gateway could not be removed', error);
  }
}
