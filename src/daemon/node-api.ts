import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import type { TokenKind } from '../core/node-access.ts';
import type { Rights } from '../core/rights.ts';
import { Secret } from '../core/secret.ts';
import type { Network, Service } from '../core/service.ts';
import { askNode, type NodeAnswer, type NodeRequest } from '../system/node-client.ts';
import { runeRestrictions } from '../wire/cln.ts';
import { announcementRequest, bakeRequest, lndPermissions, type AddressUpdate } from '../wire/lnd.ts';
import { parseMacaroon } from '../wire/macaroon.ts';
import { isRune } from '../wire/wallet.ts';
import { readCertificate, readCredential } from './node-credential.ts';

export interface Minted {
  readonly id: string;
  /** A macaroon as base64, a rune as it is. */
  readonly secret: Secret<string>;
}

const Baked = z.object({ macaroon: z.string().regex(/^([0-9a-f]{2}){1,4096}$/i) });
const Deleted = z.object({ deleted: z.boolean().default(false) });
const Created = z.object({
  rune: z.string().refine(isRune),
  unique_id: z.union([z.string().regex(/^[0-9]{1,20}$/), z.int().min(0).transform(String)]),
});
const Updated = z.object({ ops: z.array(z.unknown()) });
const Info = z.object({ uris: z.array(z.string()).default([]) });
const State = z.object({ state: z.string() });
const Blacklist = z.object({ blacklist: z.array(z.unknown()) });
/** LND has it at the top, clnrest sometimes one level down. */
const Said = z.object({ message: z.string() });
const Refusal = z.union([Said, z.object({ error: Said }).transform(({ error }) => error)]);

const MAKES_OTHERS =
  'may what is configured as its node: make and delete others? LND: macaroon:generate macaroon:write; Core Lightning: createrune, blacklistrune';
const ANNOUNCES = 'may the macaroon that is configured as its node: see and announce? info:read peers:write';
const WITHOUT_PEERSRPC =
  'this LND cannot be told while it runs: it needs version 0.15 or later, built with peersrpc (lncli version shows its build_tags)';

/** A Lightning node as its owner lets the gateway use it: to make credentials and to take them back. */
export class NodeApi {
  readonly #service: Service;
  readonly #network: Network;

  constructor(service: Service, network: Network) {
    this.#service = service;
    this.#network = network;
  }

  /** `rootKeyId` is for a macaroon; a rune gets its id from the node. */
  async mint(kind: TokenKind, rootKeyId: string, rights: Rights, signal: AbortSignal): Promise<Minted> {
    if (kind === 'macaroon') {
      const answer = await this.#lnd('POST', '/v1/macaroon', signal, bakeRequest(rootKeyId, rights));
      const bytes = Buffer.from(this.#read(answer, Baked).macaroon, 'hex');
      this.#demandLeast(bytes, rootKeyId, rights);
      return { id: rootKeyId, secret: new Secret(bytes.toString('base64')) };
    }
    const answer = await this.#cln('createrune', { restrictions: runeRestrictions(rights) }, signal);
    const { rune, unique_id: id } = this.#read(answer, Created);
    return { id, secret: new Secret(rune) };
  }

  /** Also when there is none of this id any more. */
  async revoke(kind: TokenKind, id: string, signal: AbortSignal): Promise<void> {
    if (kind === 'macaroon') {
      this.#read(await this.#lnd('DELETE', `/v1/macaroon/${id}`, signal), Deleted);
      return;
    }
    this.#read(await this.#cln('blacklistrune', { start: Number(id), end: Number(id) }, signal), Blacklist);
  }

  /** `host:port` of every address that LND announces. */
  async announced(signal: AbortSignal): Promise<string[]> {
    const { uris } = this.#read(await this.#lnd('GET', '/v1/getinfo', signal), Info, ANNOUNCES);
    return uris.map((uri) => uri.slice(uri.indexOf('@') + 1));
  }

  /** LND only, also while its wallet is locked: then it takes no macaroon, and needs none for this. */
  async state(signal: AbortSignal): Promise<string> {
    const answer = await this.#ask({ method: 'GET', path: '/v1/state', headers: {} }, signal);
    return this.#read(answer, State, 'this LND needs version 0.14 or later').state;
  }

  /** LND only. */
  async announce(update: AddressUpdate, signal: AbortSignal): Promise<void> {
    const asked = announcementRequest(update);
    const answer = await this.#lnd('POST', '/v2/peers/nodeannouncement', signal, asked);
    // The path is unknown where peersrpc was not built in; 501 is gRPC's UNIMPLEMENTED.
    const isMissing = answer.status === 404 || answer.status === 501;
    this.#read(answer, Updated, isMissing ? WITHOUT_PEERSRPC : ANNOUNCES);
  }

  /** What is handed out is what was asked for, whatever the node made: never more, never of a key that is not its own. */
  #demandLeast(bytes: Uint8Array, rootKeyId: string, rights: Rights): void {
    const macaroon = parseMacaroon(bytes);
    const asked = new Set(lndPermissions(rights).map(({ entity, action }) => `${entity}:${action}`));
    const isLeast = macaroon?.permissions.every(({ entity, action }) => asked.has(`${entity}:${action}`));
    if (macaroon?.rootKeyId === rootKeyId && macaroon.permissions.length > 0 && isLeast === true) return;
    throw this.#failed('it made another macaroon than it was asked for, which is not handed out');
  }

  async #lnd(
    method: NodeRequest['method'],
    path: string,
    signal: AbortSignal,
    body?: object,
  ): Promise<NodeAnswer> {
    const macaroon = await readCredential(this.#service, 'macaroon');
    return this.#ask(
      { method, path, headers: { 'Grpc-Metadata-macaroon': macaroon.reveal() } },
      signal,
      body,
    );
  }

  async #cln(method: string, body: object, signal: AbortSignal): Promise<NodeAnswer> {
    const rune = await readCredential(this.#service, 'rune');
    const asked = { method: 'POST', path: `/v1/${method}`, headers: { Rune: rune.reveal() } } as const;
    return this.#ask(asked, signal, body);
  }

  async #ask(
    asked: Pick<NodeRequest, 'method' | 'path' | 'headers'>,
    signal: AbortSignal,
    body?: object,
  ): Promise<NodeAnswer> {
    const { dial, place } = this.#service;
    const isBehindHub = place.type === 'namespace' || place.type === 'entered';
    return askNode(
      {
        ...asked,
        ...dial,
        localAddress: isBehindHub ? this.#network.edge : undefined,
        certificate: await readCertificate(this.#service),
        ...(body === undefined ? {} : { body }),
      },
      signal,
    );
  }

  #read<Schema extends z.ZodType>(
    { status, body }: NodeAnswer,
    schema: Schema,
    hint = MAKES_OTHERS,
  ): z.infer<Schema> {
    const parsed = schema.safeParse(body);
    if (status >= 200 && status < 300 && parsed.success) return parsed.data;
    const said = Refusal.safeParse(body)
      .data?.message.slice(0, 200)
      .replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
    throw this.#failed(
      said === undefined ? `its answer (${status}) is not understood` : `it said: ${said}`,
      hint,
    );
  }

  #failed(why: string, hint = MAKES_OTHERS): GatewayError {
    return new GatewayError(`the node ${this.#service.name} did not do it: ${why}`, {
      code: 'NodeFailed',
      hint,
    });
  }
}
