import { type Command, EXIT_MEANINGS } from '../command.ts';
import { optionWords } from '../help.ts';
import { GLOBAL_OPTIONS, usageLine } from '../parse.ts';

/** gateway(1) in man(7), from the command table. Pure. */
export function manualPage(commands: readonly Command[], version: string): string {
  const visible = commands.filter(({ isHidden }) => isHidden !== true);
  return `${[
    `.TH GATEWAY 1 "" "gateway ${escaped(version)}" "Gateway"`,
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
    ...Object.entries(EXIT_MEANINGS).flatMap(([code, meaning]) => ['.TP', `.B ${code}`, line(meaning)]),
    '.SH FILES',
    ...[
      ['/etc/gateway/gateway.yaml', 'What is reachable, and how.'],
      ['/var/lib/gateway', 'Keys and state.'],
      ['/run/gateway', 'Sockets and logs.'],
    ].flatMap(([file = '', meaning = '']) => ['.TP', `.I ${line(file)}`, line(meaning)]),
  ].join('\n')}\n`;
}

function commandSection(command: Command): string[] {
  const { summary, details = [], arguments: list, examples = [] } = command;
  return [
    '.SS',
    `.B ${line(usageLine(command))}`,
    '.PP',
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

/** A line that begins with a dot or an apostrophe would be a request. */
function line(text: string): string {
  return /^[.']/.test(text) ? `\\&${escaped(text)}` : escaped(text);
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('…', '...').replaceAll('\n', ' ');
}
