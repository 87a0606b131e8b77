import { z } from 'zod';
import type { Problem } from './contract.ts';
import { believedAddresses, type HomeAddress } from './home.ts';
import type { Egress, Privacy, Service } from './service.ts';

/** Who must know when the home is at another public address. Pure. */

export const AnnounceSettings = z.strictObject({
  programs: z
    .array(z.string().regex(/^\/[^\0\n]{1,1000}$/, 'must be the whole path of a program'))
    .max(16)
    .refine((paths) => new Set(paths).size === paths.length, { error: 'names a program twice' })
    .default([])
    .describe(
      'Programs that are told each new public address of the home, once it is proved: docs/announce.md.',
    ),
});

/**
 * The IPv4 address at which the home is for certain. What is told to others stays with them, so that more is asked than
 * for what only we use (`believedAddresses`):
 *
 *   who tells the believed address       | somebody tells another | proved
 *   -------------------------------------+------------------------+-------
 *   two of different kinds               | either                 | yes
 *   a relay of ours, alone               | no                     | yes: it saw us come from there
 *   a relay of ours, alone               | yes                    | no
 *   a STUN server, router or line, alone | either                 | no: any of them may lie or be wrong
 */
export function provedAddress(seen: readonly HomeAddress[]): string | undefined {
  const { ipv4 } = believedAddresses(seen);
  if (ipv4 === undefined) return undefined;
  const told = seen.filter(({ family }) => family === 4);
  const kinds = new Set(told.filter(({ address }) => address === ipv4).map(({ source }) => source));
  const isUndisputed = told.every(({ address }) => address === ipv4);
  return kinds.size > 1 || (kinds.has('relay') && isUndisputed) ? ipv4 : undefined;
}

interface Announcing {
  readonly name: string;
  readonly privacy: Privacy;
  readonly egress?: Egress | undefined;
  readonly node?: { readonly announce?: number } | undefined;
}

/**
 * May the node tell the world where the home is? Whatever hides the home forbids it: the announcement names the node.
 *
 *   privacy  | egress       | announced
 *   ---------+--------------+----------
 *   open     | none, direct | yes
 *   open     | tor          | no: those whom it asks would know who asks, and from where
 *   others   | any          | no
 */
export function announceProblem({ name, privacy, egress, node }: Announcing): Problem | undefined {
  if (node?.announce === undefined || (privacy === 'open' && egress !== 'tor')) return undefined;
  const rule = privacy === 'open' ? 'egress tor' : `privacy ${privacy}`;
  const instead = privacy === 'open' ? 'egress to none or direct' : 'privacy to open';
  return {
    code: 'PrivacyForbids',
    service: name,
    message: `${name} has ${rule}, which hides the home, so it is not told the home's address: it would announce that to the world`,
    hint: `remove announce from services.${name}.node, or set its ${instead}`,
  };
}

/** Somebody who must know, or no more: a node without `port` announced the home, and shall not any longer. */
export type Addressee =
  | { readonly kind: 'node'; readonly service: Service; readonly port?: number }
  | { readonly kind: 'program'; readonly path: string };

interface Asking {
  readonly services: readonly Service[];
  readonly programs?: readonly string[];
}

/** `told`: what each knows, by name. */
export function addresseesOf(
  { services, programs = [] }: Asking,
  told: ReadonlyMap<string, string>,
): Addressee[] {
  const nodes = services.flatMap((service): Addressee[] => {
    const { name, kind, node } = service;
    if (kind !== 'lnd' || node === undefined) return [];
    if (node.announce !== undefined) return [{ kind: 'node', service, port: node.announce }];
    return (told.get(name) ?? '') === '' ? [] : [{ kind: 'node', service }];
  });
  return [...nodes, ...programs.map((path): Addressee => ({ kind: 'program', path }))];
}

/** For people, and what is kept of it under. */
export function nameOf(addressee: Addressee): string {
  return addressee.kind === 'node' ? addressee.service.name : addressee.path;
}

/** What it shall know: a node announces a port with the address. Empty: nothing any more. `undefined`: no matter what. */
export function wordsFor(addressee: Addressee, address: string | undefined): string | undefined {
  if (addressee.kind === 'program') return address;
  if (addressee.port === undefined) return '';
  return address === undefined ? undefined : `${address}:${addressee.port}`;
}
