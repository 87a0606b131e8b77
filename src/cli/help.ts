import type { Argument, Command, Option } from './command.ts';
import { GLOBAL_OPTIONS, usageLine } from './parse.ts';

/** Help texts, written from the command table. */

export function helpForAll(commands: readonly Command[]): string {
  const visible = commands.filter((command) => command.isHidden !== true);
  return [
    'Reach the services you host yourself, from anywhere, without trusting anyone.',
    '',
    'usage: gateway COMMAND [OPTION…]',
    '',
    'Commands:',
    ...columns(visible.map((command) => [command.name, command.summary])),
    '',
    ...optionLines('Options of every command:', GLOBAL_OPTIONS),
    '',
    'gateway COMMAND --help says more about one command.',
  ].join('\n');
}

export function helpForGroup(group: string, commands: readonly Command[]): string {
  const members = commands.filter(
    (command) => command.name.startsWith(`${group} `) && command.isHidden !== true,
  );
  return [
    `usage: gateway ${group} COMMAND [OPTION…]`,
    '',
    ...columns(members.map((command) => [command.name, command.summary])),
  ].join('\n');
}

export function helpFor(command: Command): string {
  const sections = [
    [
      ...wrap(`${command.summary}.`),
      ...(command.details ?? []).flatMap((paragraph) => ['', ...wrap(paragraph)]),
    ],
    [`usage: ${usageLine(command)}`],
    argumentLines(command.arguments),
    optionLines('Options:', command.options),
    optionLines('Options of every command:', GLOBAL_OPTIONS),
    (command.examples ?? []).length === 0
      ? []
      : ['Examples:', ...(command.examples ?? []).map((line) => `  ${line}`)],
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function argumentLines(list: readonly Argument[]): string[] {
  if (list.length === 0) return [];
  return ['Arguments:', ...columns(list.map(({ name, summary }) => [name, summary]))];
}

function optionLines(title: string, list: readonly Option[]): string[] {
  if (list.length === 0) return [];
  return [title, ...columns(list.map((option) => [optionWords(option), option.summary]))];
}

/** '-h, --help', '--via PROVIDER…' */
export function optionWords({ name, short, value, isRepeatable }: Option): string {
  const long = value === undefined ? `--${name}` : `--${name} ${value}${isRepeatable === true ? '…' : ''}`;
  return short === undefined ? long : `-${short}, ${long}`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.flatMap(([left, right]) => {
    const [first = '', ...more] = wrap(right, 78 - width);
    return [`  ${left.padEnd(width)}${first}`, ...more.map((line) => `  ${' '.repeat(width)}${line}`)];
  });
}

/** Breaks a paragraph between words. */
export function wrap(text: string, width = 78): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
