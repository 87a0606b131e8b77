import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../src/lab/index.ts';
import type { RelayUp } from '../../src/relay/main.ts';
import type { Owner } from './owner.ts';

/** A relay on the node `vps`, which dials back from its second address; the gateway at `owner`'s joins it. */
export async function joinProbeRelay(
  lab: Lab,
  owner: Owner,
  addresses: readonly [string, string],
  signal: AbortSignal,
): Promise<void> {
  const vps = lab.node('vps');
  const logFile = join(vps.directory, 'relay.log');
  const listen = addresses.flatMap((address) => ['--listen', `${address}:7443`]);
  const state = ['--state', join(vps.directory, 'relay')];
  await vps.run(['mkdir', '-p', join(vps.directory, 'relay')], { signal });
  const up = ['/opt/gateway/bin/gateway', '--json', 'relay', 'up', '--probe-only'] as const;
  await vps.detach([...up, ...listen, ...state], { logFile });
  const until = AbortSignal.any([signal, AbortSignal.timeout(30_000)]);
  let line: string | undefined;
  while (line === undefined) {
    await sleep(50, undefined, { signal: until });
    const lines = (await readFile(logFile, 'utf8')).split('\n');
    line = lines.find((each) => /^\{"listening".*"invite":"gateway-relay:.*\}$/.test(each));
  }
  const { invite } = JSON.parse(line) as RelayUp;
  const joined = await owner.type('relay', 'join', invite ?? '', '--name', 'vps');
  if (joined.exitCode !== 0) throw new Error(joined.stderr);
}
