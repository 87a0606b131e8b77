import type { CertificateReport } from '../core/certificate.ts';
import { caaToPublish, isBound } from '../core/caa.ts';
import { baseOf, isIpName, usableChallenges, type CertificateSpec } from '../core/certificate.ts';
import type { Desired } from '../core/desired.ts';
import type { Helper, Home, Keys, Log } from '../core/ports.ts';
import type { Mapper } from '../core/mapper.ts';
import type { HomeAddress } from '../core/home.ts';
import { parseEndpoint } from '../core/inet.ts';
import { zoneOf } from '../core/names.ts';
import { DnsProofs } from '../system/acme/dns-proofs.ts';
import { CertificateKeeper } from '../system/acme/keeper.ts';
import { CertificateFiles } from '../system/acme/memory.ts';
import type { Prover } from '../system/acme/order.ts';
import { findAddresses, findCaa } from '../system/dns/lookup.ts';
import { z } from 'zod';
import { homeAddress } from './address-askers.ts';
import type { Recorder } from './journal.ts';

export interface CertifierOptions {
  readonly directory: string;
  readonly desired: () => Desired | undefined;
  readonly keys: Keys;
  readonly helper: Helper;
  readonly home: Home;
  readonly mapper: Pick<Mapper, 'kept'>;
  readonly log: Log;
  readonly record: Recorder;
  readonly changed: () => void;
}

/** The certifier with everything that it needs of this machine. HAProxy shows certificates and answers challenges. */
export function createCertifier(options: CertifierOptions): CertificateKeeper {
  const { directory, desired, keys, helper, home, mapper, log, record, changed } = options;
  const zones = (): NonNullable<Desired['zones']> => desired()?.zones ?? {};
  return new CertificateKeeper({
    files: new CertificateFiles(directory),
    keys,
    now: Date.now,
    random: Math.random,
    around: {
      addresses: (name) => relayAddresses(desired(), name) ?? home.addresses(),
      mappings: async (name) =>
        (relayAddresses(desired(), name) === undefined ? await mapper.kept() : []).map(
          ({ spec, report }) => ({ ...report, preferred: spec.externalPort }),
        ),
      holdsZone: (name) => zoneOf(name, Object.keys(zones())) !== undefined,
      findAddresses,
      findCaa,
    },
    prove: proverOf(helper, new DnsProofs(zones)),
    serve: async (name, pem, signal) => {
      await helper.call('edge.certificate', { name, pem }, signal);
    },
    unserve: async (name, signal) => {
      await helper.call('edge.certificate.remove', { name }, signal);
    },
    log,
    record,
    changed,
  });
}

const SpecOfWant = z.looseObject({
  tunnels: z.array(z.object({ number: z.number(), domains: z.array(z.string()) })),
  sites: z.array(z.object({ domain: z.string(), only: z.string().optional() })),
});
const SpecOfTunnel = z.looseObject({
  tunnel: z.object({ number: z.number(), endpoints: z.array(z.string()) }),
});

/** Public addresses of the relays that carry a name; `undefined` where it is answered for at home too. */
function relayAddresses(desired: Desired | undefined, name: string): HomeAddress[] | undefined {
  const specs = [...(desired?.resources.values() ?? [])].flat().map(({ spec }) => spec);
  const edge = specs.flatMap((spec) => SpecOfWant.safeParse(spec).data ?? []).at(0);
  if (edge?.sites.some(({ domain, only }) => domain === name && only === 'relay') !== true) return undefined;
  const numbers = edge.tunnels.filter(({ domains }) => domains.includes(name)).map(({ number }) => number);
  const tunnels = specs.flatMap((spec) => SpecOfTunnel.safeParse(spec).data?.tunnel ?? []);
  const endpoints = tunnels.filter(({ number }) => numbers.includes(number)).flatMap((one) => one.endpoints);
  return endpoints.flatMap((text) => homeAddress(parseEndpoint(text)?.host ?? '', 'relay') ?? []);
}

const REMOVE_MS = 10_000;

function proverOf(helper: Helper, dns: DnsProofs): Prover {
  return async (proof, signal) => {
    if (proof.type === 'dns-01') return dns.show(proof, signal);
    await helper.call('edge.challenge', proof, signal);
    return async () => {
      // Not the order's own signal: that may be why it ends.
      const until = AbortSignal.timeout(REMOVE_MS);
      const { type, name } = proof;
      await helper.call(
        'edge.challenge.remove',
        type === 'http-01' ? { type, name, token: proof.token } : { type, name },
        until,
      );
    };
  };
}

/** With the CAA records that let nobody else have a certificate, and whether DNS shows them now. */
export async function reportCertificates(
  keeper: CertificateKeeper,
  signal: AbortSignal,
): Promise<CertificateReport[]> {
  const kept = await keeper.kept();
  return Promise.all(
    kept.map(async ({ spec, report }) => ({ ...report, caa: await caaOf(keeper, spec, signal) })),
  );
}

async function caaOf(
  keeper: CertificateKeeper,
  spec: CertificateSpec,
  signal: AbortSignal,
): Promise<CertificateReport['caa']> {
  const accounts = spec.authorities.flatMap(({ directory }) => keeper.account(directory) ?? []);
  const [first] = accounts;
  if (first === undefined || isIpName(spec.name)) return null;
  const records = caaToPublish(spec.name, accounts, usableChallenges(spec));
  if (records.length === 0) return null;
  const found = await findCaa(baseOf(spec.name), signal);
  const published = found === undefined ? 'unknown' : isBound(found, spec.name, accounts) ? 'yes' : 'no';
  return { records, published };
}
