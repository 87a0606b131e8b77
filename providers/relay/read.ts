import type { Exposure, Problem } from '../../src/core/contract.ts';
import { isInCidr } from '../../src/core/inet.ts';
import type { Relay } from '../../src/core/relay.ts';
import type { Service } from '../../src/core/service.ts';
import { HTTP, HTTPS, modeOf, type Options, type WayResource } from './spec.ts';

/** An exposure that can be, and how. */
export interface Way {
  readonly spec: WayResource;
  /** Names, sorted. */
  readonly relays: readonly string[];
  readonly service: Service;
  readonly access: 'anyone' | 'devices';
  /** Browsers are told to forget that they may come by https alone. */
  readonly strict?: 'off';
}

const JOIN = 'on a rented machine: gateway relay up; then here: gateway relay join INVITE';

export function readExposure(
  { service, options }: Exposure<Options>,
  relays: readonly Relay[],
  pool: string,
): Way | Problem {
  const { name, kind } = service;
  const mode = modeOf(kind);
  if (mode === undefined) {
    return {
      code: 'KindNotSupported',
      service: name,
      message: `${name} is of kind ${kind}, which is for its owner alone and is not put on the internet`,
      hint: `reach it by an onion or a tunnel: gateway expose ${name} --via tor, or --via wireguard`,
    };
  }
  const chosen = chooseRelays(name, options, relays, pool);
  if ('code' in chosen) return chosen;
  const names = chosen.map((relay) => relay.name).sort();
  const base = { type: 'way', service: name, relays: names } as const;
  const { access = 'anyone' } = options;
  if (access === 'devices' && mode !== 'http') return notForDevices(name);
  if (mode === 'raw') return readPort(service, options, { base, names });
  if (options.domain === undefined) return domainMissing(name);
  const strict = options.strict === false ? { strict: 'off' as const } : {};
  return { spec: { ...base, domain: options.domain, mode }, relays: names, service, access, ...strict };
}

function notForDevices(service: string): Problem {
  return {
    code: 'DevicesNotSupported',
    service,
    message: `${service} cannot let in only devices: what connects to it shows no certificate`,
    hint: `devices reach it by a tunnel: gateway expose ${service} --via wireguard`,
  };
}

function readPort(
  service: Service,
  options: Options,
  { base, names }: { base: Omit<WayResource, 'domain' | 'mode' | 'port'>; names: readonly string[] },
): Way | Problem {
  const { name, place } = service;
  const port = options.port ?? service.port;
  if (place.type === 'target') {
    return {
      code: 'NotSupported',
      service: name,
      message: `${name} is on another machine, to which a relay's port cannot lead`,
      hint: `reach it by --via tor or --via wireguard, or run it on this machine`,
    };
  }
  if (port !== HTTPS && port !== HTTP)
    return { spec: { ...base, port }, relays: names, service, access: 'anyone' };
  return {
    code: 'PortTaken',
    service: name,
    message: `${name} cannot have port ${port} of a relay: visitors of web names come in there`,
    hint: `choose another: gateway expose ${name} --via relay --port PORT`,
  };
}

function domainMissing(service: string): Problem {
  return {
    code: 'DomainMissing',
    service,
    message: `${service} has no name at which visitors find it`,
    hint: `gateway expose ${service} --via relay --domain pay.example.com`,
  };
}

/**
 *   named in the options | joined                    | taken
 *   ---------------------+---------------------------+---------------------------------------
 *   none                 | one that carries          | that one
 *   none                 | several that carry        | none: the owner says which
 *   some                 | each of them, and carries | these
 *   some                 | not, or it only looks     | none
 */
function chooseRelays(
  service: string,
  { relay }: Options,
  relays: readonly Relay[],
  pool: string,
): readonly Relay[] | Problem {
  const carrying = relays.filter(({ tunnel }) => tunnel !== undefined);
  const problem = (message: string, hint: string): Problem => ({
    code: 'RelayUnknown',
    service,
    message,
    hint,
  });
  if (relay === undefined) {
    const [only, another] = carrying;
    if (only === undefined) return problem(`no relay was joined that carries visitors of ${service}`, JOIN);
    if (another === undefined) return checked([only], pool, problem);
    const names = carrying.map(({ name }) => name).join(', ');
    return problem(
      `${service} can go by several relays: ${names}`,
      `say which: gateway expose ${service} --via relay --relay ${only.name}`,
    );
  }
  const wanted = [relay].flat();
  const unknown = wanted.find((name) => !relays.some((one) => one.name === name));
  if (unknown !== undefined) return problem(`there is no relay ${unknown}`, JOIN);
  const idle = wanted.find((name) => !carrying.some((one) => one.name === name));
  if (idle === undefined) {
    return checked(
      carrying.filter(({ name }) => wanted.includes(name)),
      pool,
      problem,
    );
  }
  return problem(
    `the relay ${idle} carries nothing, it only looks`,
    `start it there without --probe-only, then leave and join it again: gateway relay remove ${idle}`,
  );
}

export function isClashing({ tunnel }: Relay, pool: string): boolean {
  return [tunnel?.address, tunnel?.relayAddress].some((each) => isInCidr(each ?? '', pool));
}

/** What a relay says of addresses is not believed where it would take somebody's place. */
function checked(
  relays: readonly Relay[],
  pool: string,
  problem: (message: string, hint: string) => Problem,
): readonly Relay[] | Problem {
  const clashing = relays.find((relay) => isClashing(relay, pool));
  if (clashing === undefined) return relays;
  return problem(
    `the relay ${clashing.name} wants addresses of this gateway's own pool ${pool}`,
    'choose another pool in gateway.yaml, or another relay',
  );
}
