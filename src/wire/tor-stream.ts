import { parseWords } from './torcontrol.ts';

/** What tor's control port says of streams and circuits (control-spec 4.1.1, 4.1.2). Pure; foreign text gives `undefined`. */
export interface StreamEvent {
  readonly stream: string;
  /** NEW, SENTCONNECT, SUCCEEDED, DETACHED, FAILED, CLOSED … */
  readonly status: string;
  /** `0`: none yet. */
  readonly circuit: string;
  /** Why it ended, in our own tor's words … */
  readonly reason: string | undefined;
  /** … and in those of the exit, when it was the exit that ended it. */
  readonly told: string | undefined;
}

export function parseStreamEvent(line: string): StreamEvent | undefined {
  const { words, values } = parseWords(line);
  const [type, stream, status, circuit] = words;
  if (type !== 'STREAM' || stream === undefined || status === undefined || circuit === undefined)
    return undefined;
  return { stream, status, circuit, reason: values.get('REASON'), told: values.get('REMOTE_REASON') };
}

export interface Circuit {
  readonly id: string;
  /** SOCKS user of the streams that it is kept apart for. */
  readonly user: string | undefined;
  /** Fingerprint of its last relay, 40 hex digits. */
  readonly exit: string;
}

/** One line of `GETINFO circuit-status`; `undefined` for a circuit that is not built. */
export function parseCircuit(line: string): Circuit | undefined {
  const { words, values } = parseWords(line);
  const [id, status, path] = words;
  const exit = /\$([0-9A-F]{40})[^,]*$/.exec(path ?? '')?.[1];
  if (id === undefined || status !== 'BUILT' || exit === undefined) return undefined;
  return { id, user: values.get('SOCKS_USERNAME'), exit };
}
