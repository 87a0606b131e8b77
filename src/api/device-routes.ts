import { createRoute } from '@hono/zod-openapi';
import { CardChecked, CardProof } from './card-schema.ts';
import { json, reports } from './describe.ts';
import { withoutBody } from './guard.ts';
import {
  DeviceDraft,
  DevicePath,
  Enrolled,
  Grant,
  MintedToken,
  Minting,
  NoQuery,
  RevokeQuery,
  Taken,
  Ungrant,
} from './schema.ts';

const TAKEN = '`notices`: what a Lightning node has not taken back yet.';

/** What can be done with devices. */
export const DEVICE_WRITES = {
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
    responses: reports(Taken, TAKEN),
  }),
  mintToken: createRoute({
    method: 'post',
    path: '/v1/devices/{name}/tokens',
    summary: 'Make a macaroon or rune of its own for a device, which is revoked with it',
    description: 'The service must have been given to it. The one that it had before works no more.',
    request: { params: DevicePath, query: NoQuery, body: json(Minting) },
    responses: reports(MintedToken, '`secret` is not kept.'),
  }),
  checkCard: createRoute({
    method: 'post',
    path: '/v1/devices/{name}/card/check',
    summary: 'Did this home write this card, for this device?',
    request: { params: DevicePath, query: NoQuery, body: json(CardProof) },
    responses: reports(CardChecked, ''),
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
    responses: reports(Taken, TAKEN),
  }),
};
