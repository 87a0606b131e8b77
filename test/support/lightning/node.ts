import { readFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { MacaroonBakery } from './macaroons.ts';
import { RuneMaster } from './runes.ts';

/**
 * The REST interfaces of LND and of clnrest, as far as making, using and taking back credentials goes: TLS, paths, headers,
 * status codes and JSON as lightning.proto's gateway and clnrest have them. Their programs cannot be had here.
 */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
}

/** What each call needs (lnd's MainRPCServerPermissions). */
const CALLS: Readonly<Record<string, string>> = {
  'GET /v1/getinfo': 'info:read',
  'GET /v1/balance/channels': 'offchain:read',
  'POST /v1/invoices': 'invoices:write',
  'POST /v1/channels/transactions': 'offchain:write',
  'POST /v1/transactions': 'onchain:write',
  'POST /v1/macaroon': 'macaroon:generate',
  'DELETE /v1/macaroon': 'macaroon:write',
  'GET /v1/macaroon/ids': 'macaroon:read',
  'POST /v2/peers/nodeannouncement': 'peers:write',
};

/** Added with the build tag peersrpc. */
const PEERS = 'POST /v2/peers/nodeannouncement';

interface AnnouncementBody {
  readonly address_updates: readonly { readonly action: 'ADD' | 'REMOVE'; readonly address: string }[];
}

interface BakeBody {
  readonly permissions: readonly { readonly entity: string; readonly action: string }[];
  readonly root_key_id: string;
}

export class FakeLnd {
  readonly bakery = new MacaroonBakery();
  /** Answers everything else; a node that is not well. */
  misbehave: ((response: ServerResponse) => boolean) | undefined;
  readonly server: Server;
  /** What it announces, `host:port`: gone when it is restarted, but for what its configuration says. */
  readonly announced = new Set<string>();
  /** Every announcement that went out to its peers, with all addresses in it. */
  readonly broadcasts: string[][] = [];
  /** Called after each. */
  broadcast: () => void = () => undefined;
  hasPeersRpc = true;
  /** As `GET /v1/state` says it, which asks for no macaroon. */
  state = 'SERVER_ACTIVE';

  constructor(tls: TlsFiles) {
    this.server = serve(tls, (request, body, response) => this.#answer(request, body, response));
  }

  #answer(request: IncomingMessage, body: string, response: ServerResponse): void {
    if (this.misbehave?.(response) === true) return;
    const path = request.url ?? '';
    if (path === '/v1/state') return send(response, 200, { state: this.state });
    const deleted = /^\/v1\/macaroon\/([0-9]+)$/.exec(path)?.[1];
    const call = deleted === undefined ? `${request.method} ${path}` : 'DELETE /v1/macaroon';
    const needed = call === PEERS && !this.hasPeersRpc ? undefined : CALLS[call];
    if (needed === undefined) return send(response, 404, { code: 5, message: 'Not Found', details: [] });
    const header = String(request.headers['grpc-metadata-macaroon'] ?? '');
    const checked = this.bakery.verify(Buffer.from(header, 'hex'));
    const refused =
      'refused' in checked ? checked.refused : checked.allowed.has(needed) ? '' : 'permission denied';
    if (refused !== '') return send(response, 500, { code: 2, message: refused, details: [] });
    send(response, 200, this.#do(call, deleted, body));
  }

  #do(call: string, deleted: string | undefined, body: string): object {
    if (deleted !== undefined) return { deleted: this.bakery.deleteRootKey(deleted) };
    if (call === 'GET /v1/macaroon/ids') return { root_key_ids: this.bakery.rootKeyIds };
    if (call === PEERS) return this.#announce(JSON.parse(body) as AnnouncementBody);
    if (call === 'GET /v1/getinfo')
      return { done: call, uris: [...this.announced].map((address) => `02ab@${address}`) };
    if (call !== 'POST /v1/macaroon') return { done: call };
    const { permissions, root_key_id: id } = JSON.parse(body) as BakeBody;
    const byEntity: Record<string, string[]> = {};
    for (const { entity, action } of permissions) (byEntity[entity] ??= []).push(action);
    return { macaroon: this.bakery.bake(id, byEntity).toString('hex') };
  }

  /** As peersrpc's UpdateNodeAnnouncement: what is there is not added again, what is not there is no error to remove. */
  #announce({ address_updates: updates }: AnnouncementBody): object {
    for (const { action, address } of updates) {
      if (action === 'ADD') this.announced.add(address);
      else this.announced.delete(address);
    }
    this.broadcasts.push([...this.announced]);
    this.broadcast();
    const actions = updates.map(
      ({ action, address }) => `${address} ${action === 'ADD' ? 'added' : 'removed'}`,
    );
    return { ops: [{ entity: 'addresses', actions }] };
  }
}

export class FakeCln {
  readonly runes = new RuneMaster();
  readonly server: Server;

  constructor(tls: TlsFiles) {
    this.server = serve(tls, (request, body, response) => {
      const method = /^\/v1\/([a-z-]+)$/.exec(request.url ?? '')?.[1];
      if (request.method !== 'POST' || method === undefined)
        return send(response, 405, { error: { code: 405 } });
      const refused = this.runes.refusal(String(request.headers['rune'] ?? ''), method);
      if (refused !== undefined) return send(response, 401, { error: { code: 1501, message: refused } });
      send(response, 201, this.#do(method, body));
    });
  }

  #do(method: string, body: string): object {
    const asked = JSON.parse(body === '' ? '{}' : body) as {
      restrictions?: string[][];
      start?: number;
      end?: number;
    };
    if (method === 'createrune') return this.runes.create(asked.restrictions ?? []);
    if (method !== 'blacklistrune') return { done: method };
    this.runes.blacklist(asked.start ?? 0, asked.end ?? asked.start ?? 0);
    return { blacklist: this.runes.blacklisted.map((id) => ({ start: id, end: id })) };
  }
}

function serve(
  { key, cert }: TlsFiles,
  answer: (request: IncomingMessage, body: string, response: ServerResponse) => void,
): Server {
  return createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => void (body += chunk));
    request.on('end', () => answer(request, body, response));
  });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
