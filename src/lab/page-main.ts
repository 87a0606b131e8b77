import { createServer } from 'node:http';
import process from 'node:process';

/** `page-main PORT TITLE`: a page that says who asked, and with which headers. */
const [port, title] = process.argv.slice(2);

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

createServer((request, response) => {
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`);
  const visitor = request.socket.remoteAddress?.replace(/^::ffff:/, '');
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(
    `<!doctype html><title>${escape(title ?? '')}</title><h1>${escape(title ?? '')}</h1>` +
      `<p>you are ${visitor} at ${escape(request.url ?? '')}</p>` +
      `<pre>${escape(headers.join('\n'))}</pre>\n`,
  );
}).listen(Number(port));
