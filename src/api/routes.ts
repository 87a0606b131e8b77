import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { withoutBody } from './guard.ts';
import {
  DeviceDraft,
  DevicePath,
  Enrolled,
  ErrorBody,
  Event,
  Events,
  EventsQuery,
  ExposeRequest,
  ExposurePath,
  FollowQuery,
  Generations,
  Grant,
  Handouts,
  jobLine,
  NameDraft,
  NamePath,
  NameReports,
  NoQuery,
  OnionImport,
  OnionImported,
  PlaceReport,
  PlanReport,
  RelayBody,
  RelayDraft,
  RelayPath,
  Relays,
  RevokeQuery,
  RollbackRequest,
  ServiceDraft,
  ServiceEdit,
  ServicePath,
  StatusBody,
  UnexposeQuery,
  Ungrant,
  UpReport,
} from './schema.ts';

/** What the API offers, as data: the handlers (app.ts), openapi.json and docs/reference/api.md follow from it. */

const failed = {
  description: 'It failed; `code` is one of docs/reference/errors.md, `hint` says what to do.',
  content: { 'application/json': { schema: ErrorBody } },
};

/** A short call: one JSON object. */
function answers<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { 200: { description, content: { 'application/json': { schema } } }, default: failed };
}

/** Typed so loosely (no media type, no `default`) that handlers may return a plain `Response` of JSON lines. */
type Lines = {
  200: { description: string; content: Record<string, { schema: z.ZodType }> };
};

/** A long call: JSON lines with progress, then the result. */
function reports(schema: z.ZodType, description: string): Lines {
  return lines(`JSON lines: progress, then the result. ${description}`.trim(), jobLine(schema));
}

function lines(description: string, schema: z.ZodType): Lines {
  const all = {
    200: { description, content: { 'application/x-ndjson': { schema } } },
    default: failed,
  };
  return all;
}

function json<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}

const Nothing = z.null();

export const READS = {
  status: createRoute({
    method: 'get',
    path: '/v1/status',
    summary: 'Services, their ways in, devices, and how each is',
    request: { query: NoQuery },
    responses: answers(StatusBody, 'How everything is.'),
  }),
  plan: createRoute({
    method: 'get',
    path: '/v1/plan',
    summary: 'What `up` would change, as sentences; nothing is changed',
    request: { query: NoQuery },
    responses: answers(PlanReport, 'The changes, and what cannot be as the file says.'),
  }),
  events: createRoute({
    method: 'get',
    path: '/v1/events',
    summary: 'What happened, oldest first',
    request: { query: EventsQuery },
    responses: answers(
      Events,
      'Events with a number above `after` (0), at most `limit` (100, at most 1000).',
    ),
  }),
  followEvents: createRoute({
    method: 'get',
    path: '/v1/events/stream',
    summary: 'What happens, as it happens',
    request: { query: FollowQuery },
    responses: lines('JSON lines: one event each; the answer does not end.', Event),
  }),
  generations: createRoute({
    method: 'get',
    path: '/v1/generations',
    summary: 'Configurations that were applied, oldest first',
    request: { query: NoQuery },
    responses: answers(Generations, 'The generations.'),
  }),
  handouts: createRoute({
    method: 'get',
    path: '/v1/services/{name}/handouts',
    summary: 'What a visitor of a service needs; no secrets',
    request: { params: ServicePath, query: NoQuery },
    responses: answers(Handouts, 'Links, as text for a QR code.'),
  }),
  names: createRoute({
    method: 'get',
    path: '/v1/names',
    summary: "Public names that are kept at the home's address",
    request: { query: NoQuery },
    responses: answers(NameReports, 'The names, and what their hosts said.'),
  }),
  relays: createRoute({
    method: 'get',
    path: '/v1/relays',
    summary: 'Relays that were joined, each asked how it is',
    request: { query: NoQuery },
    responses: answers(Relays, 'The relays.'),
  }),
  place: createRoute({
    method: 'get',
    path: '/v1/services/{name}/place',
    summary: 'Where a program must run to be this service',
    request: { params: ServicePath, query: NoQuery },
    responses: answers(PlaceReport, 'Namespace, user id, directory, address.'),
  }),
};

