import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { deviceBlock } from '../../src/core/allocate.ts';
import type { EdgeClient, EdgeSite, EdgeSpec, EdgeTunnel } from '../../src/core/operations.ts';
import { run } from '../../src/system/run.ts';
import { type Gateway, startGateway } from './gateway-machine.ts';
import { type Machine, startMachine } from './machine.ts';
import type { Visit, Visited } from './web-visitor-main.ts';

const NODE = resolve(import.meta.dirname, '../../node_modules/.bin/node');
const VISITOR = resolve(import.meta.dirname, 'web-visitor-main.ts');
const SERVICE = resolve(import.meta.dirname, 'web-service-main.ts');

/** A home with a hub, services in namespaces of their own, and a visitor on the other side of its public address. */
export type VisitHere = Omit<Visit, 'host' | 'port'> & { readonly port?: number };

export const SHOP: EdgeSite = {
  service: 'shop',
  domain: 'pay.shop.test',
  mode: 'http',
  access: 'anyone',
  to: { host: '10.64.1.2', port: 8080 },
};
export const WIKI: EdgeSite = {
  ...SHOP,
  service: 'wiki',
  domain: 'wiki.test',
  to: { host: '10.64.1.3', port: 8080 },
};
export const ELECTRUM: EdgeSite = {
  ...SHOP,
  service: 'electrum',
  domain: 'electrum.test',
  mode: 'tcp',
  to: { host: '10.64.1.4', port: 50001 },
};

/** Who made the certificates of devices, and which of them may be let in. */
export interface DevicesHere {
  readonly authority: string;
  readonly clients: readonly EdgeClient[];
}

export interface WebLab {
  readonly machine: Machine;
  readonly gateway: Gateway;
  /** Where the visitor finds it. */
  readonly address: string;
  readonly visitor: string;
  readonly ports: { readonly https: number; readonly http: number };
  /** A namespace of its own, with what the edge may reach there; nothing listens in it yet. */
  addService(name: string, address: string, port: number): Promise<void>;
  /** With a certificate it speaks TLS itself. */
  serve(name: string, port: number, pem?: string): Promise<void>;
  spec(sites: readonly EdgeSite[]): EdgeSpec;
  /** Applies, writes and loads. */
  up(
    sites: readonly EdgeSite[],
    devices?: DevicesHere,
    tunnels?: readonly EdgeTunnel[],
  ): Promise<{ started: boolean }>;
  /** To HAProxy, for a name. */
  give(name: string, pem: string): Promise<unknown>;
  visit(visit: VisitHere): Promise<Visited>;
  /** All at once, in one process. */
  visitAll(visits: readonly VisitHere[]): Promise<readonly Visited[]>;
  stop(): Promise<void>;
}

