import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * The service of the demo: a small shop whose pages need no JavaScript. It knows nothing of the gateway, listens on
 * every address of its namespace, of both families, unless told otherwise, and says whom it sees, so that a visitor can
 * tell which way they came: as a proxy says, if there is one, else who connects.
 *
 *   node shop.js PORT [ADDRESS]
 */
interface Product {
  readonly id: string;
  readonly title: string;
  readonly sats: number;
}

const PRODUCTS: readonly Product[] = [
  { id: 'honey', title: 'A jar of heather honey', sats: 21_000 },
  { id: 'soap', title: 'A bar of olive soap', sats: 6_500 },
  { id: 'bread', title: 'A loaf of rye bread', sats: 9_900 },
];

const DOWNLOAD_LIMIT_BYTES = 1024 ** 3;
const BODY_LIMIT_BYTES = 10_000;

let orders = 0;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://shop');
  if (request.method === 'POST' && url.pathname === '/buy') return buy(request, response);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return page(response, 405, '<p>Not possible here.</p>');
  if (url.pathname === '/') return page(response, 200, shelf(visitorOf(request)));
  if (url.pathname === '/download') return download(url, response);
  return page(response, 404, '<p>There is no such page.</p>');
}

function visitorOf({ headers, socket }: IncomingMessage): string {
  const told = headers['x-forwarded-for'];
  return (typeof told === 'string' ? told : socket.remoteAddress) ?? 'nobody';
}

function shelf(visitor: string): string {
  const items = PRODUCTS.map(
    ({ id, title, sats }) =>
      `<li>${title}, ${sats.toLocaleString('en')} sats <form method="post" action="/buy"><button name="id" value="${id}">Buy</button></form></li>`,
  );
  return `<ul>${items.join('\n')}</ul>\n<p class="visitor">You come from ${visitor.replace(/^::ffff:/, '')}.</p>`;
}

async function buy(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > BODY_LIMIT_BYTES) return page(response, 413, '<p>That is too much.</p>');
  }
  const product = PRODUCTS.find(({ id }) => id === new URLSearchParams(body).get('id'));
  if (product === undefined) return page(response, 400, '<p>That is not for sale.</p>');
  orders += 1;
  page(
    response,
    200,
    `<p>Thank you. Order ${orders}: ${product.title}, ${product.sats.toLocaleString('en')} sats.</p>`,
  );
}

/** `GET /download?bytes=N`: a body of known length, to measure a way in or to watch it while things break. */
function download(url: URL, response: ServerResponse): void {
  const wanted = Number(url.searchParams.get('bytes') ?? '0');
  if (!Number.isSafeInteger(wanted) || wanted < 0 || wanted > DOWNLOAD_LIMIT_BYTES) {
    page(response, 400, '<p>bytes must be a whole number up to a gibibyte.</p>');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': wanted });
  const block = Buffer.alloc(64 * 1024, 'shop ');
  let left = wanted;
  const pour = (): void => {
    while (left > 0) {
      const piece = block.subarray(0, Math.min(left, block.length));
      left -= piece.length;
      if (!response.write(piece)) return void response.once('drain', pour);
    }
    response.end();
  };
  pour();
}

function page(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The corner shop</title><style>body{font:1.1rem/1.5 sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}form{display:inline}</style>
<h1>The corner shop</h1>${body}</html>\n`,
  );
}

const port = Number(process.argv[2] ?? '80');
createServer((request, response) => {
  answer(request, response).catch((error: unknown) =>
    response.destroy(error instanceof Error ? error : undefined),
  );
}).listen(port, process.argv[3]);
