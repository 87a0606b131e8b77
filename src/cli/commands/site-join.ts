import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errnoOf, GatewayError, messageOf } from '../../core/errors.ts';
import { type Command, EXIT } from '../command.ts';
import { show } from '../report.ts';

export const siteJoin: Command = {
  name: 'site join',
  summary: 'On a laptop or server of yours: one local port per service, behind which ways in take over',
  details: [
    'FILE is what gateway site add --bundle wrote at home. Each service gets a port of 127.0.0.1 that stays the same; HAProxy takes who connects there by the first way in that works, in the service’s order: by WireGuard (the files of gateway site add make that tunnel), by its name on the internet, by its onion through a tor of its own. Runs until Ctrl-C; needs no root.',
    'Ask there without TLS: what goes over the internet is wrapped in TLS, and the certificate checked. Whoever has an account on the machine can use the ports.',
  ],
  arguments: [{ name: 'FILE', completion: 'file', summary: 'The bundle' }],
  options: [
    {
      name: 'state',
      value: 'DIR',
      completion: 'file',
      summary: 'Where ports and what tor remembers are kept; FILE.state when left out',
    },
    {
      name: 'torrc',
      value: 'FILE',
      completion: 'file',
      summary: 'More lines for its tor, like bridges',
    },
    {
      name: 'ca',
      value: 'FILE',
      completion: 'file',
      summary: 'Authorities (PEM) to trust instead of those that the machine trusts',
    },
  ],
  examples: ['gateway site join webshop.site'],
  run: async (input, context) => {
    const file = input.argument('FILE');
    const { readBundle } = await import('../site-bundle-file.ts');
    const bundle = await readBundle(file);
    const { joinSite } = await import('../site-join.ts');
    await joinSite({
      bundle,
      directory: resolve(input.text('state') ?? `${file}.state`),
      torrc: (await textOf(input.text('torrc'))) ?? '',
      authorities: await textOf(input.text('ca')),
      note: (text) => context.terminal.note(text),
      using: (service, port, way) => {
        const isPage = bundle.services.some(({ name, isPage }) => name === service && isPage);
        const url = `${isPage ? 'http' : 'tcp'}://127.0.0.1:${port}`;
        show(context, { service, url, way }, () =>
          way === null ? `${service}: ${url}, but no way in works now` : `${service}: ${url}, by ${way}`,
        );
      },
      signal: context.signal,
    });
    return EXIT.ok;
  },
};

async function textOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw new GatewayError(`${file} cannot be read: ${messageOf(error)}`, {
      code: 'PermissionDenied',
      retry: 'never',
      cause: error,
    });
  }
}
