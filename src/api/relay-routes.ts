import { createRoute } from '@hono/zod-openapi';
import { WalkQuestion } from '../core/relay-walk.ts';
import { json, reports } from './describe.ts';
import { withoutBody } from './guard.ts';
import { NoQuery, RelayBody, RelayDraft, RelayPath, UpReport, WalkBody } from './schema.ts';

/** What can be done with relays. */
export const RELAY_WRITES = {
  joinRelay: createRoute({
    method: 'post',
    path: '/v1/relays',
    summary: 'Join a relay by its invite',
    request: { query: NoQuery, body: json(RelayDraft) },
    responses: reports(RelayBody, ''),
  }),
  walk: createRoute({
    method: 'post',
    path: '/v1/relays/{name}/walk',
    summary: 'Have a relay help to see which routers on the way keep state',
    description:
      'Without `session` a new walk begins. The relay sends its datagrams to the address that this gateway asks it from, and to no other.',
    request: { params: RelayPath, query: NoQuery, body: json(WalkQuestion) },
    responses: reports(WalkBody, 'What the relay heard so far.'),
  }),
  rotateRelay: createRoute({
    method: 'post',
    path: '/v1/relays/{name}/rotate',
    summary: 'Replace the key of our end of the tunnel, on both sides',
    request: { params: RelayPath, query: NoQuery },
    middleware: withoutBody,
    responses: reports(RelayBody, ''),
  }),
  removeRelay: createRoute({
    method: 'delete',
    path: '/v1/relays/{name}',
    summary: 'Leave a relay and forget its key',
    request: { params: RelayPath, query: NoQuery },
    middleware: withoutBody,
    responses: reports(UpReport, ''),
  }),
};
