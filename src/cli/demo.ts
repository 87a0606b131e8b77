import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDemo, type Demo } from '../lab/demo.ts';
import { memoryOfNamespace } from '../lab/memory.ts';
import { directoriesIn, pathsOf } from '../system/directories.ts';
import { EXIT } from './command.ts';
import { demoRecordFile, OWN_NETWORK, type DemoRecord } from './find-socket.ts';
import { terminalQr } from './qr.ts';
import { renderStatus } from './render.ts';
import { systemTerminal } from './terminal.ts';
import { painter } from './table.ts';

export interface DemoOptions {
  readonly json: boolean;
  /** Ends when everything was proved; for scripts. */
  readonly once: boolean;
  readonly signal: AbortSignal;
}

/** `gateway demo`: comes up, proves, prints, and stays until Ctrl-C. */
export async function demo({ json, once, signal }: DemoOptions): Promise<number> {
  const started = Date.now();
  const progress = (message: string): void => {
    const seconds = ((Date.now() - started) / 1000).toFixed(1).padStart(5);
    process.stderr.write(`${seconds} s  ${message}\n`);
  };
  const running = await startDemo({ progress, signal });
  try {
    const figures = {
      tookSeconds: (Date.now() - started) / 1000,
      memoryMiB: memoryOfNamespace(running.gateway.node.pid),
    };
    process.stdout.write(
      json ? `${JSON.stringify({ ...running.status, ...figures })}\n` : textOf(running, figures, once),
    );
    if (once) return EXIT.ok;
    await stay(running, signal);
    return EXIT.ok;
  } finally {
    process.stderr.write('taking the demo down\n');
    await running.lab.stop();
  }
}

interface Figures {
  readonly tookSeconds: number;
  readonly memoryMiB: number;
}

function textOf({ status, conf, seen }: Demo, { tookSeconds, memoryMiB }: Figures, once: boolean): string {
  const terminal = systemTerminal(true);
  const view = { columns: terminal.columns, paint: painter(terminal.hasColour), now: Date.now() };
  const visitorOf = (page: string): string => /You come from ([^<]*)\./.exec(page)?.[1] ?? 'nobody';
  return [
    '',
    renderStatus(status, view),
    '',
    `The shop saw the phone as ${visitorOf(seen.byPhone)} and the Tor visitor as ${visitorOf(seen.byVisitor)}.`,
    `Up and proved in ${tookSeconds.toFixed(1)} s, with ${memoryMiB} MiB for the whole internet in the box.`,
    '',
    'This code brought the phone in (it works only inside the demo):',
    '',
    terminalQr(conf),
    ...(once ? [] : NEXT),
    '',
  ].join('\n');
}

const NEXT = [
  '',
  'It stays up until Ctrl-C. Try in another terminal:',
  '  bin/gateway status                                what is reachable, and from where it was proved',
  '  bin/gateway device add laptop --service shop      a code for one more device',
  '  bin/gateway plan                                  empty: the world is as it should be',
  '  bin/gateway unexpose shop --via wireguard         one way less; the onion stays',
  '  bin/gateway rollback                              and back again',
  '  bin/gateway events                                what happened',
  '  bin/gateway lab exec home -- gateway doctor       what the doctor says of the home in the box',
  '  bin/gateway lab exec visitor -- curl -sS http://web.lab.test/',
];

/** Tells `gateway` in other terminals where this one is, until Ctrl-C. */
async function stay({ gateway }: Demo, signal: AbortSignal): Promise<void> {
  const record = demoRecordFile(process.env, process.getuid?.() ?? 0);
  const socket = pathsOf(directoriesIn(gateway.root)).apiSocket;
  await mkdir(dirname(record), { recursive: true, mode: 0o700 });
  await chmod(dirname(record), 0o700);
  const { stdout } = await gateway.node.run(['readlink', OWN_NETWORK], { signal });
  const told: DemoRecord = { socket, root: gateway.root, network: stdout.trim() };
  await writeFile(record, JSON.stringify(told));
  try {
    // Looking again and again keeps this process alive, and notices when somebody took the demo down.
    while (!signal.aborted && gateway.node.hasPower) await sleep(500);
  } finally {
    await rm(record, { force: true });
  }
}
