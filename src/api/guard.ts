import type { Context, MiddlewareHandler } from 'hono';
import { type Failure, refusal } from './errors.ts';

/** The Host that every caller says; not a name that DNS could ever be made to resolve for a browser. */
export const API_HOST = 'gateway';
export const MAX_BODY_BYTES = 1024 * 1024;

/**
 * The API listens on a unix socket for local tools only. Should anything ever carry it to a port (a tunnel, a proxy),
 * a web page must not be able to use it: browsers cannot leave out `Origin` on such calls, nor choose `Host`.
 */
export const guard: MiddlewareHandler = async (c, next) => {
  const refused = refuse(c);
  if (refused !== undefined) return c.json(refused.body, refused.status);
  await next();
  c.header('Cache-Control', 'no-store');
  c.header('X-Content-Type-Options', 'nosniff');
  return undefined;
};

function refuse(c: Context): Failure | undefined {
  for (const header of ['Origin', 'Referer']) {
    if (c.req.header(header) !== undefined) {
      return refusal(
        403,
        `a request with the header ${header} comes from a web page; this API is for local tools`,
      );
    }
  }
  const host = c.req.header('Host');
  if (host !== API_HOST) {
    return refusal(403, `the header Host is ${quoted(host)}, expected "${API_HOST}"`);
  }
  const type = c.req.header('Content-Type');
  if (type === undefined ? hasBody(c) : mediaType(type) !== 'application/json') {
    return refusal(415, `the header Content-Type is ${quoted(type)}, expected "application/json"`);
  }
  return undefined;
}

function hasBody(c: Context): boolean {
  return (c.req.header('Content-Length') ?? '0') !== '0' || c.req.header('Transfer-Encoding') !== undefined;
}

function mediaType(header: string): string {
  return header.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'missing' : JSON.stringify(value.slice(0, 80));
}

/** For calls that take no body: a body would be a request that we misunderstand. */
export const withoutBody: MiddlewareHandler = async (c, next) => {
  const text = (await c.req.text()).trim();
  if (text !== '' && text !== '{}') {
    const { body, status } = refusal(400, `${c.req.method} ${c.req.path} takes no body`);
    return c.json(body, status);
  }
  await next();
  return undefined;
};
