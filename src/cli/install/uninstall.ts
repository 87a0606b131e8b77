import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GatewayError } from '../../core/errors.ts';
import { directoriesIn, pathsOf } from '../../system/directories.ts';
import { fileError } from '../../system/files.ts';
import { run } from '../../system/run.ts';
import { createClient } from '../client.ts';
import { type Context, EXIT, type Input } from '../command.ts';
import { isAnswered } from '../find-socket.ts';
import { show } from '../report.ts';
import { demandRoot, isSystemd, openLedger, UNITS } from './install.ts';
import { layoutIn, type Layout } from './layout.ts';
import { exists, removeMade } from './steps.ts';
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
  if (isHere) await stop(context);
  await removeMade(layout, manifest);
  if (isHere && isSystemd())
    await run(['systemctl', 'daemon-reload'], { signal: context.signal, timeoutMs: 60_000 });
  const kept = isPurge ? [] : [directoriesIn(undefined).config, directoriesIn(undefined).state];
  if (isHere) await removeData(manifest.users, isPurge, context);
  await rm(layout.at(layout.prefix), { recursive: true, force: true });
  show(context, { removed: manifest.files, kept }, () =>
    isPurge
      ? 'Gateway is gone from this machine, with its keys and its state.'
      : `Gateway is gone from this machine. Kept, with the users that own them: ${kept.join(', ')}; gateway uninstall --purge would have removed them too.`,
  );
  return EXIT.ok;
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
    for (const folder of isPurge ? [config, state, runtime] : [runtime]) {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw fileError('the folders of the gateway could not be removed', error);
  }
}
