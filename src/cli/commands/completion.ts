import { GatewayError } from '../../core/errors.ts';
import type { Status } from '../../core/status.ts';
import { type Command, type Context, EXIT, PROVIDER_IDS } from '../command.ts';
import { completionScript, SHELLS } from '../completion.ts';
import { UsageError } from '../failure.ts';
import { oneOf } from '../parse.ts';

const NAMES = ['services', 'devices', 'providers', 'commands'] as const;

export const completion: Command = {
  name: 'completion',
  summary: 'Print the completion script of a shell',
  details: [
    'For bash: gateway completion bash > /etc/bash_completion.d/gateway; for zsh: a file _gateway in a directory of $fpath; for fish: ~/.config/fish/completions/gateway.fish.',
  ],
  arguments: [
    { name: 'SHELL', isOptional: true, completion: SHELLS, summary: `One of ${SHELLS.join(', ')}` },
  ],
  options: [
    { name: 'names', value: 'KIND', completion: NAMES, summary: `Print names instead: ${NAMES.join(', ')}` },
  ],
  run: async (input, context) => {
    const kind = input.text('names');
    if (kind !== undefined) {
      const names = await namesOf(oneOf(kind, '--names', NAMES), context);
      if (names.length > 0) context.terminal.print(names.join('\n'));
      return EXIT.ok;
    }
    const shell = input.optional('SHELL');
    if (shell === undefined) throw new UsageError('SHELL is missing', `one of ${SHELLS.join(', ')}`);
    context.terminal.print(completionScript(oneOf(shell, 'SHELL', SHELLS), context.commands));
    return EXIT.ok;
  },
};

async function namesOf(kind: (typeof NAMES)[number], context: Context): Promise<readonly string[]> {
  if (kind === 'providers') return PROVIDER_IDS;
  if (kind === 'commands')
    return context.commands.filter(({ isHidden }) => isHidden !== true).map(({ name }) => name);
  try {
    const client = await context.client();
    const status = await client.get<Status>('/v1/status', context.signal);
    return status[kind].map(({ name }) => name);
  } catch (error) {
    // Tab is no place for an error message: without a gateway there is nothing to offer.
    if (error instanceof GatewayError) return [];
    throw error;
  }
}
