import type { PlaceReport } from '../../core/control.ts';
import { GatewayError } from '../../core/errors.ts';
import { type Command, EXIT } from '../command.ts';
import { UsageError } from '../failure.ts';
import { segment } from '../report.ts';

export const serviceRun: Command = {
  name: 'service run',
  summary: 'Run a program as this service: in its namespace, as a user of its own',
  details: [
    'Needs root to get there; the program itself has no privileges, an empty environment but for PATH, LANG, TERM, TZ and HOME, and a private directory, which is kept. Its exit code is passed on.',
  ],
  arguments: [
    { name: 'NAME', completion: 'services', summary: 'Name of the service' },
    { name: 'COMMAND', isRepeatable: true, summary: 'The program and its arguments, after --' },
  ],
  options: [],
  examples: ['gateway service run shop -- python3 -m http.server 8080'],
  run: async (input, context) => {
    const name = input.argument('NAME');
    const [command, ...more] = input.rest('COMMAND');
    if (command === undefined) throw new UsageError('COMMAND is missing', 'write it after --');
    if (process.geteuid?.() !== 0) {
      throw new GatewayError(`running a program as ${name} needs root: it enters a network namespace`, {
        code: 'PermissionDenied',
        hint: `sudo gateway service run ${name} -- ${command} …`,
      });
    }
    const client = await context.client();
    const place = await client.get<PlaceReport>(`/v1/services/${segment(name)}/place`, context.signal);
    const { runAsService } = await import('../run-as-service.ts');
    if (context.signal.aborted) return EXIT.interrupted;
    context.releaseSignals();
    return await runAsService(name, place, [command, ...more], context);
  },
};
