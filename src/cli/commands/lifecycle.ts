import { existsSync } from 'node:fs';
import type { UpReport } from '../../core/control.ts';
import { GatewayError } from '../../core/errors.ts';
import { directoriesIn, pathsOf } from '../../system/directories.ts';
import type { Client } from '../client.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { wholeNumber } from '../parse.ts';
import { NO_SERVICES } from '../render.ts';
import { show, showUp } from '../report.ts';

export const up: Command = {
  name: 'up',
  summary: 'Apply gateway.yaml; start the gateway first if it does not run',
  details: [
    'Starting needs root, and the users gateway, gateway-tor and gateway-edge. The gateway then runs on its own: helper (root) and daemon (user gateway, no privileges), with logs in the directory run/log.',
    'Ctrl-C ends the waiting; what was begun goes on.',
  ],
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await running(context);
    const { progress, signal, terminal, isJson } = context;
    const report = await client.send<UpReport>('POST', '/v1/up', undefined, progress, signal);
    const exitCode = showUp(context, report);
    if (report.services === 0 && !isJson) terminal.print(NO_SERVICES.join('\n'));
    return exitCode;
  },
};

export const down: Command = {
  name: 'down',
  summary: 'Close every way in, remove what the gateway made, and stop it; keys and state stay',
  details: ['The next "gateway up" brings everything back, with the same addresses.'],
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const { root, socket, progress, signal } = context;
    const isFresh = socket === undefined && !existsSync(pathsOf(directoriesIn(root)).database);
    const client = isFresh ? await context.client() : await running(context);
    await client.send<null>('POST', '/v1/down', undefined, progress, signal);
    if (process.geteuid?.() === 0 && socket === undefined) {
      const { stopParts } = await import('../stop.ts');
      await stopParts(root, signal);
    }
    show(context, null, () => 'The gateway is down; keys and state are kept.');
    return EXIT.ok;
  },
};

/** The gateway that answers, whole: what does not run of it is started. */
async function running(context: Context): Promise<Client> {
  const { root, socket, signal } = context;
  const client = await context.client();
  try {
    await client.get('/v1/generations', signal);
    // Only root can start the helper; others are told by the daemon what it lacks.
    const isOurs = socket === undefined && client.socket === pathsOf(directoriesIn(root)).apiSocket;
    if (!isOurs || process.geteuid?.() !== 0) return client;
  } catch (error) {
    const isGone = error instanceof GatewayError && error.code === 'DaemonUnreachable';
    if (!isGone || socket !== undefined) throw error;
  }
  const { startGateway } = await import('../start.ts');
  return await startGateway(context, root);
}

export const daemon: Command = {
  name: 'daemon',
  summary: 'Run the daemon in the foreground, as user gateway; the helper must run',
  details: ['SIGTERM ends it, and leaves every way in open. The next start adopts what runs.'],
  arguments: [],
  options: [
    {
      name: 'patience',
      value: 'SECONDS',
      summary: 'Wait this long for an up or down before what was applied last is applied again (0)',
    },
  ],
  run: async (input, { root, signal }) => {
    const firstPassInMs = wholeNumber(input.text('patience') ?? '0', '--patience', 0, 3600) * 1000;
    const { runDaemon } = await import('../../daemon/main.ts');
    const { createLog } = await import('../../system/log.ts');
    const log = createLog('daemon', process.env['GATEWAY_LOG']);
    await runDaemon({ directories: directoriesIn(root), signal, log, firstPassInMs });
    return EXIT.ok;
  },
};

export const helper: Command = {
  name: 'helper',
  summary: 'Run the helper in the foreground, as root',
  isHidden: true,
  arguments: [],
  options: [],
  run: async (_input, { root, signal }) => {
    const { runHelper } = await import('../../helper/main.ts');
    await runHelper({ directories: directoriesIn(root), signal });
    return EXIT.ok;
  },
};
