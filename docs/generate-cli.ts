import { type Command, EXIT_MEANINGS } from '../src/cli/command.ts';
import { optionWords } from '../src/cli/help.ts';
import { GLOBAL_OPTIONS, usageLine } from '../src/cli/parse.ts';
import { fence, page, tableOf } from './markdown.ts';

export function cliReference(commands: readonly Command[]): string {
  const visible = commands.filter((command) => command.isHidden !== true);
  return page(
    'Commands',
    'Results go to stdout, notes, progress and errors to stderr. `--json` prints the object of the API unchanged.',
    tableOf(
      ['Command', 'What it does'],
      visible.map(({ name, summary }) => [
        `[\`gateway ${name}\`](#gateway-${name.replaceAll(' ', '-')})`,
        summary,
      ]),
    ),
    '## Options of every command',
    optionTable(GLOBAL_OPTIONS),
    '## Exit codes',
    tableOf(
      ['Code', 'Meaning'],
      Object.entries(EXIT_MEANINGS).map(([code, meaning]) => [code, meaning]),
    ),
    '`gateway service run` and `gateway lab exec` pass on the exit code of the program that they ran.',
    ...visible.flatMap(commandSections),
  );
}

function commandSections(command: Command): string[] {
  const { name, summary, details = [], arguments: list, options, examples = [] } = command;
  return [
    `## gateway ${name}`,
    `${summary}.`,
    fence(usageLine(command)),
    ...details,
    ...(list.length === 0
      ? []
      : [
          tableOf(
            ['Argument', 'Meaning'],
            list.map((item) => [item.name, item.summary]),
          ),
        ]),
    ...(options.length === 0 ? [] : [optionTable(options)]),
    ...(examples.length === 0 ? [] : [fence(examples.join('\n'), 'sh')]),
  ];
}

function optionTable(options: Command['options']): string {
  return tableOf(
    ['Option', 'Meaning'],
    options.map((option) => [`\`${optionWords(option)}\``, option.summary]),
  );
}
