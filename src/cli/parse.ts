import { parseArgs } from 'node:util';
import { DEVICE_RIGHTS, type DeviceRight } from '../core/rights.ts';
import type { ReachedBy } from '../core/service.ts';
import { suggest } from '../core/suggest.ts';
import type { Command, Input, Option } from './command.ts';
import { UsageError } from './failure.ts';

export const GLOBAL_OPTIONS: readonly Option[] = [
  {
    name: 'root',
    value: 'DIR',
    completion: 'file',
    summary: 'All files of the gateway below DIR instead of /etc, /var/lib, /run',
  },
  { name: 'socket', value: 'PATH', completion: 'file', summary: "The API's socket" },
  {
    name: 'host',
    short: 'H',
    value: 'ssh://MACHINE',
    summary: 'Run the command on another machine, over your own ssh; stands before everything else',
  },
  { name: 'json', summary: 'Print the result as JSON' },
  { name: 'no-color', summary: 'No colours (also NO_COLOR=1)' },
  { name: 'help', short: 'h', summary: 'Show help' },
];

/** `--service`, typed once for each. */
export function servicesOption(summary: string): Option {
  return {
    name: 'service',
    short: 's',
    value: 'SERVICE',
    isRepeatable: true,
    completion: 'services',
    summary,
  };
}

export function rightsOption(summary: string): Option {
  return { name: 'right', value: 'RIGHT', isRepeatable: true, completion: DEVICE_RIGHTS, summary };
}

export function rightOf(text: string): DeviceRight {
  const right = DEVICE_RIGHTS.find((each) => each === text);
  if (right !== undefined) return right;
  throw new UsageError(`there is no right ${text}`, `rights: ${DEVICE_RIGHTS.join(', ')}`);
}

export interface Parsed {
  /** `undefined`: only global options were typed. */
  readonly command: Command | undefined;
  /** Words that name a group of commands, for its help: ['service']. */
  readonly group: string | undefined;
  readonly input: Input;
  readonly wantsHelp: boolean;
}

/** Command and options from what was typed; `UsageError` says what is wrong with it and what was probably meant. */
export function parseCommandLine(argv: readonly string[], commands: readonly Command[]): Parsed {
  const { before, words } = splitAtCommand(argv);
  const found = findCommand(words, commands);
  if (found.command === undefined) {
    const { values } = parseOptions(
      [...before, ...words.slice(found.consumed)],
      GLOBAL_OPTIONS,
      found.group ?? '',
    );
    return {
      command: undefined,
      group: found.group,
      input: inputOf(values, undefined, []),
      wantsHelp: values['help'] === true,
    };
  }
  const { command } = found;
  const options = [...GLOBAL_OPTIONS, ...command.options];
  const { values, positionals } = parseOptions(
    [...before, ...words.slice(found.consumed)],
    options,
    command.name,
  );
  const wantsHelp = values['help'] === true;
  if (!wantsHelp) checkArguments(command, positionals);
  return { command, group: undefined, input: inputOf(values, command, positionals), wantsHelp };
}

/** Global options may stand before the command: `gateway --root DIR status`. */
function splitAtCommand(argv: readonly string[]): { before: readonly string[]; words: readonly string[] } {
  let index = 0;
  for (; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (!word.startsWith('-') || word === '--') break;
    if (GLOBAL_OPTIONS.some(({ name, value }) => value !== undefined && word === `--${name}`)) index += 1;
  }
  return { before: argv.slice(0, index), words: argv.slice(index) };
}

interface Found {
  readonly command: Command | undefined;
  readonly group: string | undefined;
  /** Words that belong to the name. */
  readonly consumed: number;
}

function findCommand(words: readonly string[], commands: readonly Command[]): Found {
  const [first = '', second = ''] = words;
  if (words.length === 0) return { command: undefined, group: undefined, consumed: 0 };
  const member = commands.find(({ name }) => name === `${first} ${second}`);
  if (member !== undefined) return { command: member, group: undefined, consumed: 2 };
  const exact = commands.find(({ name }) => name === first);
  if (exact !== undefined) return { command: exact, group: undefined, consumed: 1 };
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length === 0) throw unknown('command', first, '', visibleWords(commands));
  if (second === '' || second.startsWith('-')) return { command: undefined, group: first, consumed: 1 };
  throw unknown(
    'command',
    `${first} ${second}`,
    first,
    group.map(({ name }) => name),
  );
}

function visibleWords(commands: readonly Command[]): string[] {
  return [
    ...new Set(
      commands
        .filter(({ isHidden }) => isHidden !== true)
        .flatMap(({ name }) => [name, name.split(' ')[0] ?? name]),
    ),
  ];
}

