import { readFileSync } from 'node:fs';
import { type Command, EXIT } from '../command.ts';
import { UsageError } from '../failure.ts';
import { helpFor, helpForAll, helpForGroup } from '../help.ts';
import { show } from '../report.ts';

export const help: Command = {
  name: 'help',
  summary: 'Show help, for all or for one command',
  arguments: [
    { name: 'COMMAND', isOptional: true, isRepeatable: true, completion: 'commands', summary: 'A command' },
  ],
  options: [],
  run: (input, { commands, terminal }) => {
    const typed = input.rest('COMMAND').join(' ');
    const command = commands.find(({ name }) => name === typed);
    const isGroup = commands.some(({ name }) => name.startsWith(`${typed} `));
    if (command !== undefined) terminal.print(helpFor(command));
    else if (typed === '') terminal.print(helpForAll(commands));
    else if (isGroup) terminal.print(helpForGroup(typed, commands));
    else throw new UsageError(`there is no command "${typed}"`, 'see gateway --help');
    return Promise.resolve(EXIT.ok);
  },
};

export const version: Command = {
  name: 'version',
  summary: 'Print the version',
  arguments: [],
  options: [],
  run: (_input, context) => {
    const versions = { gateway: packageVersion(), node: process.versions.node };
    show(context, versions, () => `gateway ${versions.gateway} (Node ${versions.node})`);
    return Promise.resolve(EXIT.ok);
  },
};

/** The nearest package.json: this file runs from src/ and from dist/src/. */
export function packageVersion(): string {
  for (const up of ['../../..', '../../../..']) {
    const file = new URL(`${up}/package.json`, import.meta.url);
    try {
      const { name, version: text } = JSON.parse(readFileSync(file, 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (name === 'gateway' && text !== undefined) return text;
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}
