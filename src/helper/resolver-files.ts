import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../core/errors.ts';
import { isPublicUnicast } from '../core/inet.ts';
import type { NamespaceSpec } from '../core/operations.ts';
import type { Network } from '../core/service.ts';
import { twinOf } from '../core/ula.ts';
import { fileError, removeFile } from '../system/files.ts';
import type { HelperEnvironment } from './environment.ts';
import { TOR_NAME_SERVER } from './rules.ts';

/** `ip netns exec` (used by `service run` alone) lays these files over those of /etc. */
const DIRECTORY = '/etc/netns';

type Way = NamespaceSpec['egress'];

/** Asked by services that leave directly where the machine itself only knows name servers that they cannot reach. */
const PUBLIC_NAME_SERVERS = ['9.9.9.9', '149.112.112.112'];

/** A service that reaches nothing asks nobody for names, so that no query can name it outside. */
async function filesFor(
  service: string,
  { address, egress, upstreams = [] }: NamespaceSpec,
  network: Network,
): Promise<Record<string, string>> {
  const known = [{ address, service }, ...upstreams];
  const hosts = egress === undefined ? 'files' : 'files dns';
  return {
    hosts: `127.0.0.1 localhost\n${known.flatMap((each) => hostLines(each, network)).join('')}`,
    'resolv.conf': `${RESOLV[egress ?? 'none']}${(await nameServersFor(egress)).map((server) => `nameserver ${server}\n`).join('')}`,
    'nsswitch.conf': `passwd: files\ngroup: files\nshadow: files\nhosts: ${hosts}\nservices: files\nprotocols: files\n`,
  };
}

/** IPv4 first: what is not in a namespace of the gateway, or listens on IPv4 alone, is found there. */
function hostLines(
  { address, service }: { readonly address: string; readonly service: string },
  network: Network,
): string[] {
  return [address, twinOf(network, address) ?? []].flat().map((each) => `${each} ${service}\n`);
}

const RESOLV = {
  none: '# A service of the gateway reaches nothing, so there is no name server.\n',
  tor: '# Names are resolved by tor, wherever they are asked for.\n',
  direct: '# Asked directly, not by a service of this machine.\n',
};

async function nameServersFor(egress: Way): Promise<readonly string[]> {
  if (egress === undefined) return [];
  if (egress === 'tor') return [TOR_NAME_SERVER];
  const upstream = (await Promise.all(RESOLV_FILES.map(publicServersIn))).find(
    (servers) => servers.length > 0,
  );
  return upstream ?? PUBLIC_NAME_SERVERS;
}

/** The first is systemd-resolved's list of upstream servers. */
const RESOLV_FILES = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'];

async function publicServersIn(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return '';
    throw fileError(`${file} could not be read`, error);
  });
  const servers = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '');
  return servers.filter(isPublicUnicast).slice(0, 3);
}

/** In a lab without root /etc is not ours; there the files are left out, and the walls of the namespace still stand. */
const NOT_OURS: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS']);

export async function writeResolverFiles(
  netns: string,
  service: string,
  spec: NamespaceSpec,
  network: Network,
  environment: HelperEnvironment,
): Promise<void> {
  const directory = join(DIRECTORY, netns);
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    for (const [file, content] of Object.entries(await filesFor(service, spec, network)))
      await writeFile(join(directory, file), content);
  } catch (error) {
    if (!NOT_OURS.has(errnoOf(error))) throw fileError(`${directory} could not be written`, error);
    environment.log('warn', 'no resolv.conf of its own for a namespace: /etc is not writable', { directory });
  }
}

export async function removeResolverFiles(netns: string, environment: HelperEnvironment): Promise<void> {
  const directory = join(DIRECTORY, netns);
  try {
    for (const file of ['hosts', 'resolv.conf', 'nsswitch.conf']) await removeFile(join(directory, file));
    await rmdir(directory);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    if (errno !== 'ENOTEMPTY' && !NOT_OURS.has(errno))
      throw fileError(`${directory} could not be removed`, error);
    environment.log('warn', 'a directory of a namespace stays', { directory, errno });
  }
}
