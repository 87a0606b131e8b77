import type { UpReport } from '../../core/control.ts';
import { type Command, EXIT, type Input, type Option, PROVIDER_IDS } from '../command.ts';
import { UsageError } from '../failure.ts';
import { keyOption, sendOnionKey } from '../onion-key.ts';
import { segment, showUp } from '../report.ts';
import { tellPage } from '../wait-page.ts';

const VIA: Option = {
  name: 'via',
  value: 'PROVIDER',
  completion: 'providers',
  summary: `The way in: ${PROVIDER_IDS.join(' or ')}`,
};
const ACCESSES = ['anyone', 'devices'] as const;
const SERVICE = { name: 'SERVICE', completion: 'services', summary: 'Name of the service' } as const;

export const expose: Command = {
  name: 'expose',
  summary: 'Open a way in to a service',
  details: [
    'With --via clearnet the service gets a page at --domain, a name of a domain of yours, with a certificate; with --via relay the same through a rented machine that was joined and cannot read it, also from behind any router, or a port of that machine. What is still waited for is told until the page was visited from outside; Ctrl-C ends the waiting only. Then the exit code says what the visit found: 2 when it failed, 3 when nobody outside could look.',
  ],
  arguments: [SERVICE],
  options: [
    VIA,
    { name: 'domain', value: 'NAME', summary: 'With --via clearnet or relay: the name that visitors type' },
    {
      name: 'access',
      value: 'WHOM',
      completion: ACCESSES,
      summary: 'With --via clearnet or relay: anyone (default), or only devices that were added',
    },
    {
      name: 'relay',
      value: 'NAME',
      isRepeatable: true,
      summary: 'With --via relay: which one carries it, or several (the one that was joined)',
    },
    {
      name: 'port',
      value: 'PORT',
      summary: "With --via relay, kind tcp: port of the relay (the service's own)",
    },
    {
      name: 'onion-location',
      summary: 'With --via clearnet: tell visitors of the page the onion address of the service',
    },
    { name: 'no-wait', summary: 'With --via clearnet or relay: do not wait until it was visited' },
    keyOption('import'),
  ],
  examples: [
    'gateway expose shop --via wireguard',
    'gateway expose shop --via clearnet --domain pay.example.com',
    'gateway expose shop --via relay --domain pay.example.com',
    'gateway expose shop --via clearnet --domain pay.example.com --onion-location',
    'sudo gateway expose shop --via tor --import /var/lib/tor/shop',
  ],
  run: async (input, context) => {
    const service = input.argument('SERVICE');
    const path = pathOf(service, input.text('via'));
    const files = input.text('import');
    if (files !== undefined && input.text('via') !== 'tor') {
      throw new UsageError('--import is for onion addresses only', 'write --via tor with it');
    }
    const body = bodyOf(input);
    const client = await context.client();
    if (files !== undefined) await sendOnionKey(service, files, client, context);
    const { progress, signal } = context;
    const exitCode = showUp(context, await client.send<UpReport>('PUT', path, body, progress, signal));
    const via = input.text('via') ?? '';
    const isWaited = PAGES.includes(via) && !context.isJson && !input.has('no-wait');
    return exitCode === EXIT.ok && isWaited ? tellPage(service, via, client, context) : exitCode;
  },
};

/** Ways in that strangers visit, once name and certificate are there. */
const PAGES: readonly string[] = ['clearnet', 'relay'];

/** What a way in is told of its own. */
function bodyOf(input: Input): { options?: Record<string, unknown> } {
  const domain = input.text('domain');
  const access = accessOf(input);
  const told = onionLocationOf(input);
  if (input.text('via') === 'relay') return relayBody(input, domain, access);
  if (input.text('port') !== undefined || input.list('relay').length > 0) {
    throw new UsageError('--relay and --port are for relays only', 'write --via relay with them');
  }
  if (input.text('via') === 'clearnet') {
    if (domain !== undefined) return { options: { domain, ...access, ...told } };
    throw new UsageError(
      '--domain is missing',
      'write the name that visitors type: --domain pay.example.com',
    );
  }
  const stray = ['domain', 'access'].find((name) => input.text(name) !== undefined);
  if (stray === undefined) return {};
  throw new UsageError(`--${stray} is for pages only`, 'write --via clearnet or --via relay with it');
}

function onionLocationOf(input: Input): { onionLocation?: true } {
  if (!input.has('onion-location')) return {};
  if (input.text('via') === 'clearnet') return { onionLocation: true };
  throw new UsageError('--onion-location is for pages at home only', 'write --via clearnet with it');
}

function accessOf(input: Input): { access?: string } {
  const access = input.text('access');
  if (access === undefined || ACCESSES.some((each) => each === access)) {
    return access === undefined ? {} : { access };
  }
  throw new UsageError(`--access is ${access}`, `write --access ${ACCESSES.join(' or --access ')}`);
}

function relayBody(
  input: Input,
  domain: string | undefined,
  access: { access?: string },
): { options?: Record<string, unknown> } {
  const [port, relays] = [input.text('port'), input.list('relay')];
  if (port !== undefined && !/^[0-9]{1,5}$/.test(port)) {
    throw new UsageError(`--port is "${port}", expected a number from 1 to 65535`);
  }
  const options = {
    ...(domain === undefined ? {} : { domain }),
    ...(relays.length === 0 ? {} : { relay: relays.length === 1 ? relays[0] : relays }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...access,
  };
  return Object.keys(options).length === 0 ? {} : { options };
}

export const unexpose: Command = {
  name: 'unexpose',
  summary: 'Close a way in to a service, or with --all every way in to every service',
  details: [
    'Connections that are open may finish, unless --now ends them; those through an onion for ten minutes at most, and not through one that asks for keys.',
    'After "gateway unexpose --all --now" nobody gets in and nobody is in; gateway rollback undoes it. Works also while gateway.yaml has a mistake in it.',
  ],
  arguments: [{ ...SERVICE, isOptional: true }],
  options: [
    VIA,
    { name: 'all', summary: 'Every way in of every service' },
    { name: 'now', summary: 'Also end connections that are open' },
  ],
  examples: ['gateway unexpose shop --via wireguard', 'gateway unexpose --all --now'],
  run: async (input, context) => {
    const path = pathToClose(input);
    const client = await context.client();
    const query = input.has('now') ? '?now=true' : '';
    const { progress, signal } = context;
    return showUp(
      context,
      await client.send<UpReport>('DELETE', `${path}${query}`, undefined, progress, signal),
    );
  },
};

function pathToClose(input: Input): string {
  const service = input.optional('SERVICE');
  const via = input.text('via');
  if (!input.has('all')) {
    if (service !== undefined) return pathOf(service, via);
    throw new UsageError('SERVICE is missing', 'name one: gateway unexpose shop --via tor; or --all');
  }
  if (service === undefined && via === undefined) return '/v1/exposures';
  throw new UsageError('--all closes everything, so it goes with neither SERVICE nor --via');
}

function pathOf(service: string, via: string | undefined): string {
  if (via === undefined) {
    throw new UsageError('--via is missing', `say which way: --via ${PROVIDER_IDS.join(' or --via ')}`);
  }
  return `/v1/services/${segment(service)}/expose/${segment(via)}`;
}
