import type { ConfigService, FileEntered, FileService } from './config-schema.ts';
import type { Path } from './config-text.ts';
import {
  isInRange,
  isPrivate,
  parseCidr,
  parseEndpoint,
  parseIpv4,
  formatIpv4,
  formatEndpoint,
} from './inet.ts';
import { formatIpv6, parseIpv6Cidr } from './inet6.ts';
import { isUla } from './ula.ts';
import { NAME_HINT, nameFault, quote } from './name.ts';
import { suggest } from './suggest.ts';
import { ENTERED_BY, type EnteredBy, type Place } from './service.ts';

/** What no schema of single values can say. Each rule answers with what is wrong, or nothing. */
export interface Fault {
  readonly path: Path;
  readonly message: string;
  readonly hint: string;
}

export type Placed = { readonly place: Place; readonly port: number } | { readonly fault: Fault };

/** Names that mean something else: `host` is the machine's own network, `hub` our router. */
const RESERVED: readonly string[] = ['host', 'hub'];

export function reservedFault(name: string): Fault | undefined {
  if (!RESERVED.includes(name)) return undefined;
  return {
    path: ['services', name],
    message: `services.${name}: the name ${name} belongs to the gateway itself`,
    hint: 'choose another name',
  };
}

/** Where the service listens: `target` alone, or `port` with or without `namespace`. */
export function placeOf(name: string, service: FileService): Placed {
  const { namespace, port, target } = service;
  if (target !== undefined) return targetOf(name, service, target);
  const at = ['services', name];
  if (port === undefined) {
    return {
      fault: {
        path: at,
        message: `services.${name}.port is missing`,
        hint: 'write the TCP port that the service listens on, such as port: 8080',
      },
    };
  }
  if (namespace === 'host') return { port, place: { type: 'host' } };
  if (typeof namespace === 'object') return enteredOf(name, namespace, port);
  const own = namespace ?? name;
  const wrong = nameFault(own) ?? (own === 'hub' ? 'belongs to the gateway itself' : undefined);
  if (wrong === undefined) return { port, place: { type: 'namespace', name: own } };
  return {
    fault: {
      path: [...at, 'namespace'],
      message: `services.${name}.namespace: the name ${quote(own)} ${wrong}`,
      hint: NAME_HINT,
    },
  };
}

/** What each kind of value may look like; all of them are harmless as a word of a command and as part of a path. */
const ENTERED_VALUES: Readonly<Record<EnteredBy, { readonly form: RegExp; readonly like: string }>> = {
  name: { form: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, like: 'a name that ip netns list shows' },
  pid: { form: /^[1-9][0-9]{0,6}$/, like: 'the id of a process, such as 4711' },
  container: { form: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$/, like: 'the name of a container, such as lnd' },
  unit: {
    form: /^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,71}\.service$/,
    like: 'the name of a systemd service, such as lnd.service',
  },
};

function enteredOf(name: string, entered: FileEntered, port: number): Placed {
  const path = ['services', name, 'namespace'];
  const at = path.join('.');
  const said = ENTERED_BY.filter((by) => entered[by] !== undefined);
  const [by] = said;
  if (by === undefined || said.length > 1) {
    const what = by === undefined ? 'says nothing' : `has ${said.join(' and ')}`;
    const hint = `write one of ${ENTERED_BY.join(', ')}, such as namespace: { container: ${name} }`;
    return { fault: { path, message: `${at} ${what}, but names one namespace in one way`, hint } };
  }
  const value = String(entered[by]);
  const { form, like } = ENTERED_VALUES[by];
  if (form.test(value)) return { port, place: { type: 'entered', by, value } };
  const message = `${at}.${by}: ${quote(value)} cannot be one`;
  return { fault: { path: [...path, by], message, hint: `write ${like}` } };
}