export const WRITES = {
  up: createRoute({
    method: 'post',
    path: '/v1/up',
    summary: 'Apply gateway.yaml as it is now',
    request: { query: NoQuery },
    middleware: withoutBody,
    responses: reports(UpReport, 'The result comes when everything is programmed.'),
  }),
  down: createRoute({
    method: 'post',
    path: '/v1/down',
    summary: 'Remove everything of ours from the machine (keys and state stay), then end the daemon',
    request: { query: NoQuery },
    middleware: withoutBody,
    responses: reports(Nothing, 'The result is null.'),
  }),
  addService: createRoute({
    method: 'post',
    path: '/v1/services',
    summary: 'Add a service to gateway.yaml and apply it',
    request: { query: NoQuery, body: json(ServiceDraft) },
    responses: reports(UpReport, ''),
  }),
  setService: createRoute({
    method: 'patch',
    path: '/v1/services/{name}',
    summary: 'Change a service; what is left out stays',
    request: { params: ServicePath, query: NoQuery, body: json(ServiceEdit) },
    responses: reports(UpReport, ''),
  }),
  removeService: createRoute({
    method: 'delete',
    path: '/v1/services/{name}',
    summary: 'Remove a service from gateway.yaml and from the machine',
    request: { params: ServicePath, query: NoQuery },
    middleware: withoutBody,
    responses: reports(UpReport, ''),
  }),
  expose: createRoute({
    method: 'put',
    path: '/v1/services/{name}/expose/{provider}',
    summary: 'Open a way in',
    request: { params: ExposurePath, query: NoQuery, body: json(ExposeRequest) },
    responses: reports(UpReport, ''),
  }),
  unexpose: createRoute({
    method: 'delete',
    path: '/v1/services/{name}/expose/{provider}',
    summary: 'Close a way in; with `now=true` also end connections that are open',
    request: { params: ExposurePath, query: UnexposeQuery },
    middleware: withoutBody,
    responses: reports(UpReport, ''),
  }),
  importOnionKey: createRoute({
    method: 'put',
    path: '/v1/services/{name}/onion-key',
    summary: 'Keep the key of an onion address that another tor has served, for a service without one',
    request: { params: ServicePath, query: NoQuery, body: json(OnionImport) },
    responses: reports(OnionImported, '`AlreadyExists` when the service has another key.'),
  }),
  unexposeAll: createRoute({
    method: 'delete',
    path: '/v1/exposures',
    summary: 'Close every way in of every service; with `now=true` also end connections that are open',
    request: { query: UnexposeQuery },
    middleware: withoutBody,
    responses: reports(UpReport, '`rollback` undoes it.'),
  }),
  setName: createRoute({
    method: 'put',
    path: '/v1/names/{name}',
    summary: "Keep a public name at the home's address, with register=true after taking it at its host",
    request: { params: NamePath, query: NoQuery, body: json(NameDraft) },
    responses: reports(UpReport, ''),
  }),
  removeName: createRoute({
    method: 'delete',
    path: '/v1/names/{name}',
    summary: "Keep a name no longer at the home's address",
    request: { params: NamePath, query: NoQuery },
    middleware: withoutBody,
    responses: reports(UpReport, 'Its address is taken away where its host knows how.'),
  }),
  addDevice: createRoute({
    method: 'post',
    path: '/v1/devices',
    summary: 'Add a device and hand out its credentials, once',
    request: { query: NoQuery, body: json(DeviceDraft) },
    responses: reports(Enrolled, 'Private keys in `handouts` are not kept.'),
  }),
  grantDevice: createRoute({
    method: 'post',
    path: '/v1/devices/{name}/grant',
    summary: 'Give a device more services; what it has goes on as it is',
    request: { params: DevicePath, query: NoQuery, body: json(Grant) },
    responses: reports(
      Enrolled,
      '`handouts` is what is new for it; empty when its tunnel leads there already.',
    ),
  }),
  ungrantDevice: createRoute({
    method: 'post',
    path: '/v1/devices/{name}/ungrant',
    summary: 'Take services away from a device and cut what it has open with them',
    request: { params: DevicePath, query: NoQuery, body: json(Ungrant) },
    responses: reports(Nothing, 'The result is null.'),
  }),
  renewDevice: createRoute({
    method: 'post',
    path: '/v1/devices/{name}/renew',
    summary: 'Give a device new keys; the old ones stop working at once',
    request: { params: DevicePath, query: NoQuery },
    middleware: withoutBody,
    responses: reports(Enrolled, 'Private keys in `handouts` are not kept.'),
  }),
  revokeDevice: createRoute({
    method: 'delete',
    path: '/v1/devices/{name}',
    summary: 'Revoke a device and cut its session; with `gently=true` no other device is disturbed',
    request: { params: DevicePath, query: RevokeQuery },
    middleware: withoutBody,
    responses: reports(Nothing, 'The result is null.'),
  }),
  joinRelay: createRoute({
    method: 'post',
    path: '/v1/relays',
    summary: 'Join a relay by its invite',
    request: { query: NoQuery, body: json(RelayDraft) },
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
  rollback: createRoute({
    method: 'post',
    path: '/v1/rollback',
    summary: 'Set gateway.yaml back to a generation and apply it',
    description: 'Without `generation`: the last one before the current that was fully programmed.',
    request: { query: NoQuery, body: json(RollbackRequest) },
    responses: reports(UpReport, ''),
  }),
};
