import { Hono } from 'hono';
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { messageOf } from '../core/errors.ts';
import { HANDOUT_PATH } from '../core/name.ts';
import type { Log } from '../core/ports.ts';

export type Handed =
  | {
      readonly status: 'ready';
      readonly device: string;
      /** Suggested name. */
      readonly file: string;
      /** PKCS#12, for who took it. */
      readonly content?: Uint8Array;
      /** By which who took it now is known again. */
      readonly holder?: string;
    }
  | { readonly status: 'used'; readonly device: string; readonly at: string }
  | { readonly status: 'over'; readonly device: string }
  | { readonly status: 'unknown' }
  | { readonly status: 'often' };

export interface Asked {
  readonly token: string;
  readonly host: string;
  /** The visitor's address. */
  readonly from: string;
  /** What a visitor was given who took it before. */
  readonly holder: string | undefined;
}

/** Who holds the links. */
export interface HandoutDesk {
  look(asked: Asked): Handed;
  take(asked: Asked): Handed;
}

/**
 * What visitors of a one-time link get, behind HAProxy: a page with one button, and by that the file. Chats and mail programs
 * open each link that they carry to show what is behind; the link is used only by who presses the button. From then on it
 * works in that browser alone, for as long as it works at all: downloads break off, and Android's own program for them asks
 * a second time, by GET.
 */
export function createHandoutApp(desk: HandoutDesk, log: Log): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    c.header('Cache-Control', 'no-store');
    c.header('Referrer-Policy', 'no-referrer');
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Content-Security-Policy', "default-src 'none'; form-action 'self'; frame-ancestors 'none'");
  });
  app.onError((error, c) => {
    log('error', 'a certificate of a device was not handed out', { error: messageOf(error) });
    return page(c, 500, 'Not at the moment', 'Something went wrong. Try again.');
  });
  app.get(`${HANDOUT_PATH}:token`, (c) => answer(c, desk.look(askedBy(c))));
  app.post(`${HANDOUT_PATH}:token`, (c) => {
    const handed = desk.take(askedBy(c));
    if (handed.status === 'ready' && handed.holder !== undefined) {
      const options = { path: c.req.path, secure: true, httpOnly: true, sameSite: 'Strict' } as const;
      setCookie(c, COOKIE, handed.holder, options);
    }
    return answer(c, handed);
  });
  app.notFound((c) => answer(c, { status: 'unknown' }));
  return app;
}

/** HAProxy sets both headers itself. */
function askedBy(c: Context): Asked {
  return {
    token: c.req.param('token') ?? '',
    host: c.req.header('Host') ?? '',
    from: c.req.header('X-Real-IP') ?? '',
    holder: getCookie(c, COOKIE),
  };
}

/** For that path alone, so that the service never sees it; and by https alone. */
const COOKIE = '__Secure-gateway-device';

const AGAIN = 'Ask whoever runs this gateway for another one (gateway device renew).';

function answer(c: Context, handed: Handed): Response {
  switch (handed.status) {
    case 'ready':
      if (handed.content !== undefined) return fileOf(c, handed.file, handed.content);
      return page(
        c,
        200,
        `Certificate of ${handed.device}`,
        'It lets this device in, and whoever else holds it. It is handed out once: open this page on the device itself. The device then asks for the password that stands beside the link.',
        '<form method=post><button>Fetch it</button></form>',
      );
    case 'used':
      return page(
        c,
        410,
        'Used already',
        `This link worked once, at ${handed.at}. Was that not you? Then say so at once: ${handed.device} must be revoked. ${AGAIN}`,
      );
    case 'over':
      return page(c, 410, 'Over', `The time of this link is over. ${AGAIN}`);
    case 'often':
      return page(c, 429, 'Too many', 'Too many links that do not exist were asked for. Wait a minute.');
    case 'unknown':
      return page(c, 404, 'Unknown', `There is no such link here, or not any more. ${AGAIN}`);
  }
}

function fileOf(c: Context, name: string, content: Uint8Array): Response {
  return c.body(Uint8Array.from(content), 200, {
    'Content-Type': 'application/x-pkcs12',
    'Content-Disposition': `attachment; filename="${name}"`,
  });
}

/** Without scripts, for every browser. Nothing in it comes from a visitor. */
function page(
  c: Context,
  status: 200 | 404 | 410 | 429 | 500,
  title: string,
  text: string,
  rest = '',
): Response {
  const head = `<meta charset=utf-8><meta name=viewport content="width=device-width"><title>${title}</title>`;
  const html = `<!doctype html><html lang=en>${head}<h1>${title}</h1><p>${text}</p>${rest}`;
  return c.html(html, status);
}