function targetOf(name: string, { namespace, port }: FileService, target: string): Placed {
  const path = ['services', name, 'target'];
  const fault = (message: string, hint: string): Placed => ({
    fault: { path, message: `services.${name}.target ${message}`, hint },
  });
  if (namespace !== undefined) {
    return fault('is on another machine and has no namespace here', 'remove either namespace or target');
  }
  if (port !== undefined) return fault('has the port in it already', 'remove the line port');
  const endpoint = parseEndpoint(target);
  if (endpoint === undefined) {
    return fault(`${quote(target)} is not an address and a port`, 'write it like 192.168.1.20:443');
  }
  if (endpoint.type === 'name') {
    return fault(
      `${quote(target)} is a name, which can change what it points to`,
      'write the address of the machine, like 192.168.1.20:443',
    );
  }
  if (isThisMachine(endpoint.host)) {
    return fault(
      `${quote(target)} is this machine`,
      `write namespace: host and port: ${endpoint.port} instead`,
    );
  }
  if (isNoHost(endpoint.host))
    return fault(`${quote(target)} is not the address of one machine`, 'write it like 192.168.1.20:443');
  return { port: endpoint.port, place: { type: 'target', host: endpoint.host } };
}

const LOOPBACK = parseCidr('127.0.0.0/8');
const MULTICAST_AND_ABOVE = parseCidr('224.0.0.0/3');

function isThisMachine(host: string): boolean {
  const value = parseIpv4(host);
  if (value === undefined) return /^[0:]*:0*[01]?$/.test(host);
  return value === 0 || (LOOPBACK !== undefined && isInRange(value, LOOPBACK));
}

function isNoHost(host: string): boolean {
  const value = parseIpv4(host);
  if (value === undefined) return /^ff/i.test(host);
  return MULTICAST_AND_ABOVE !== undefined && isInRange(value, MULTICAST_AND_ABOVE);
}

/** What is no page is not asked for anything: its bytes pass as they are, or it speaks TLS itself. */
export function backendFault(name: string, { backend, kind }: FileService): Fault | undefined {
  if (backend === 'http1' || kind === 'http') return undefined;
  return {
    path: ['services', name, 'backend'],
    message: `services.${name}.backend: ${name} is of kind ${kind}, and only one of kind http can be asked by h2c`,
    hint: 'remove the line backend, or write kind: http',
  };
}

/** Nobody can hold in what has no namespace of its own. */
export function egressFault(name: string, { egress }: FileService, place: Place): Fault | undefined {
  if (egress === 'none' || place.type === 'namespace') return undefined;
  return {
    path: ['services', name, 'egress'],
    message: `services.${name}.egress: ${name} has no network namespace of its own, so what it reaches is not the gateway's to say`,
    hint: 'remove the line egress, or let the service have a namespace of its own',
  };
}

/** A public block would hide a part of the internet from everything here. */
export function poolFault(pool: string | undefined): Fault | undefined {
  if (pool === undefined) return undefined;
  const fault = (message: string, hint = 'write it like 10.64.0.0/20'): Fault => ({
    path: ['pool'],
    message: `pool ${quote(pool)} ${message}`,
    hint,
  });
  const [address = '', bits = ''] = pool.split('/');
  const value = parseIpv4(address);
  if (value === undefined || !/^[0-9]{1,2}$/.test(bits) || Number(bits) > 32)
    return fault('is not an IPv4 block');
  if (Number(bits) < 16 || Number(bits) > 24) return fault('must be a block from /16 to /24');
  const size = 2 ** (32 - Number(bits));
  const start = `${formatIpv4(value - (value % size))}/${bits}`;
  if (value % size !== 0) return fault('is not the start of a block', `write ${start}`);
  return isPrivate(address)
    ? undefined
    : fault('is not private', 'choose a block inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16');
}

export function ulaFault(ula: string | undefined): Fault | undefined {
  if (ula === undefined || isUla(ula)) return undefined;
  const first = parseIpv6Cidr(ula)?.first;
  const canonical = first === undefined ? '' : `${formatIpv6(first)}/48`;
  return {
    path: ['ula'],
    message: `ula ${quote(ula)} is not a /48 of unique local IPv6 addresses (fd00::/8)`,
    hint: `write it like ${isUla(canonical) ? canonical : 'fd12:3456:789a::/48'}, or leave it out: one is chosen at random`,
  };
}

