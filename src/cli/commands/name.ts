import type { NameDraft, NameReport, UpReport } from '../../core/control.ts';
import type { DnsAccess } from '../../core/dns-config.ts';
import { DNS_HOSTS as HOSTS } from '../../core/names.ts';
import type { Command, Input, Option } from '../command.ts';
import { UsageError } from '../failure.ts';
import { renderNames } from '../render-lists.ts';
import { segment, show, showUp } from '../report.ts';

/** What each host is told besides its name; the schema says which it needs. */
const ACCESS: readonly Option[] = [
  { name: 'credential', value: 'FILE', summary: 'File that holds the token, password or TSIG secret alone' },
  { name: 'server', value: 'SERVER', summary: 'Address of the host, where it is not the usual one' },
  { name: 'user', value: 'USER', summary: 'Name of the account (dyndns2)' },
  { name: 'key', value: 'KEY', summary: 'Name of the TSIG key (rfc2136)' },
  { name: 'algorithm', value: 'ALGORITHM', summary: 'Algorithm of the TSIG key (hmac-sha256)' },
  { name: 'command', value: 'PROGRAM', summary: 'Program that makes the change (command)' },
];

export const nameSet: Command = {
  name: 'name set',
  summary: "Keep a public name at the home's address",
  details: [
    'The address of a home changes; the name is moved along. Its host is asked once for each change, and not again after a no.',
    `Hosts: ${HOSTS.join(', ')}. The credential lies in a file that the user gateway may read and nobody else.`,
    'For who has no name: make an account at desec.io, put its token into a file, and take a free name with --register.',
  ],
  arguments: [{ name: 'NAME', summary: 'The whole name' }],
  options: [
    { name: 'at', value: 'HOST', summary: 'Who answers for the name' },
    { name: 'zone', value: 'ZONE', summary: 'The zone that the name is in (the name itself)' },
    ...ACCESS,
    { name: 'wildcard', summary: 'Every name below it too' },
    { name: 'register', summary: 'Take the name first (desec)' },
  ],
  examples: [
    'gateway name set me.dedyn.io --at desec --credential /etc/token --register',
    'gateway name set me.duckdns.org --at duckdns --credential /etc/token',
  ],
  run: async (input, context) => {
    const draft = await draftOf(input);
    const client = await context.client();
    const path = `/v1/names/${segment(draft.name)}`;
    return showUp(context, await client.send<UpReport>('PUT', path, draft, context.progress, context.signal));
  },
};

async function draftOf(input: Input): Promise<NameDraft> {
  const name = input.argument('NAME').toLowerCase().replace(/\.$/, '');
  const given = ACCESS.flatMap((option): [string, string][] => {
    const value = input.text(option.name);
    return value === undefined ? [] : [[option.name, value]];
  });
  const host = input.text('at');
  if (host === undefined) throw new UsageError('--at is missing', `one of: ${HOSTS.join(', ')}`);
  // Loaded here: help is quick without it.
  const schema = (await import('../../core/dns-config.ts')).DnsAccess;
  const access = schema.safeParse({ host, ...Object.fromEntries(given) }, { reportInput: true });
  if (!access.success) throw accessError(host, access.error.issues[0]);
  return {
    name,
    zone: (input.text('zone') ?? name).toLowerCase(),
    wildcard: input.has('wildcard'),
    access: access.data,
    register: input.has('register'),
  };
}

type Issue = NonNullable<ReturnType<(typeof DnsAccess)['safeParse']>['error']>['issues'][number];

function accessError(host: string, issue: Issue | undefined): UsageError {
  if (issue?.code === 'unrecognized_keys') {
    return new UsageError(`--${issue.keys[0] ?? ''} does not go with --at ${host}`);
  }
  const option = String(issue?.path[0] ?? 'host');
  if (option === 'host') return new UsageError(`--at ${host} is not known`, `one of: ${HOSTS.join(', ')}`);
  if (issue?.input === undefined) return new UsageError(`--${option} is missing`, `--at ${host} needs it`);
  return new UsageError(`--${option} ${issue.message}`);
}

export const nameList: Command = {
  name: 'name list',
  summary: "List the names that are kept at the home's address",
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const names = await client.get<NameReport[]>('/v1/names', context.signal);
    show(context, names, () => renderNames(names));
    return names.some(({ trouble }) => trouble !== null) ? 1 : 0;
  },
};

export const nameRemove: Command = {
  name: 'name remove',
  summary: "Keep a name no longer at the home's address",
  arguments: [{ name: 'NAME', summary: 'The whole name' }],
  options: [],
  run: async (input, context) => {
    const client = await context.client();
    const path = `/v1/names/${segment(input.argument('NAME'))}`;
    const { progress, signal } = context;
    return showUp(context, await client.send<UpReport>('DELETE', path, undefined, progress, signal));
  },
};