export async function startWebLab(ports = { https: 443, http: 80 }, ula?: string): Promise<WebLab> {
  const machine = await startMachine();
  const gateway = await startGateway(machine, 'gw', '10.64.0.0/20', ula);
  const [address, visitor] = ['11.0.0.1', '11.0.0.2'];
  const ip = (line: string): Promise<string> => machine.sh('ip', ...(line.split(' ') as [string]));
  await ip('netns add visitor');
  await ip('link add public0 type veth peer name eth0 netns visitor');
  await ip(`addr add ${address}/24 dev public0`);
  await ip('link set public0 up');
  await ip(`-n visitor addr add ${visitor}/24 dev eth0`);
  await ip('-n visitor link set eth0 up');
  await gateway.apply({});
  await gateway.call('hub.ensure', {});
  const services = new Map<string, { address: string; port: number; namespace: string }>();
  const applyAll = (
    sites: readonly EdgeSite[],
    devices?: DevicesHere,
    tunnels?: readonly EdgeTunnel[],
  ): Promise<void> =>
    gateway.apply({
      listen: ports,
      ...(tunnels === undefined ? {} : { edgeTunnels: [...tunnels] }),
      clients: [...(devices?.clients ?? [])],
      services: Object.fromEntries(
        [...services].map(([name, { namespace, ...at }]) => {
          const mine = sites.filter(({ service }) => service === name);
          const domains = mine.map(({ service: _service, to: _to, ...rest }) => rest);
          return [name, { ...at, place: { type: 'namespace' as const, name: namespace }, domains }];
        }),
      ),
    });
  const spec = (sites: readonly EdgeSite[]): EdgeSpec => {
    const { pool, edge: source } = gateway.network;
    return { devices: deviceBlock(pool), source, pool, routes: [], sites: [...sites], listen: ports };
  };
  const visitAll = async (visits: readonly VisitHere[]): Promise<readonly Visited[]> => {
    const whole = visits.map((visit) => {
      return { host: address, port: visit.sni === undefined ? ports.http : ports.https, ...visit };
    });
    const argv = ['--net=/run/netns/visitor', NODE, VISITOR, JSON.stringify(whole)] as const;
    return JSON.parse(await machine.sh('nsenter', ...argv)) as Visited[];
  };
  return {
    machine,
    gateway,
    address,
    visitor,
    ports,
    spec,
    addService: async (name, at, port) => {
      services.set(name, { address: at, port, namespace: name });
      await applyAll([]);
      await gateway.call('namespace.ensure', { service: name, spec: { namespace: name, address: at, port } });
      const flows = [...services.values()].map((each) => ({
        via: 'host',
        source: gateway.network.edge,
        address: each.address,
        protocol: 'tcp' as const,
        port: each.port,
      }));
      await gateway.call('flows.replace', { flows });
    },
    serve: async (name, port, pem) => {
      const argv = [`--net=/run/netns/gw-${name}`, NODE, SERVICE, name, String(port)] as const;
      const file = `/run/${name}.pem`;
      if (pem !== undefined) await writeFile(machine.outside(file), pem);
      const server = machine.start('nsenter', ...argv, ...(pem === undefined ? [] : [file]));
      await once(server.stdout ?? server, 'data');
    },
    up: async (sites, devices, tunnels) => {
      await applyAll(sites, devices, tunnels);
      const authority = devices === undefined ? {} : { authority: devices.authority };
      const doors = tunnels === undefined ? {} : { tunnels: [...tunnels] };
      await gateway.call('edge.write', { edge: { ...spec(sites), ...authority, ...doors } });
      return gateway.helper.call('edge.load', {}, AbortSignal.timeout(30_000));
    },
    give: (name, pem) => gateway.helper.call('edge.certificate', { name, pem }, AbortSignal.timeout(15_000)),
    visitAll,
    visit: async (visit) => {
      const [visited] = await visitAll([visit]);
      if (visited === undefined) throw new Error('there was no visit');
      return visited;
    },
    stop: async () => {
      gateway.helper.close();
      await machine.stop();
    },
  };
}

/** With a service behind each of these. */
export async function startWebLabWith(...sites: readonly EdgeSite[]): Promise<WebLab> {
  const lab = await startWebLab();
  for (const { service, to } of sites) {
    await lab.addService(service, to.host, to.port);
    await lab.serve(service, to.port);
  }
  return lab;
}

/** One made with openssl for these names, and its SHA-256 in hex. */
export async function selfSigned(
  names: readonly string[],
  extensions: readonly string[] = [],
): Promise<{ readonly pem: string; readonly fingerprint: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'gw-certificate-'));
  try {
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
    const alternative = names.map((name) => `${/^[\d.]+$|:/.test(name) ? 'IP' : 'DNS'}:${name}`);
    const added = [`subjectAltName=${alternative.join(',')}`, ...extensions].flatMap((one) => [
      '-addext',
      one,
    ]);
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const subject = ['-subj', '/CN=gateway test', '-days', '30', '-keyout', key, '-out', certificate];
    const argv = ['openssl', 'req', '-x509', ...curve, ...subject, ...added] as const;
    await run(argv, { signal: AbortSignal.timeout(10_000) });
    const text = await readFile(certificate, 'utf8');
    const fingerprint = new X509Certificate(text).fingerprint256.replaceAll(':', '').toLowerCase();
    return { pem: `${text}${await readFile(key, 'utf8')}`, fingerprint };
  } finally {
    await rm(directory, { recursive: true });
  }
}
