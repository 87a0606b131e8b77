import { GatewayError } from '../core/errors.ts';
import { run } from '../system/run.ts';
import { parseTorVersion } from '../wire/torversion.ts';
import type { HelperEnvironment } from './environment.ts';
import { identityOnPath } from './on-path.ts';
import { asUser } from './run-as.ts';

/** What the program on PATH says of itself: what the next start would run. */
export interface TorProgram {
  /** `0.4.9.11`; `undefined` when there is none, or it does not say. */
  readonly version: string | undefined;
  /** Built with the proof-of-work module: otherwise its options are errors. */
  readonly hasProofOfWork: boolean;
}

const NONE: TorProgram = { version: undefined, hasProofOfWork: false };
let hasEdge = false;
let known: { readonly id: string | undefined; readonly program: TorProgram } | undefined;

const TIMEOUT_MS = 5000;

/** Before each operation on tor: asked again only when the file is another one. */
export async function lookAtProgram(environment: HelperEnvironment): Promise<void> {
  hasEdge = (await identityOnPath('haproxy')) !== undefined;
  const id = await identityOnPath('tor');
  if (known?.id === id) return;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  known = { id, program: id === undefined ? NONE : await ask(environment, signal) };
}

/** As it was when the operation began. */
export function currentProgram(): TorProgram {
  return known?.program ?? NONE;
}

/** HAProxy is there to be run; as it was then, too. Whether it runs is another matter: it is started again. */
export function isEdgeInstalled(): boolean {
  return hasEdge;
}

async function ask({ tor, log }: HelperEnvironment, signal: AbortSignal): Promise<TorProgram> {
  try {
    const say = async (option: string): Promise<string> =>
      (await run([...asUser(tor), 'tor', option], { signal, cwd: '/' })).stdout;
    return {
      version: parseTorVersion(await say('--version'))?.text,
      hasProofOfWork: /^pow: yes$/m.test(await say('--list-modules')),
    };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
    log('warn', 'tor could not be asked for its version', { error: error.message });
    return NONE;
  }
}
