import { cardOf } from '../../src/core/card.ts';
import type { CertificateReport } from '../../src/core/certificate.ts';
import type { Control, Enrolled, PlaceReport, UpReport } from '../../src/core/control.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import { makeMacaroon } from './macaroons.ts';
import type {
  Condition,
  DeviceStatus,
  RelayStatus,
  ServiceStatus,
  Status,
  Way,
} from '../../src/core/status.ts';
import type { PortsReport } from '../../src/core/mapper.ts';

export const ONION = `http://${'a'.repeat(55)}d.onion`;

export function condition(type: Condition['type'], status: Condition['status'], message = ''): Condition {
  return { type, status, reason: 'Test', message, since: '2026-01-02T03:00:00.000Z' };
}

export function way(changes: Partial<Way> = {}): Way {
  return {
    provider: 'tor',
    address: ONION,
    addresses: [{ url: ONION, network: 'onion', clientNeeds: ['Tor Browser or another Tor client'] }],
    reachable: 'yes',
    vantage: 'tor',
    provedAt: '2026-01-02T03:04:00.000Z',
    tookMs: 1500,
    phase: 'up',
    conditions: [condition('Published', 'yes'), condition('Reachable', 'yes')],
    ...changes,
  };
}

export function service(name: string, changes: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    name,
    kind: 'http',
    privacy: 'open',
    isolated: true,
    entered: null,
    address: '10.64.1.2',
    address6: null,
    port: 80,
    listening: { status: 'yes', message: 'listens on 10.64.1.2:80' },
    unlocked: null,
    phase: 'up',
    fallback: {
      order: ['tor'],
      way: 'tor',
      isFallback: false,
      isDark: false,
      advertised: ['tor'],
      why: 'it is the first choice',
      since: '2026-01-02T03:00:00.000Z',
    },
    ways: [way()],
    ...changes,
  };
}

export function device(name: string, changes: Partial<DeviceStatus> = {}): DeviceStatus {
  return {
    name,
    services: ['shop'],
    rights: [],
    reachedBy: [],
    wallets: [],
    address: '10.64.8.1',
    address6: null,
    publicKey: 'pub',
    onionKey: null,
    certificate: null,
    expiresAt: null,
    addedAt: '2026-01-02T03:00:00.000Z',
    latestHandshake: null,
    endpoint: null,
    ...changes,
  };
}

export function status(changes: Partial<Status> = {}): Status {
  return {
    generation: 3,
    isDown: false,
    fileDiffers: false,
    services: [service('shop')],
    devices: [],
    notices: [],
    ...changes,
  };
}

export const MINTED_MACAROON = makeMacaroon({ rootKeyId: '77', permissions: { info: ['read'] } });
export const MINTED_RUNE = `${'aZ09-_'.repeat(8)}==`;

const REPORT: UpReport = {
  changes: ['make namespace gw-shop'],
  problems: [],
  generation: 4,
  services: 1,
  failed: [],
  notices: [],
};
export function relay(name: string, changes: Partial<RelayStatus> = {}): RelayStatus {
  return {
    name,
    address: '11.1.0.2:7443',
    fingerprint: 'A'.repeat(43),
    state: 'up',
    message: '',
    version: '0.1.0',
    addresses: ['11.1.0.2', '11.1.0.3'],
    observed: '11.2.0.2',
    tunnel: null,
    ...changes,
  };
}

const ENROLLED: Enrolled = {
  device: device('phone'),
  handouts: [
    {
      kind: 'wireguard-config',
      label: 'WireGuard',
      file: 'phone.conf',
      secret: true,
      text: '[Interface]\nPrivateKey = x\n',
    },
  ],
  notices: ['this path was not proved from outside yet'],
};