function unknown(what: string, typed: string, help: string, known: readonly string[]): UsageError {
  const meant = suggest(typed, known);
  return new UsageError(
    `there is no ${what} "${typed}"`,
    meant === undefined ? `see gateway ${help === '' ? '' : `${help} `}--help` : `did you mean ${meant}?`,
  );
}

function parseOptions(args: readonly string[], options: readonly Option[], command: string) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      strict: true,
      options: Object.fromEntries(
        options.map(({ name, short, value, isRepeatable }) => [
          name,
          {
            type: value === undefined ? ('boolean' as const) : ('string' as const),
            ...(short === undefined ? {} : { short }),
            ...(isRepeatable === undefined ? {} : { multiple: true }),
          },
        ]),
      ),
    });
  } catch (error) {
    throw usageOf(error, options, command);
  }
}

/** `parseArgs` words its errors for programmers; these are for who typed. */
function usageOf(error: unknown, options: readonly Option[], command: string): unknown {
  if (!(error instanceof TypeError) || !('code' in error)) return error;
  const typed = /'(--?[^' ]+)/.exec(error.message)?.[1] ?? '';
  if (error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    return unknown(
      'option',
      typed,
      command,
      options.map(({ name }) => `--${name}`),
    );
  }
  if (error.code !== 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') return error;
  const option = options.find(
    ({ name, short }) => typed.endsWith(`--${name}`) || typed === `-${short ?? ''},`,
  );
  const name = option === undefined ? typed : `--${option.name}`;
  return option?.value === undefined
    ? new UsageError(`the option ${name} takes no value`)
    : new UsageError(`the option ${name} needs a value`, `write ${name} ${option.value}`);
}

function checkArguments(command: Command, given: readonly string[]): void {
  const missing = command.arguments.find(
    (argument, index) => argument.isOptional !== true && given[index] === undefined,
  );
  if (missing !== undefined) {
    throw new UsageError(`${missing.name} is missing: ${missing.summary}`, `usage: ${usageLine(command)}`);
  }
  if (command.arguments.at(-1)?.isRepeatable === true) return;
  const extra = given[command.arguments.length];
  if (extra !== undefined) {
    throw new UsageError(`"${extra}" is one word too many`, `usage: ${usageLine(command)}`);
  }
}

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

function inputOf(values: Values, command: Command | undefined, positionals: readonly string[]): Input {
  const strings = (name: string): string[] =>
    [values[name]].flat().filter((value): value is string => typeof value === 'string');
  const indexOf = (name: string): number => command?.arguments.findIndex((item) => item.name === name) ?? -1;
  return {
    has: (name) => values[name] === true,
    text: (name) => strings(name).at(-1),
    list: strings,
    argument: (name) => positionals[indexOf(name)] ?? '',
    optional: (name) => positionals[indexOf(name)],
    rest: (name) => (indexOf(name) < 0 ? [] : positionals.slice(indexOf(name))),
  };
}

/** 'gateway service add NAME --port P [--via PROVIDER]…' without the options, which help lists. */
export function usageLine(command: Command): string {
  const words = command.arguments.map(({ name, isOptional, isRepeatable }) => {
    const word = isRepeatable === true ? `${name}…` : name;
    return isOptional === true ? `[${word}]` : word;
  });
  const options = command.options.length > 0 ? ['[OPTION…]'] : [];
  return ['gateway', command.name, ...options, ...words].join(' ');
}

/** A whole number that was typed, or a `UsageError` that names it. */
export function wholeNumber(text: string, what: string, lowest: number, highest: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= lowest && value <= highest) return value;
  throw new UsageError(`${what} is "${text}", expected a whole number from ${lowest} to ${highest}`);
}

/** One of a closed list of words, or a `UsageError` that names what was probably meant. */
export function oneOf<Word extends string>(text: string, what: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  const meant = suggest(text, words);
  throw new UsageError(
    `${what} is "${text}", expected one of ${words.join(', ')}`,
    meant === undefined ? undefined : `did you mean ${meant}?`,
  );
}

/** `btcpay:8080`: a service, and the port of a device that it may connect to. */
export function reacherOf(text: string): ReachedBy {
  const [, service, port] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  if (service === undefined || port === undefined) {
    throw new UsageError(`--from-service ${text} is not SERVICE:PORT`, 'write it like btcpay:8080');
  }
  return { service, port: wholeNumber(port, '--from-service', 1, 65_535) };
}
