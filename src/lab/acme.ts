import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabNode } from './node.ts';
import { waitForPort } from './services.ts';
import { firstAddress, resolverOf, type NodeService, type Topology } from './topology.ts';

type Acme = Extract<NodeService, { type: 'acme' }>;

const PORT = 14_000;
const MANAGEMENT_PORT = 15_000;
/** Of external account binding (RFC 8555 7.3.4); Pebble's own example. */
export const LAB_EAB = {
  kid: 'kid-1',
  hmacKey: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W',
} as const;

/** Where a certificate authority of the lab is found; files have the same path inside and outside. */
interface LabAuthority {
  readonly directory: string;
  /** What its own HTTPS must be trusted by: `certificates.roots` of a gateway. */
  readonly ca: string;
  /** What a visitor must trust, to trust the certificates that it gives. Another one at each start. */
  readonly root: string;
  /** Pebble's own: moves renewal windows, shows what was revoked. */
  readonly management: string;
}

export function labAuthority(node: LabNode, topology: Topology): LabAuthority {
  const address = firstAddress(topology, node.name) ?? '';
  const folder = join(node.directory, 'acme');
  return {
    directory: `https://${address}:${PORT}/dir`,
    ca: join(folder, 'ca.pem'),
    root: join(folder, 'root.pem'),
    management: `https://${address}:${MANAGEMENT_PORT}`,
  };
}

/** Pebble, the reference test server of ACME: it looks at ports 80 and 443 as a real one does. */
export async function startAcme(
  node: LabNode,
  topology: Topology,
  acme: Acme,
  signal: AbortSignal,
): Promise<void> {
  const folder = join(node.directory, 'acme');
  await mkdir(folder, { recursive: true });
  const address = firstAddress(topology, node.name) ?? '';
  await makeOwnCertificate(node, folder, address, signal);
  await writeFile(join(folder, 'pebble.json'), JSON.stringify(configOf(acme, folder, address)));
  const resolver = resolverOf(topology, node.name);
  const program = acme.release === 'later' ? 'pebble-sid' : 'pebble';
  const dns = resolver === undefined ? [] : ['-dnsserver', `${resolver}:53`];
  await node.detach([program, '-config', join(folder, 'pebble.json'), ...dns], {
    logFile: join(folder, 'log'),
    env: {
      // A real one takes seconds as well; tests that want that say so.
      ...(acme.isSlow ? {} : { PEBBLE_VA_NOSLEEP: '1' }),
      PEBBLE_WFE_NONCEREJECT: `${acme.badNonces}`,
      // Each order proves each name anew.
      PEBBLE_AUTHZREUSE: '0',
    },
  });
  await waitForPort(node, 'tcp', PORT, signal);
  await waitForPort(node, 'tcp', MANAGEMENT_PORT, signal);
  const { ca, root, management } = labAuthority(node, topology);
  await node.run(['curl', '-sS', '--fail', '--cacert', ca, '-o', root, `${management}/roots/0`], { signal });
}

async function makeOwnCertificate(
  node: LabNode,
  folder: string,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  const at = (file: string): string => join(folder, file);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  const authority = ['-x509', '-subj', '/CN=lab', '-keyout', at('ca.key'), '-out', at('ca.pem')];
  await node.run(['openssl', 'req', ...key, ...authority], { signal });
  const server = ['-x509', '-subj', '/CN=acme', '-addext', `subjectAltName=IP:${address}`];
  const signed = [
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
  ];
  const files = ['-keyout', at('server.key'), '-out', at('server.pem')];
  await node.run(['openssl', 'req', ...key, ...server, ...signed, ...files], { signal });
}

function configOf({ eab, profiles, blocked }: Acme, folder: string, address: string): unknown {
  return {
    pebble: {
      listenAddress: `${address}:${PORT}`,
      managementListenAddress: `${address}:${MANAGEMENT_PORT}`,
      certificate: join(folder, 'server.pem'),
      privateKey: join(folder, 'server.key'),
      httpPort: 80,
      tlsPort: 443,
      ocspResponderURL: '',
      externalAccountBindingRequired: eab,
      externalAccountMACKeys: { [LAB_EAB.kid]: LAB_EAB.hmacKey },
      domainBlocklist: blocked,
      retryAfter: { authz: 1, order: 1 },
      keyAlgorithm: 'ecdsa',
      ...(Object.keys(profiles).length === 0 ? {} : { profiles: profilesOf(profiles) }),
    },
  };
}

function profilesOf(profiles: Acme['profiles']): unknown {
  const entries = Object.entries(profiles).map(([name, validityPeriod]) => [
    name,
    { description: name, validityPeriod },
  ]);
  return Object.fromEntries(entries);
}
