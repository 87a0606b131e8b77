import type { Compiled, CompileInput, Exposure, PortWant, Problem, Want } from '../../src/core/contract.ts';
import { isAddress } from '../../src/core/domain.ts';
import {
  HTTP_OUTSIDE,
  HTTPS_OUTSIDE,
  modeOf,
  siteKey,
  type Options,
  type Settings,
  type Spec,
} from './spec.ts';

/** An exposure that can be, and how. */
interface Site {
  readonly service: string;
  readonly domain: string;
  readonly mode: Spec['mode'];
  readonly access: 'anyone' | 'devices';
}

/** Everything that makes it is asked of the built-in parts; the own resource says that it is there. */
export function compile({ exposures, settings }: CompileInput<Options, Settings>): Compiled<Spec> {
  const sorted = [...exposures].sort((a, b) => (a.service.name < b.service.name ? -1 : 1));
  const owners = new Map(sorted.toReversed().map(({ service, options }) => [options.domain, service.name]));
  const lax = new Set(
    sorted.filter(({ options }) => options.strict === false).map(({ service }) => service.name),
  );
  const told = new Set(
    sorted.filter(({ options }) => options.onionLocation === true).map(({ service }) => service.name),
  );
  const read = sorted.map((exposure) => readExposure(exposure, owners));
  const sites = read.flatMap((one) => ('code' in one ? [] : [one]));
  return {
    resources: sites.map(({ access: _access, ...spec }) => {
      return { key: siteKey(spec.service), spec, neededBy: [spec.service] };
    }),
    wants: sites.flatMap((site) =>
      wantsFor(site, settings, { isOnionTold: told.has(site.service), isLax: lax.has(site.service) }),
    ),
    problems: read.flatMap((one) => ('code' in one ? [one] : [])),
    ledger: {},
  };
}

/** A name belongs to the first service that has it, by name. */
function readExposure(
  { service: { name: service, kind }, options: { domain, access = 'anyone' } }: Exposure<Options>,
  owners: ReadonlyMap<string, string>,
): Site | Problem {
  const owner = owners.get(domain);
  if (owner !== undefined && owner !== service) {
    return {
      code: 'DomainTaken',
      service,
      message: `${service} cannot answer at ${domain}: that name belongs to ${owner}`,
      hint: `give ${service} a name of its own: gateway expose ${service} --via clearnet --domain NAME`,
    };
  }
  const mode = modeOf(kind);
  if (access === 'devices' && mode !== undefined) {
    const problem = notForDevices(service, domain, mode);
    if (problem !== undefined) return problem;
  }
  if (mode !== undefined) return { service, domain, mode, access };
  return {
    code: 'KindNotSupported',
    service,
    message: `${service} is of kind ${kind}, which is for its owner alone and is not put at a public name`,
    hint: `reach it by an onion or a tunnel: gateway expose ${service} --via tor, or --via wireguard`,
  };
}

/** What shows a certificate is a browser, or a client of HTTP; and it is asked by the name that it says. */
function notForDevices(service: string, domain: string, mode: Spec['mode']): Problem | undefined {
  if (mode === 'http' && !isAddress(domain)) return undefined;
  const why =
    mode === 'http'
      ? `${domain} is an address, and only a name can ask for certificates`
      : `what connects to ${service} shows no certificate`;
  return {
    code: 'DevicesNotSupported',
    service,
    message: `${service} cannot let in only devices at ${domain}: ${why}`,
    hint:
      mode === 'http'
        ? `give it a name: gateway expose ${service} --via clearnet --domain NAME --access devices`
        : `devices reach it by a tunnel: gateway expose ${service} --via wireguard`,
  };
}

function wantsFor(
  { service, domain, mode, access }: Site,
  { https, http, mapping }: Settings,
  { isOnionTold, isLax }: { readonly isOnionTold: boolean; readonly isLax: boolean },
): Want[] {
  const port = { part: 'ports', transport: 'tcp', service } as const;
  const ports: PortWant[] = [
    { ...port, port: https, externalPort: HTTPS_OUTSIDE },
    { ...port, port: http, externalPort: HTTP_OUTSIDE },
  ];
  return [
    {
      part: 'edge',
      type: 'site',
      service,
      domain,
      via: 'clearnet',
      access,
      mode,
      ...(isOnionTold ? { onionLocation: true as const } : {}),
      ...(isLax ? { strict: 'off' as const } : {}),
      listen: { https, http },
    },
    {
      part: 'certificates',
      name: domain,
      service,
      // An address has no zone to prove it by (RFC 8738 7).
      challenges: [...(isAddress(domain) ? [] : (['dns-01'] as const)), 'http-01', 'tls-alpn-01'],
    },
    ...(isAddress(domain) ? [] : [{ part: 'dns', name: domain, service } as const]),
    ...(mapping === 'off' ? [] : ports),
  ];
}
