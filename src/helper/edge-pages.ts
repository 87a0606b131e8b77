/** What the edge itself says to a person, in place of a service. Plain HTML, for every browser. */
const TEXTS = {
  devices: [
    403,
    'Not for this device',
    'Only devices that were added to this gateway may come in here. Was this one added? Install the certificate that it was given, close the browser and open it again, and choose the certificate when it asks. Otherwise ask whoever runs this gateway to add it.',
  ],
  plain: [403, 'Not without encryption', 'This link works with https alone. Ask for another one.'],
  absent: [
    503,
    'Not at the moment',
    'The gateway that hands out certificates does not answer, and knows no link any more that it made before. Ask for another one.',
  ],
  wallet: [
    403,
    'Not from here',
    'The wallet cannot be opened from here. Open it on its own machine, or with a device that was given the right lnd:unlock.',
  ],
  elsewhere: [
    421,
    'Another page',
    'The connection was made for another name than this page has. Open it anew.',
  ],
  often: [
    429,
    'Too many requests',
    'Too much was asked from your address. Wait ten seconds, then try again.',
  ],
} as const;

/** The rest of a `http-request return`. */
export function page(name: keyof typeof TEXTS): string {
  const [status, title, text] = TEXTS[name];
  return `status ${status} ${htmlOf(title, text)}`;
}

/** For a service that hung up, is not there, or says nothing. */
export function servicePages(): string[] {
  const text = 'What is behind this page does not answer at the moment. Try again in a minute.';
  return [502, 503, 504].map((status) => `    http-error status ${status} ${htmlOf('No answer', text)}`);
}

/** No quotation mark may stand in it. */
function htmlOf(title: string, text: string): string {
  const head = `<meta charset=utf-8><meta name=viewport content=width=device-width><title>${title}</title>`;
  return `content-type text/html string "<!doctype html><html lang=en>${head}<h1>${title}</h1><p>${text}</p>"`;
}