/** A gateway that only remembers what it was asked; every answer can be replaced. */
export function recordingControl(replace: Partial<Control> = {}) {
  const calls: unknown[][] = [];
  const ports: PortsReport = { mappings: [], router: '192.168.1.1', through: [], table: null, canary: null };
  const world = { status: status(), events: [] as JournalEvent[], ports };
  const report = (...call: unknown[]): Promise<UpReport> => {
    calls.push(call);
    return Promise.resolve(REPORT);
  };
  const control: Control = {
    status: () => Promise.resolve(world.status),
    plan: () => Promise.resolve({ changes: REPORT.changes, problems: [], notices: [] }),
    up: (progress) => {
      progress('looking');
      progress('applying');
      return report('up');
    },
    down: () => report('down').then(() => undefined),
    addService: (draft) => report('addService', draft),
    setService: (name, edit) => report('setService', name, edit),
    removeService: (name) => report('removeService', name),
    expose: (name, provider, options) => report('expose', name, provider, options),
    unexpose: (name, provider, now) => report('unexpose', name, provider, now),
    unexposeAll: (now) => report('unexposeAll', now),
    addDevice: (draft) => report('addDevice', draft).then(() => ENROLLED),
    renewDevice: (name) => report('renewDevice', name).then(() => ENROLLED),
    grantDevice: (name, grant) => report('grantDevice', name, grant).then(() => ENROLLED),
    ungrantDevice: (name, grant) => report('ungrantDevice', name, grant).then(() => ({ notices: [] })),
    mintToken: (device, { service: name, rights }) =>
      report('mintToken', device, name, rights).then(() => ({
        device,
        service: name,
        rights,
        ...(name === 'lnd'
          ? { kind: 'macaroon', secret: MINTED_MACAROON.toString('base64') }
          : { kind: 'rune', secret: MINTED_RUNE }),
      })),
    revokeDevice: (name, gently) => report('revokeDevice', name, gently).then(() => ({ notices: [] })),
    names: () =>
      Promise.resolve([
        {
          name: 'home.example.net',
          wildcard: true,
          zone: 'example.net',
          host: 'desec',
          addresses: ['11.2.0.2'],
          publishedAt: '2026-01-02T03:00:00.000Z',
          trouble: null,
        },
      ]),
    setName: (draft) => report('setName', draft),
    removeName: (name) => report('removeName', name),
    importOnionKey: (name, { hostname }) =>
      report('importOnionKey', name, hostname).then(() => ({ service: name, hostname })),
    handouts: (name) =>
      name === 'shop'
        ? Promise.resolve([{ kind: 'link', label: 'Tor', file: 'shop-tor', secret: false, text: ONION }])
        : Promise.reject(new GatewayError(`there is no service "${name}"`, { code: 'ServiceUnknown' })),
    place: (name) => Promise.resolve(place(name)),
    address: () => Promise.resolve({ addresses: [], ipv4: null, differ: false, nat: null }),
    certificates: () => Promise.resolve([certificate('pay.shop.test')]),
    renewCertificate: (name) => report('renewCertificate', name).then(() => null),
    revokeCertificate: (...asked) => report('revokeCertificate', ...asked.slice(0, 2)).then(() => null),
    deviceCard: (name) =>
      Promise.resolve({ ...cardOf(world.status, device(name), '2026-01-02T04:00:00.000Z'), code: 'c0de' }),
    checkCard: (_name, { code }) => Promise.resolve({ isGenuine: code === 'c0de' }),
    testNotices: () =>
      Promise.resolve([
        { receiver: 'ntfy https://ntfy.example.net', trouble: null },
        { receiver: 'mail me@example.net', trouble: 'it answered 550' },
      ]),
    metrics: () => Promise.resolve('gateway_down 0\n'),
    relays: () => Promise.resolve([relay('vps')]),
    walk: () => Promise.reject(new GatewayError('no relay walks here', { code: 'RelayUnreachable' })),
    joinRelay: ({ invite, name }) => report('joinRelay', invite, name).then(() => relay(name ?? 'relay-1')),
    rotateRelay: (name) => report('rotateRelay', name).then(() => relay(name)),
    removeRelay: (name) => report('removeRelay', name),
    ports: () => Promise.resolve(world.ports),
    openThrough: (through) => report('openThrough', through).then(() => world.ports),
    closeThrough: () => report('closeThrough').then(() => world.ports),
    events: (after, limit) =>
      Promise.resolve(world.events.filter((event) => event.seq > after).slice(0, limit)),
    generations: () =>
      Promise.resolve([
        { number: 3, appliedAt: '2026-01-02T03:00:00.000Z', programmed: true, current: true },
      ]),
    rollback: (generation) => report('rollback', generation),
    ...replace,
  };
  return { control, calls, world };
}

export function certificate(name: string, changes: Partial<CertificateReport> = {}): CertificateReport {
  return {
    name,
    state: 'valid',
    names: [name],
    notBefore: '2026-01-02T03:00:00.000Z',
    notAfter: '2026-04-02T03:00:00.000Z',
    renewAt: '2026-03-03T03:00:00.000Z',
    issuer: "Let's Encrypt",
    fingerprint: 'ab'.repeat(32),
    authority: 'https://acme.test/dir',
    challenge: 'dns-01',
    problem: null,
    caa: null,
    ...changes,
  };
}

export function place(name: string, changes: Partial<PlaceReport> = {}): PlaceReport {
  return {
    service: name,
    isolated: true,
    namespacePath: `/run/netns/gw-${name}`,
    namespace: `gw-${name}`,
    uid: 61_000,
    directory: `/var/lib/gateway/services/${name}`,
    address: '10.64.1.2',
    port: 80,
    target: null,
    entered: null,
    ...changes,
  };
}
