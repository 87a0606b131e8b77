import type { DeviceCard } from '../core/card.ts';
import { svgQr } from './qr.ts';

/**
 * A card as one file: no script, nothing that is loaded from anywhere. The text is in it as it stands, because the code is
 * made of that.
 */
export function cardPage({ device, services, text, code }: DeviceCard): string {
  const pictures = services.flatMap(({ name, ways }) =>
    ways.map(({ url, provider }) => {
      const link = /^https?:/.test(url)
        ? `<a rel="noreferrer" href="${escaped(url)}">${escaped(url)}</a>`
        : escaped(url);
      return `<figure>${svgQr(url).trimEnd()}<figcaption>${escaped(name)}, ${escaped(provider)}: ${link}</figcaption></figure>`;
    }),
  );
  const proof =
    code === null ? '' : `<p>Code: <code id="code">${escaped(code)}</code> (${escaped(CHECKED)})</p>\n`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width">
<title>${escaped(device)}</title>
<style>body{font:1em sans-serif;margin:1em;max-width:48em}pre{white-space:pre-wrap;overflow-wrap:anywhere}svg{width:12em}</style>
<pre id="card">${escaped(text)}</pre>
${proof}${pictures.join('\n')}
</html>
`;
}

const CHECKED = 'only this device and its home can check it: gateway device card NAME --check FILE';

export interface CardFile {
  readonly text: string;
  readonly code: string;
}

/** What a file of ours says; `undefined` when it is none, or has no code. */
export function readCardPage(page: string): CardFile | undefined {
  const text = /<pre id="card">([^<]*)<\/pre>/.exec(page)?.[1];
  const code = /<code id="code">([A-Za-z0-9_-]{1,64})<\/code>/.exec(page)?.[1];
  return text === undefined || code === undefined ? undefined : { text: unescaped(text), code };
}

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' } as const;

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => ESCAPES[letter as keyof typeof ESCAPES]);
}

function unescaped(text: string): string {
  return Object.entries(ESCAPES)
    .toReversed()
    .reduce((plain, [letter, escape]) => plain.replaceAll(escape, letter), text);
}
