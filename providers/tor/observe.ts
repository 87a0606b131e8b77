import type { Context, Fact, Observed } from '../../src/core/contract.ts';
import type { DescriptorUploads } from '../../src/core/descriptor.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { OperationResult } from '../../src/core/operations.ts';
import { keyValues, parseBootstrap } from '../../src/wire/torcontrol.ts';
import { parseTorVersion } from '../../src/wire/torversion.ts';
import { TOR_INSTANCES, type TorInstance } from '../../src/core/tor-instance.ts';
import { judgeUploads } from './announcing.ts';
import { deriveOnionKey } from './key.ts';
import { keyName, onionKey, processKey, type Spec } from './spec.ts';
import { versionNotice } from './version.ts';

type Seen = OperationResult<'tor.observe'>;
type SeenOnion = Seen['onions'][number];

export async function observe(context: Context): Promise<Observed<Spec>[]> {
  const observed = await Promise.all(TOR_INSTANCES.map((instance) => observeInstance(instance, context)));
  return observed.flat();
}

async function observeInstance(instance: TorInstance, context: Context): Promise<Observed<Spec>[]> {
  const seen = await context.ports.helper.call('tor.observe', { instance }, context.signal);
  const process = await observeProcess(seen, instance, context);
  // Before that an upload that is late says nothing.
  const isConnected = process.some(({ facts }) => Number(facts['bootstrap'] ?? 0) >= 100);
  const onions = await Promise.all(
    seen.onions.map((onion) => observeOnion(onion, instance, isConnected, context)),
  );
  return [...onions, ...process];
}

async function observeOnion(
  onion: SeenOnion,
  instance: TorInstance,
  isConnected: boolean,
  { ports }: Context,
): Promise<Observed<Spec>> {
  const { hostname, damaged: _, visitor: _own, ...spec } = onion;
  const { service } = spec;
  const key = await judgeKey(onion, ports);
  const trouble = key.trouble ?? filesTrouble(onion);
  const address = (key.hostname ?? hostname).replace(/\.onion$/, '');
  const { published, again } = judgeUploads(
    uploadsOf(address, instance, ports),
    spec.authorization !== undefined,
  );
  const late = isConnected ? again : undefined;
  const renew = trouble?.message ?? late;
  return {
    key: onionKey(service, instance),
    spec: { type: 'onion', instance, ...spec },
    facts: {
      // A damaged file is not believed.
      address: key.hostname ?? (onion.damaged === undefined ? hostname : ''),
      uploaded: published.status,
      ...(published.status === 'yes' ? {} : { upload: published.reason, progress: published.message }),
      ...(late === undefined ? {} : { late: true }),
      ...(trouble === undefined ? {} : { trouble: trouble.code, why: trouble.message }),
    },
    ...(renew === undefined ? {} : { renew }),
  };
}

/** Whoever visited it had its descriptor, and one that does not hide is visited by another process. */
function uploadsOf(address: string, instance: TorInstance, { tor }: Context['ports']): DescriptorUploads {
  const uploads = tor[instance].uploads(address);
  return { ...uploads, wasVisited: uploads.wasVisited || tor.tor.uploads(address).wasVisited };
}

interface Trouble {
  readonly code: string;
  readonly message: string;
}

/** The master key in `keys/` is what counts; the files that tor reads are made from it. */
async function judgeKey(
  onion: SeenOnion,
  ports: Context['ports'],
): Promise<{ readonly trouble?: Trouble; readonly hostname?: string }> {
  try {
    const secret = await ports.keys.read(keyName(onion.service), 'ed25519-expanded');
    if (secret === undefined) {
      const message = `key ${keyName(onion.service)} of ${onion.hostname} is gone`;
      return { trouble: { code: 'KeyMissing', message } };
    }
    const { hostname } = deriveOnionKey(secret, ports.crypto);
    if (onion.damaged !== undefined) return { hostname };
    if (hostname === onion.hostname) return {};
    const message = `key ${keyName(onion.service)} gives another address`;
    return { trouble: { code: 'KeyChanged', message } };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return { trouble: { code: error.code, message: error.message } };
  }
}

function filesTrouble({ service, damaged }: SeenOnion): Trouble | undefined {
  if (damaged === undefined) return undefined;
  return { code: 'FilesDamaged', message: `the files that tor reads for ${service}: ${damaged}` };
}

async function observeProcess(
  seen: Seen,
  instance: TorInstance,
  context: Context,
): Promise<Observed<Spec>[]> {
  if (seen.torrcHash === undefined && !seen.running) return [];
  const renew = renewalOf(seen);
  const told = seen.running ? await ask(instance, context) : {};
  const notice = noticeOf(seen, told);
  return [
    {
      key: processKey(instance),
      spec: { type: 'process', instance, torrc: seen.torrc },
      facts: {
        running: seen.running,
        ...troubleOf(seen),
        ...told,
        ...(notice === undefined ? {} : { notice }),
      },
      ...(renew === undefined ? {} : { renew }),
    },
  ];
}

/** One that lives and is silent may only be slow: nothing is known of it. */
function troubleOf({ trouble, silentForMs }: Seen): Record<string, Fact> {
  if (trouble === undefined) return {};
  return silentForMs === undefined ? { trouble } : { silence: `tor does not answer: ${trouble}` };
}

function renewalOf(seen: Seen): string | undefined {
  if (!seen.running) return seen.silentForMs === undefined ? 'tor is not running' : 'tor does not answer';
  if (seen.loadedHash !== seen.torrcHash) return 'tor has not loaded its torrc';
  // Its own change comes before this one in the same pass: then it is whole, and tor loads it.
  const [left] = seen.left;
  return left === undefined ? undefined : `the onion service of ${left.service} was left out: ${left.reason}`;
}

function noticeOf(seen: Seen, told: Readonly<Record<string, Fact>>): string | undefined {
  const { version, opinion } = told;
  return versionNotice({
    installed: seen.installed,
    running: version === undefined ? undefined : String(version),
    opinion: opinion === undefined ? undefined : String(opinion),
  });
}

const QUESTION = 'GETINFO status/bootstrap-phase status/circuit-established version status/version/current';

/** What tor says about itself. That it says nothing is no reason to touch anything: it is only not known. */
async function ask(instance: TorInstance, { ports, signal }: Context): Promise<Record<string, Fact>> {
  try {
    const values = keyValues(await ports.tor[instance].command(QUESTION, signal));
    const { percent, summary, warning } = parseBootstrap(values.get('status/bootstrap-phase') ?? '');
    return {
      bootstrap: percent,
      summary,
      ...(warning === undefined ? {} : { warning }),
      circuits: values.get('status/circuit-established') === '1',
      version: parseTorVersion(values.get('version') ?? '')?.text ?? '',
      opinion: values.get('status/version/current') ?? '',
    };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    return { silence: error.message };
  }
}
