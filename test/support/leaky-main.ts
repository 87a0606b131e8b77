import { createServer } from 'node:http';

/**
 * A web program as many are: it greets its visitor, and sends those who are lost to where it was set up.
 *
 *   leaky-main.ts PORT [LOCATION]
 */
const [port, location = ''] = process.argv.slice(2);
const items = Array.from({ length: 12 }, (_, index) => `<li>jar ${index + 1} of heather honey</li>`);

createServer((request, response) => {
  if (request.url !== '/') return void response.writeHead(302, { location }).end();
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(
    `<!doctype html><title>Honey</title>\n${items.join('\n')}\n<p>asked as ${request.headers.host}</p>\n`,
  );
}).listen(Number(port));
