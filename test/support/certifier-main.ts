import { createServer } from 'node:http';
import { createSecureContext, createServer as createTlsServer, type SecureContext } from 'node:tls';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CertificateSpec } from '../../src/core/certificate.ts';
import type { DnsAccess } from '../../src/core/dns-config.ts';
import { zoneOf } from '../../src/core/names.ts';
import { DnsProofs } from '../../src/system/acme/dns-proofs.ts';
import { CertificateKeeper } from '../../src/system/acme/keeper.ts';
import { CertificateFiles } from '../../src/system/acme/memory.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { findAddresses, findCaa } from '../../src/system/dns/lookup.ts';
import { createKeys, type KeyRegistry } from '../../src/system/keys.ts';

/**
 * A certifier alone on a machine of the lab, with a server of its own on ports 80 and 443 instead of HAProxy. Told one
 * line of JSON as its argument; keeps certificates until it is killed and writes what it sees to `report.json`.
 */
export interface CertifierTask {
  readonly folder: string;
  readonly address: string;
  readonly specs: readonly CertificateSpec[];
  readonly zones: Readonly<Record<string, DnsAccess>>;
  /** How far its clock is ahead. */
  readonly aheadMs: number;
  /** Told to revoke this one, because its key was lost, once it is there. */
  readonly revokes?: string;
}

const task = JSON.parse(process.argv[2] ?? '') as CertifierTask;
const events: string[] = [];
const tokens = new Map<string, string>();
const contexts = new Map<string, SecureContext>();

createServer((request, response) => {
  const host = (request.headers.host ?? '').replace(/:80$/, '');
  const found = tokens.get(`${host}${request.url ?? ''}`);
  response.statusCode = found === undefined ? 404 : 200;
  response.end(found ?? '');
}).listen(80, task.address);
createTlsServer({
  ALPNProtocols: ['acme-tls/1'],
  SNICallback: (name, answer) => answer(null, contexts.get(name)),
})
  .on('secureConnection', (socket) => socket.end())
  .on('tlsClientError', () => undefined)
  .listen(443, task.address);

const dns = new DnsProofs(() => task.zones);
const shown = new Map<string, string>();
const keeper = new CertificateKeeper({
  files: new CertificateFiles(join(task.folder, 'certificates')),
  keys: createKeys({ directory: join(task.folder, 'keys'), registry: registry(), crypto: nodeCrypto }),
  now: () => Date.now() + task.aheadMs,
  random: Math.random,
  around: {
    addresses: () => [{ family: 4, address: task.address, source: 'interface' }],
    mappings: () => Promise.resolve([]),
    holdsZone: (name) => zoneOf(name, Object.keys(task.zones)) !== undefined,
    findAddresses,
    findCaa,
  },
  prove: async (proof, signal) => {
    if (proof.type === 'dns-01') return dns.show(proof, signal);
    if (proof.type === 'http-01') {
      const path = `${proof.name}/.well-known/acme-challenge/${proof.token}`;
      tokens.set(path, proof.response);
      return () => Promise.resolve(void tokens.delete(path));
    }
    const name = /^[0-9.]+$/.test(proof.name)
      ? `${proof.name.split('.').toReversed().join('.')}.in-addr.arpa`
      : proof.name;
    contexts.set(name, createSecureContext({ cert: proof.pem, key: proof.pem }));
    return () => Promise.resolve(void contexts.delete(name));
  },
  serve: (name, pem) => Promise.resolve(void shown.set(name, pem)),
  unserve: (name) => Promise.resolve(void shown.delete(name)),
  record: (type, message) => events.push(`${type} ${message}`),
  log: (level, message, data) => console.error(level, message, data),
  changed: () => undefined,
});

for (const spec of task.specs) await keeper.keep(spec, AbortSignal.timeout(10_000));
let toRevoke = task.revokes;
for (;;) {
  await keeper.tick();
  const reports = (await keeper.kept()).map(({ report }) => report);
  if (reports.some(({ name, state }) => name === toRevoke && state === 'valid')) {
    await keeper.revoke(toRevoke ?? '', true, AbortSignal.timeout(20_000));
    toRevoke = undefined;
  }
  const draft = join(task.folder, 'report.new');
  writeFileSync(draft, JSON.stringify({ reports, events, shown: [...shown.keys()] }));
  renameSync(draft, join(task.folder, 'report.json'));
  await sleep(100);
}

/** The daemon's state remembers keys; here a file does. */
function registry(): KeyRegistry {
  const path = join(task.folder, 'fingerprints.json');
  const read = (): Record<string, string> => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
    } catch {
      return {};
    }
  };
  return {
    fingerprint: (name) => read()[name],
    remember: (name, fingerprint) => writeFileSync(path, JSON.stringify({ ...read(), [name]: fingerprint })),
    forget: (name) => writeFileSync(path, JSON.stringify({ ...read(), [name]: undefined })),
  };
}
