import { TOR_INSTANCES } from '../core/tor-instance.ts';
import type { Handler, HelperEnvironment } from './environment.ts';
import { forgetDrains, noteDrain } from './onion-drain.ts';
import { hasTorDirectory, inTorDirectory, ofInstance, type TorDirectory } from './tor-directory.ts';

export const drainOnion: Handler<'tor.drain'> = async ({ service }, whole) => {
  const noted = await inEach(whole, (directory) => noteDrain(directory, service));
  return { isDraining: noted.includes(true) };
};

export const cutOnions: Handler<'tor.cut'> = async ({ service }, whole) => {
  await forgetEverywhere(whole, service);
  return {};
};

export async function forgetEverywhere(whole: HelperEnvironment, service?: string): Promise<void> {
  await inEach(whole, (directory) => forgetDrains(directory, service));
}

async function inEach<Result>(
  whole: HelperEnvironment,
  work: (directory: TorDirectory) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const instance of TOR_INSTANCES) {
    const environment = ofInstance(whole, instance);
    if (await hasTorDirectory(environment)) results.push(await inTorDirectory(environment, work));
  }
  return results;
}
