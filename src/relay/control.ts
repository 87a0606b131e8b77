import { createServer, type Socket } from 'node:net';
import { z } from 'zod';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { RelayCarrying } from '../core/relay-carry.ts';
import { fileError, removeFile } from '../system/files.ts';
import type { Carrier } from './carry/carrier.ts';
import { answerLines, lineClient } from './lines.ts';
import { makeInvite } from './invites.ts';
import type { Members } from './members.ts';

/** What the owner of the relay asks it, on its own machine: whoever may open the socket, root and the relay's user. */
const Question = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('invite') }),
  z.strictObject({ ask: z.literal('homes') }),
  z.strictObject({ ask: z.literal('remove'), home: z.string().max(16) }),
]);
export type ControlQuestion = z.infer<typeof Question>;

export const ControlHome = z.object({
  home: z.string(),
  /** When it joined. */
  since: z.string(),
  carrying: RelayCarrying.nullable(),
});
export type ControlHome = z.infer<typeof ControlHome>;

export interface ControlOptions {
  readonly path: string;
  readonly directory: string;
  readonly members: Members;
  readonly carrier: Carrier;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Listens until the signal aborts. Its directory keeps others out. */
export async function control(options: ControlOptions): Promise<void> {
  const { path, signal } = options;
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    answerLines(socket, (question) => answer(Question.parse(question), options));
  });
  await removeFile(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(fileError(`the socket ${path} could not be made`, error)));
    server.listen(path, resolve);
  });
  const close = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  if (signal.aborted) close();
  else signal.addEventListener('abort', close, { once: true });
}

async function answer(question: ControlQuestion, options: ControlOptions): Promise<unknown> {
  const { directory, members, carrier, log } = options;
  if (question.ask === 'invite') return makeInvite(directory, Date.now());
  if (question.ask === 'homes') {
    const homes = await members.list();
    return Promise.all(homes.map(async (one) => ({ ...one, carrying: await carrier.carrying(one.home) })));
  }
  const { home } = question;
  if (!(await members.homes()).includes(home)) {
    throw new GatewayError(`there is no home ${home}`, { code: 'InvalidRequest' });
  }
  await members.leave(home);
  await carrier.leave(home);
  log('info', 'a home was removed', { home });
  return null;
}

/** One question to the relay of this machine. */
export async function askControl(path: string, question: ControlQuestion): Promise<unknown> {
  const client = await lineClient(path, () => undefined);
  try {
    return await client.ask(question);
  } finally {
    client.close();
  }
}
