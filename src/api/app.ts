import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import type { Control } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { METRICS_TYPE } from './describe.ts';
import { failureOf, refusal } from './errors.ts';
import { followEvents } from './follow.ts';
import { guard, MAX_BODY_BYTES } from './guard.ts';
import { answerJob } from './job.ts';
import { READS, WRITES } from './routes.ts';

export interface AppOptions {
  /** Aborted when the daemon ends; a caller that hangs up never aborts what was begun (see job.ts). */
  readonly signal?: AbortSignal;
}

const MAX_EVENTS = 1000;

/** The API over HTTP. It listens nowhere: `serveOnSocket` (src/daemon/listen.ts) does, and tests call `request()`. */
export function createApp(control: Control, log: Log, options: AppOptions = {}): OpenAPIHono {
  const signal = options.signal ?? new AbortController().signal;
  const app = new OpenAPIHono({
    defaultHook: (result, c) => {
      if (result.success) return undefined;
      const { body, status } = refusal(400, wordsFor(result.error.issues));
      return c.json(body, status);
    },
  });
  app.use(guard);
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (c) => {
        const { body, status } = refusal(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
        return c.json(body, status);
      },
    }),
  );
  app.onError((error, c) => {
    const { body, status } = failureOf(error, log);
    return c.json(body, status);
  });
  app.notFound((c) => {
    const { body, status } = refusal(
      404,
      `there is no ${c.req.method} ${c.req.path}`,
      'see GET /v1/openapi.json',
    );
    return c.json(body, status);
  });
  addReads(app, control, log, signal);
  addServiceWrites(app, control, log, signal);
  addNameWrites(app, control, log, signal);
  addRelayWrites(app, control, log, signal);
  addOtherWrites(app, control, log, signal);
  app.get('/v1/openapi.json', (c) => c.json(openApiDocument(app)));
  return app;
}

/** The OpenAPI 3.1 description of the API, also written to docs/reference/openapi.json. */
export function openApiDocument(app: OpenAPIHono): ReturnType<OpenAPIHono['getOpenAPI31Document']> {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Gateway', version: '1', description: 'JSON over HTTP on the unix socket run/api.sock.' },
  });
}

function addReads(app: OpenAPIHono, control: Control, log: Log, signal: AbortSignal): void {
  app.openapi(READS.status, async (c) => c.json(await control.status(), 200));
  // A plan changes nothing, so it may end with its caller.
  app.openapi(READS.plan, async (c) =>
    c.json(await control.plan(AbortSignal.any([signal, c.req.raw.signal])), 200),
  );
  app.openapi(READS.ports, async (c) =>
    c.json(await control.ports(AbortSignal.any([signal, c.req.raw.signal])), 200),
  );
  app.openapi(READS.certificates, async (c) =>
    c.json(await control.certificates(AbortSignal.any([signal, c.req.raw.signal])), 200),
  );
  app.openapi(READS.events, async (c) => {
    const { after, limit } = c.req.valid('query');
    return c.json(await control.events(Number(after ?? 0), limitOf(limit)), 200);
  });
  app.openapi(READS.followEvents, (c) => {
    const body = followEvents(control, Number(c.req.valid('query').after ?? 0), signal, log);
    return c.body(body, 200, { 'Content-Type': 'application/x-ndjson' });
  });
  app.openapi(READS.generations, async (c) => c.json(await control.generations(), 200));
  app.openapi(READS.handouts, async (c) => c.json(await control.handouts(c.req.valid('param').name), 200));
  app.openapi(READS.names, async (c) => c.json(await control.names(), 200));
  app.openapi(READS.address, async (c) =>
    c.json(await control.address(c.req.valid('query').nat === 'true', signal), 200),
  );
  app.openapi(READS.deviceCard, async (c) =>
    c.json(await control.deviceCard(c.req.valid('param').name), 200),
  );
  app.openapi(READS.metrics, async (c) =>
    c.body(await control.metrics(), 200, { 'Content-Type': METRICS_TYPE }),
  );
  app.openapi(READS.relays, async (c) => c.json(await control.relays(signal), 200));
  app.openapi(READS.place, async (c) => c.json(await control.place(c.req.valid('param').name), 200));
}

function addServiceWrites(app: OpenAPIHono, control: Control, log: Log, signal: AbortSignal): void {
  app.openapi(WRITES.addService, (c) => {
    const draft = c.req.valid('json');
    return answerJob(c, log, (progress) => control.addService(draft, progress, signal));
  });
  app.openapi(WRITES.setService, (c) => {
    const { name } = c.req.valid('param');
    const { name: repeated, ...edit } = c.req.valid('json');
    refuseOther('name', name, repeated);
    return answerJob(c, log, (progress) => control.setService(name, edit, progress, signal));
  });
  app.openapi(WRITES.removeService, (c) => {
    const { name } = c.req.valid('param');
    return answerJob(c, log, (progress) => control.removeService(name, progress, signal));
  });
  app.openapi(WRITES.expose, (c) => {
    const { name, provider } = c.req.valid('param');
    const body = c.req.valid('json');
    refuseOther('service', name, body.service);
    refuseOther('provider', provider, body.provider);
    return answerJob(c, log, (progress) =>
      control.expose(name, provider, body.options ?? {}, progress, signal),
    );
  });
  app.openapi(WRITES.importOnionKey, (c) => {
    const { name } = c.req.valid('param');
    const key = c.req.valid('json');
    return answerJob(c, log, () => control.importOnionKey(name, key));
  });
  app.openapi(WRITES.unexpose, (c) => {
    const { name, provider } = c.req.valid('param');
    const isNow = c.req.valid('query').now === 'true';
    return answerJob(c, log, (progress) => control.unexpose(name, provider, isNow, progress, signal));
  });
  app.openapi(WRITES.unexposeAll, (c) => {
    const isNow = c.req.valid('query').now === 'true';
    return answerJob(c, log, (progress) => control.unexposeAll(isNow, progress, signal));
  });
}

