import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/api/app.ts';
import { cli } from '../../src/cli/cli.ts';
import type { Control } from '../../src/core/control.ts';
import { serveOnSocket } from '../../src/daemon/listen.ts';
import { recordingControl } from './recording-control.ts';

/** The API on a real unix socket in a directory of its own, and the CLI talking to it. */
export async function cliGateway(replace: Partial<Control> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'gw-cli-'));
  const socket = join(directory, 'api.sock');
  const recording = recordingControl(replace);
  const server = await serveOnSocket(
    createApp(recording.control, () => undefined),
    socket,
    { mode: 0o660, drainMs: 100 },
  );
  const run = (...argv: string[]) => runCli('--socket', socket, ...argv);
  const close = async (): Promise<void> => {
    await server.close();
    await rm(directory, { recursive: true });
  };
  return { ...recording, directory, socket, run, close };
}

/** One command line, run in this process; what it printed, line by line. */
export async function runCli(...argv: string[]) {
  const printed: string[] = [];
  const noted: string[] = [];
  const exitCode = await cli(argv, {
    print: (text) => void printed.push(text),
    note: (text) => void noted.push(text),
    hasColour: false,
    columns: 80,
  });
  return { exitCode, stdout: printed.join('\n'), stderr: noted.join('\n') };
}
