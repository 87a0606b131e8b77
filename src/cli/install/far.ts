import { GatewayError } from '../../core/errors.ts';
import { isHostName, isIpv6, parseIpv4 } from '../../core/inet.ts';
import { type Argv, run } from '../../system/run.ts';

/** Another machine, by the owner's own ssh: their keys, their agent, their known_hosts. */
export interface FarPlace {
  readonly user: string;
  readonly host: string;
  readonly port: number;
}

/** `ssh://root@vps.example.net:22`; `undefined` for everything else. What could be an option of ssh is no name. */
export function parseFarPlace(text: string): FarPlace | undefined {
  const match =
    /^ssh:\/\/([a-z_][a-z0-9_-]{0,31})@(?:\[([0-9a-fA-F:]+)\]|([^:/[\]]+))(?::([1-9][0-9]{0,4}))?\/?$/.exec(
      text,
    );
  const [, user = '', six, name = '', digits = '22'] = match ?? [];
  const host = six ?? name;
  const isHost = six === undefined ? isHostName(host) || parseIpv4(host) !== undefined : isIpv6(host);
  return match !== null && isHost && Number(digits) <= 65535
    ? { user, host, port: Number(digits) }
    : undefined;
}

/** The far shell reads what ssh sends it: so only words in which it finds nothing to do. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;
const TIMEOUT_MS = 900_000;

/** One connection for everything that is asked, so that a passphrase is asked for once. `folder` is ours alone. */
export class Far {
  readonly #place: FarPlace;
  readonly #options: readonly string[];
  readonly #signal: AbortSignal;

  constructor(place: FarPlace, folder: string, signal: AbortSignal) {
    this.#place = place;
    this.#signal = signal;
    const shared = { ControlMaster: 'auto', ControlPath: `${folder}/ssh`, ControlPersist: '60' };
    this.#options = Object.entries(shared).map(([name, value]) => `-o${name}=${value}`);
  }

  /** What a command there printed. `accept`: exit codes that are not errors. */
  async run(
    words: readonly string[],
    accept: readonly number[] = [0],
  ): Promise<{ stdout: string; exitCode: number }> {
    const odd = words.find((word) => !PLAIN.test(word));
    if (odd !== undefined) throw new Error(`not a plain word: ${odd}`);
    const { user, host, port } = this.#place;
    return this.#try(
      ['ssh', ...this.#options, `-p${port}`, '--', `${user}@${host}`, ...words],
      [...accept, SSH_FAILED],
    );
  }

  async copy(file: string, target: string): Promise<void> {
    const { user, host, port } = this.#place;
    const at = host.includes(':') ? `[${host}]` : host;
    await this.#try(
      ['scp', '-q', '-Sssh', ...this.#options, `-P${port}`, '--', file, `${user}@${at}:${target}`],
      [0],
    );
  }

  /** Ends the shared connection; fine when there is none. */
  async close(): Promise<void> {
    const { user, host } = this.#place;
    const options = { signal: AbortSignal.timeout(10_000), accept: [0, SSH_FAILED] };
    await run(['ssh', ...this.#options, '-Oexit', '--', `${user}@${host}`], options);
  }

  async #try(argv: Argv, accept: readonly number[]): Promise<{ stdout: string; exitCode: number }> {
    const ran = await run(argv, { signal: this.#signal, timeoutMs: TIMEOUT_MS, accept });
    if (ran.exitCode !== SSH_FAILED) return ran;
    const said = ran.stderr.trim().split('\n').slice(-3).join(' / ').slice(0, 500);
    throw new GatewayError(`${this.#place.host} cannot be reached by ssh: ${said}`, {
      code: 'Unreachable',
      hint: `try it by hand first: ssh -p ${this.#place.port} ${this.#place.user}@${this.#place.host}`,
    });
  }
}

/** ssh(1): "255 if an error occurred". */
const SSH_FAILED = 255;
