import { EventEmitter, once } from 'node:events';
import type { ExitOutcome } from '../../core/exits.ts';
import { parseCircuit, parseStreamEvent, type Circuit, type StreamEvent } from '../../wire/tor-stream.ts';
import { TorConnection } from '../tor-connection.ts';

/** One stream on one circuit: tor tries up to three for each connection, and says so only here. */
interface Attempt {
  readonly stream: string;
  readonly circuit: string;
  /** `undefined`: still open. */
  failed?: Exclude<ExitOutcome, 'carried' | 'other'>;
}

const END_REASON_MISC = 1;

/** What the exit told (control-spec 4.1.2). Exits of tor 0.4.9 say MISC where the connection is refused. */
const TOLD: Readonly<Record<string, Attempt['failed']>> = {
  CONNECTREFUSED: 'refused',
  CONNRESET: 'refused',
  MISC: 'refused',
  NOROUTE: 'silent',
  TIMEOUT: 'silent',
};

/** Which exits our own connections leave by, from tor's control port. */
export class ExitWatch {
  readonly #attempts: Attempt[] = [];
  readonly #closed = new Set<string>();
  readonly #circuits = new Map<string, Circuit>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #connection: TorConnection | undefined;
  #failure: unknown;

  /** Rejects with `TorUnavailable`. */
  static async open(controlSocket: string): Promise<ExitWatch> {
    const watch = new ExitWatch();
    watch.#connection = await TorConnection.open(
      controlSocket,
      { event: (line) => watch.#take(line), ended: () => watch.#changes.emit('change') },
      'STREAM',
    );
    return watch;
  }

  close(): void {
    this.#connection?.close();
  }

  /** Where the attempts begin that are made from now on. */
  mark(): number {
    return this.#attempts.length;
  }

  /** The exit of the last attempt of this user. */
  exitOf(user: string): string | undefined {
    return this.#of(user, 0).at(-1)?.exit;
  }

  /** Resolves with the first attempt since `mark` that failed. Rejects when aborted. */
  async missed(
    user: string,
    mark: number,
    signal: AbortSignal,
  ): Promise<{ readonly exit: string; readonly outcome: NonNullable<Attempt['failed']> }> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      for (const { failed, exit } of this.#of(user, mark))
        if (failed !== undefined) return { exit, outcome: failed };
      await once(this.#changes, 'change', { signal });
    }
  }

  /** Ends what is still open of this user: tor would try other exits. */
  async drop(user: string): Promise<void> {
    const open = this.#of(user, 0).filter(({ stream }) => !this.#closed.has(stream));
    const { signal } = new AbortController();
    // One that has ended meanwhile is unknown to tor.
    const asked = [...new Set(open.map(({ stream }) => stream))].map(async (stream) =>
      this.#connection?.command(`CLOSESTREAM ${stream} ${END_REASON_MISC}`, signal),
    );
    await Promise.allSettled(asked);
  }

  #of(user: string, mark: number): (Attempt & { readonly exit: string })[] {
    return this.#attempts.slice(mark).flatMap((attempt) => {
      const circuit = this.#circuits.get(attempt.circuit);
      return circuit?.user === user ? [{ ...attempt, exit: circuit.exit }] : [];
    });
  }

  #take(line: string): void {
    const event = parseStreamEvent(line);
    if (event === undefined) return;
    this.#note(event);
    this.#changes.emit('change');
  }

  #note({ stream, status, circuit, reason, told }: StreamEvent): void {
    if (status === 'SENTCONNECT') {
      this.#attempts.push({ stream, circuit });
      // Asked while the circuit lives: one that failed is closed soon.
      if (this.#circuits.get(circuit)?.user === undefined) void this.#learn();
    }
    if (status === 'CLOSED') this.#closed.add(stream);
    if (status !== 'DETACHED' && status !== 'FAILED') return;
    const attempt = this.#attempts.findLast((one) => one.stream === stream && one.failed === undefined);
    if (attempt === undefined) return;
    // Our own tor gives an exit ten seconds.
    if (told === undefined) attempt.failed = reason === 'TIMEOUT' ? 'silent' : 'broken';
    else attempt.failed = TOLD[told] ?? 'broken';
  }

  async #learn(): Promise<void> {
    try {
      const { signal } = new AbortController();
      const lines = (await this.#connection?.command('GETINFO circuit-status', signal)) ?? [];
      for (const line of lines.flatMap((text) => text.split('\n'))) {
        const circuit = parseCircuit(line.replace(/^circuit-status=/, ''));
        if (circuit !== undefined) this.#circuits.set(circuit.id, circuit);
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#changes.emit('change');
  }
}
