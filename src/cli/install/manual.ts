import { type Command, EXIT_MEANINGS } from '../command.ts';
import { optionWords } from '../help.ts';
import { GLOBAL_OPTIONS, usageLine } from '../parse.ts';

/** gateway(1) in man(7), from the command table. Pure. */
export function manualPage(commands: readonly Command[], version: string): string {
  const visible = commands.filter(({ isHidden }) => isHidden !== true);
  return `${[
    `.TH GATEWAY 1 "" "gateway ${escaped(version)}" "Gateway"`,
    // Names of files and units stay whole, so that they can be copied.
    '.nh',
    '.ad l',
    '.SH NAME',
    'gateway \\- reach the services you host yourself, from anywhere',
    '.SH SYNOPSIS',
    '.B gateway',
    '[OPTION...] COMMAND [ARGUMENT...]',
    '.SH OPTIONS',
    ...options(GLOBAL_OPTIONS),
    '.SH COMMANDS',
    ...visible.flatMap(commandSection),
    '.SH EXIT STATUS',
    ...terms(EXIT_MEANINGS, '.B'),
    '.SH ENVIRONMENT',
    ...terms(ENVIRONMENT, '.B'),
    '.SH FILES',
    ...terms(FILES, '.I'),
  ].join('\n')}\n`;
}

const ENVIRONMENT = {
  NO_COLOR: 'Print without colours.',
  GATEWAY_LOG:
    'What daemon, helper and relay write to their logs, at least: debug, info (default), warn, error.',
};

const FILES = {
  '/etc/gateway/gateway.yaml': 'What is reachable, and how.',
  '/etc/gateway/torrc.d/': 'Lines of your own for tor.',
  '/var/lib/gateway/': 'Keys and state.',
  '/run/gateway/': 'Sockets and logs.',
};

function terms(list: Readonly<Record<string, string>>, font: '.B' | '.I'): string[] {
  return Object.entries(list).flatMap(([term, meaning]) => ['.TP', `${font} ${line(term)}`, line(meaning)]);
}

function commandSection(command: Command): string[] {
  const { summary, details = [], arguments: list, examples = [] } = command;
  return [
    '.SS',
    `.B ${line(usageLine(command))}`,
    line(`${summary}.`),
    ...details.flatMap((text) => ['.PP', line(text)]),
    ...list.flatMap(({ name, summary: meaning }) => ['.TP', `.I ${line(name)}`, line(meaning)]),
    ...options(command.options),
    ...(examples.length === 0 ? [] : ['.PP', '.nf', ...examples.map(line), '.fi']),
  ];
}

function options(list: Command['options']): string[] {
  return list.flatMap((option) => ['.TP', `.B ${line(optionWords(option))}`, line(option.summary)]);
}

/** A line that begins with a dot would be a request. */
function line(text: string): string {
  return text.startsWith('.') ? `\\&${escaped(text)}` : escaped(text);
}

/** What groff would turn into typographic marks, and what it reads only when it is told the encoding: groff_char(7). */
const CHARACTERS: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
  '…': '...',
  '\n': ' ',
};

function escaped(text: string): string {
  return text.replaceAll(
    /[\\'`^~\n-]|[^ -\x7f]/gu,
    (one) =>
      CHARACTERS[one] ?? `\\[u${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  );
}