function keyOfPlace(place: Place, port: number): string {
  switch (place.type) {
    case 'namespace':
      return `namespace ${place.name}`;
    case 'entered':
      return `the namespace of ${place.by} ${place.value}`;
    case 'host':
      return `port ${port} of the host`;
    case 'target':
      return formatEndpoint({ host: place.host, port });
  }
}

/** Each namespace, and each address and port outside, belongs to one service. */
export function sharedPlaceFaults(places: readonly { name: string; place: Place; port: number }[]): Fault[] {
  const owners = new Map<string, string>();
  return places.flatMap(({ name, place, port }) => {
    const key = keyOfPlace(place, port);
    const owner = owners.get(key);
    if (owner === undefined) {
      owners.set(key, name);
      return [];
    }
    return [
      {
        path: ['services', name],
        message: `services.${name}: ${key} belongs to services.${owner} already`,
        hint: 'give each service a place of its own',
      },
    ];
  });
}

/** What the owner did not say: as the ways stand in the file (`exposed`), and Tor, which is slowest, when nothing else works. */
export function fallbackOrder({ fallback }: FileService, exposed: readonly string[]): readonly string[] {
  if (fallback.length > 0) return fallback;
  return [...exposed.filter((provider) => provider !== 'tor'), ...exposed.filter((one) => one === 'tor')];
}

export function fallbackFaults(name: string, service: FileService): Fault[] {
  const exposed = Object.keys(service.expose);
  return service.fallback.flatMap((provider, index) => {
    const path = ['services', name, 'fallback', index];
    const at = `services.${name}.fallback[${index}]`;
    if (service.fallback.indexOf(provider) < index) {
      return [
        { path, message: `${at}: ${quote(provider)} stands in the list twice`, hint: 'remove one of them' },
      ];
    }
    if (exposed.includes(provider)) return [];
    const hint =
      exposed.length === 0 ? `add it to expose, or remove it here` : `exposed are: ${exposed.join(', ')}`;
    return [{ path, message: `${at}: ${name} is not exposed through ${quote(provider)}`, hint }];
  });
}

type Placeable = Pick<ConfigService, 'name' | 'place' | 'upstreams'>;

/** Who connects must be told apart from others, and where to must be on this machine: else the hub cannot allow just that. */
export function upstreamFaults(services: readonly Placeable[], names: readonly string[]): Fault[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  return services.flatMap((service) => {
    const { name, upstreams = [] } = service;
    const path = ['services', name, 'upstreams'];
    return upstreams.flatMap((upstream, index) => {
      const wrong = upstreamFault(service, upstream, index, byName, names);
      if (wrong === undefined) return [];
      return [{ path, message: `${path.join('.')}: ${wrong.message}`, hint: wrong.hint }];
    });
  });
}

function upstreamFault(
  { name, place, upstreams = [] }: Placeable,
  upstream: string,
  index: number,
  byName: ReadonlyMap<string, Placeable>,
  names: readonly string[],
): Omit<Fault, 'path'> | undefined {
  const quoted = quote(upstream);
  if (!names.includes(upstream)) {
    const meant = suggest(upstream, names);
    const hint = meant === undefined ? `services are: ${names.join(', ')}` : `did you mean "${meant}"?`;
    return { message: `there is no service ${quoted}`, hint };
  }
  if (upstream === name) return { message: `${quoted} is the service itself`, hint: 'remove it' };
  if (upstreams.indexOf(upstream) < index) {
    return { message: `${quoted} stands in the list twice`, hint: 'remove one of them' };
  }
  if (place.type !== 'namespace' && place.type !== 'entered') {
    return {
      message: `${name} has no network namespace, so nobody can tell its connections from those of others`,
      hint: `remove the line upstreams, or let ${name} have a namespace of its own`,
    };
  }
  if (byName.get(upstream)?.place.type !== 'target') return undefined;
  return {
    message: `${quoted} is on another machine, to which the gateway opens no way for services`,
    hint: `remove it, or run ${upstream} on this machine`,
  };
}