function addNameWrites(app: OpenAPIHono, control: Control, log: Log, signal: AbortSignal): void {
  app.openapi(WRITES.setName, (c) => {
    const draft = c.req.valid('json');
    refuseOther('name', c.req.valid('param').name, draft.name);
    return answerJob(c, log, (progress) => control.setName(draft, progress, signal));
  });
  app.openapi(WRITES.renewCertificate, (c) => {
    const { name } = c.req.valid('param');
    return answerJob(c, log, () => control.renewCertificate(name));
  });
  app.openapi(WRITES.revokeCertificate, (c) => {
    const { name } = c.req.valid('param');
    const isCompromised = c.req.valid('query').compromised === 'true';
    return answerJob(c, log, () => control.revokeCertificate(name, isCompromised, signal));
  });
  app.openapi(WRITES.removeName, (c) => {
    const { name } = c.req.valid('param');
    return answerJob(c, log, (progress) => control.removeName(name, progress, signal));
  });
}

function addOtherWrites(app: OpenAPIHono, control: Control, log: Log, signal: AbortSignal): void {
  app.openapi(WRITES.up, (c) => answerJob(c, log, (progress) => control.up(progress, signal)));
  app.openapi(WRITES.down, (c) => answerJob(c, log, (progress) => control.down(progress, signal)));
  app.openapi(WRITES.addDevice, (c) => {
    const draft = c.req.valid('json');
    return answerJob(c, log, (progress) => control.addDevice(draft, progress, signal));
  });
  app.openapi(WRITES.renewDevice, (c) => {
    const { name } = c.req.valid('param');
    return answerJob(c, log, (progress) => control.renewDevice(name, progress, signal));
  });
  app.openapi(WRITES.grantDevice, (c) => {
    const { name } = c.req.valid('param');
    const grant = c.req.valid('json');
    return answerJob(c, log, (progress) => control.grantDevice(name, grant, progress, signal));
  });
  app.openapi(WRITES.ungrantDevice, (c) => {
    const { name } = c.req.valid('param');
    const grant = c.req.valid('json');
    return answerJob(c, log, (progress) => control.ungrantDevice(name, grant, progress, signal));
  });
  app.openapi(WRITES.checkCard, (c) => {
    const { name } = c.req.valid('param');
    const card = c.req.valid('json');
    return answerJob(c, log, () => control.checkCard(name, card));
  });
  app.openapi(WRITES.mintToken, (c) => {
    const { name } = c.req.valid('param');
    const minting = c.req.valid('json');
    return answerJob(c, log, (progress) => control.mintToken(name, minting, progress, signal));
  });
  app.openapi(WRITES.revokeDevice, (c) => {
    const { name } = c.req.valid('param');
    const isGentle = c.req.valid('query').gently === 'true';
    return answerJob(c, log, (progress) => control.revokeDevice(name, isGentle, progress, signal));
  });
  app.openapi(WRITES.openThrough, (c) => {
    const through = c.req.valid('json');
    return answerJob(c, log, () => control.openThrough(through, signal));
  });
  app.openapi(WRITES.closeThrough, (c) => answerJob(c, log, () => control.closeThrough(signal)));
  app.openapi(WRITES.testNotices, (c) => answerJob(c, log, () => control.testNotices(signal)));
  app.openapi(WRITES.rollback, (c) => {
    const { generation } = c.req.valid('json');
    return answerJob(c, log, (progress) => control.rollback(generation, progress, signal));
  });
}

/** A body that names another thing than the path is a mistake of the caller; guessing which one is meant is worse. */
function addRelayWrites(app: OpenAPIHono, control: Control, log: Log, signal: AbortSignal): void {
  app.openapi(WRITES.joinRelay, (c) => {
    const draft = c.req.valid('json');
    return answerJob(c, log, (progress) => control.joinRelay(draft, progress, signal));
  });
  app.openapi(WRITES.walk, (c) => {
    const { name } = c.req.valid('param');
    const question = c.req.valid('json');
    return answerJob(c, log, () => control.walk(name, question, signal));
  });
  app.openapi(WRITES.rotateRelay, (c) => {
    const { name } = c.req.valid('param');
    return answerJob(c, log, (progress) => control.rotateRelay(name, progress, signal));
  });
  app.openapi(WRITES.removeRelay, (c) => {
    const { name } = c.req.valid('param');
    return answerJob(c, log, (progress) => control.removeRelay(name, progress, signal));
  });
}

function refuseOther(field: string, inPath: string, inBody: string | undefined): void {
  if (inBody === undefined || inBody === inPath) return;
  throw new GatewayError(`${field} is "${inBody}" in the body and "${inPath}" in the path`, {
    code: 'InvalidRequest',
  });
}

function limitOf(limit: string | undefined): number {
  return Math.min(Math.max(Number(limit ?? 100), 1), MAX_EVENTS);
}

function wordsFor(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`))
    .join('; ');
}
