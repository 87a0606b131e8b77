import type { Check } from '../../doctor/check.ts';
import type { Mode } from '../../doctor/types.ts';
import { type Command, type Context, EXIT, type Input } from '../command.ts';
import { UsageError } from '../failure.ts';
import { oneOf } from '../parse.ts';

/** For completion only: the checks themselves are not loaded for it. A test compares the two. */
export const CHECK_NAMES: readonly string[] = [
  'gateway',
  'fallback',
  'routes',
  'nat',
  'web',
  'dns',
  'udp',
  'egress',
  'ipv6',
  'mtu',
  'names',
  'mapping',
  'firewall',
  'ports',
  'tor',
  'certificates',
  'relay',
  'leaks',
  'clock',
  'disk',
  'container',
  'programs',
];

export const doctor: Command = {
  name: 'doctor',
  summary: 'Find out why something does not work, and what to do about it',
  details: [
    'Looks at this machine, its network and each way in, from several sides at once, and says the worst first: what is wrong, how that was seen, what to do, and how to see that it is mended. Nothing is changed. It works without a gateway, and as any user; what it cannot find out then, it says.',
    'To see whether the internet is there, it asks a few machines that are there for that, which learn your address: pages of Debian, Mozilla and GNOME, and two STUN servers. With --offline it asks none.',
    'What strangers can learn of services that hide where they are is looked at only when asked: gateway doctor leaks. It visits them as strangers do, through Tor.',
    'Exit code: 0 all ways in work, 1 something needs attention, 2 a way in does not work, 3 it could not be decided. Monitors understand these.',
  ],
  arguments: [
    {
      name: 'CHECK',
      isOptional: true,
      isRepeatable: true,
      completion: CHECK_NAMES,
      summary: 'Only these; see --list-checks',
    },
  ],
  options: [
    { name: 'list-checks', summary: 'Show the names of the checks' },
    { name: 'offline', summary: 'Ask nobody outside this home' },
    { name: 'full', summary: 'Also what takes a minute: count the routers for certain, with a relay' },
    { name: 'deep', summary: 'The same for routers that remember long; takes six minutes' },
    { name: 'watch', summary: 'Look again every minute, until Ctrl-C' },
    {
      name: 'fix',
      summary: 'Have your own routers farther out open the ports too; the only thing that changes anything',
    },
    { name: 'undo', summary: 'Close again what --fix opened' },
    { name: 'report', value: 'FILE', completion: 'file', summary: 'Also write everything into one file' },
    {
      name: 'redact',
      summary: 'Replace addresses, names and keys, each by the same word wherever it stands',
    },
    { name: 'strict', summary: 'Exit with 2 also where something only needs attention' },
    {
      name: 'lang',
      value: 'LANGUAGE',
      summary: 'Language of the text: en, es; default: that of the environment',
    },
    { name: 'verbose', short: 'v', summary: 'Show everything that was found, and what it rests on' },
  ],
  examples: [
    'gateway doctor',
    'gateway doctor --report doctor.txt --redact',
    'gateway doctor clock dns',
    'gateway doctor leaks',
    'gateway doctor --offline --json',
  ],
  run: async (input, context) => {
    const { CHECKS } = await import('../../doctor/checks.ts');
    if (input.has('list-checks')) return await listChecks(CHECKS, input, context);
    const checks = chosen(input.rest('CHECK'), CHECKS);
    const { runDoctor } = await import('../doctor.ts');
    return await runDoctor(
      { checks, mode: modeOf(input), language: await languageFor(input) },
      input,
      context,
    );
  },
};

function modeOf(input: Input): Mode {
  return input.has('deep') ? 'deep' : input.has('full') ? 'full' : 'quick';
}

/** In the order of the list, whatever was typed. */
function chosen(names: readonly string[], all: readonly Check[]): readonly Check[] {
  if (names.length === 0) return all.filter(({ isOnlyByName }) => isOnlyByName !== true);
  const known = all.map(({ name }) => name);
  const wanted = new Set(names.map((name) => oneOf(name, 'the check', known)));
  return all.filter(({ name }) => wanted.has(name));
}

async function languageFor(input: Input): Promise<string> {
  const { LANGUAGES, languageOf } = await import('../../doctor/messages/say.ts');
  const typed = input.text('lang');
  if (typed === undefined) return languageOf(process.env);
  if (LANGUAGES.includes(typed)) return typed;
  throw new UsageError(`--lang is "${typed}", expected one of ${LANGUAGES.join(', ')}`);
}

async function listChecks(checks: readonly Check[], input: Input, context: Context): Promise<number> {
  const { sayIn } = await import('../../doctor/messages/say.ts');
  const say = sayIn(await languageFor(input));
  const listed = checks.map(({ name, title, needs }) => ({
    name,
    title: say({ key: title }),
    needs,
  }));
  const width = Math.max(...listed.map(({ name }) => name.length));
  const lines = listed.map(({ name, title }) => `${name.padEnd(width)}  ${title}`);
  context.terminal.print(context.isJson ? JSON.stringify(listed) : lines.join('\n'));
  return EXIT.ok;
}
