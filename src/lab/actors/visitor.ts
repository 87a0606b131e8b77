import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import type { Lab, LabNode } from '../index.ts';

const SOCKS_PORT = 9050;

export interface TorVisitorOptions {
  /** Several visitors on one node: each has a folder and a SOCKS port of its own. */
  readonly folder?: string;
  readonly socksPort?: number;
  /** Directory of `.auth_private` files. */
  readonly clientKeys?: string;
}

/** Somebody elsewhere with a Tor client of their own. */
export class TorVisitor {
  readonly node: LabNode;
  readonly #directory: string;
  readonly #socksPort: number;

  private constructor(node: LabNode, { folder = 'tor', socksPort = SOCKS_PORT }: TorVisitorOptions) {
    this.node = node;
    this.#directory = join(node.directory, folder);
    this.#socksPort = socksPort;
  }

  static async start(lab: Lab, nodeName: string, options: TorVisitorOptions = {}): Promise<TorVisitor> {
    const visitor = new TorVisitor(lab.node(nodeName), options);
    const directory = visitor.#directory;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const keys = options.clientKeys === undefined ? '' : `ClientOnionAuthDir ${options.clientKeys}\n`;
    const torrc = `DataDirectory ${directory}\nSocksPort ${visitor.#socksPort}\nLog notice file ${directory}/notice.log\n${keys}${lab.torrc}`;
    await writeFile(join(directory, 'torrc'), torrc);
    await writeFile(join(directory, 'defaults'), '');
    await visitor.node.detach(
      ['tor', '-f', join(directory, 'torrc'), '--defaults-torrc', join(directory, 'defaults'), '--quiet'],
      { logFile: join(directory, 'out.log') },
    );
    return visitor;
  }

  async bootstrapped(signal: AbortSignal, timeoutMs = 60_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!(await this.#log()).includes('Bootstrapped 100%')) {
      signal.throwIfAborted();
      if (Date.now() > deadline) {
        const last = (await this.#log()).trim().split('\n').at(-1) ?? 'no log';
        throw new GatewayError(`the visitor's tor did not bootstrap in ${timeoutMs / 1000} s: ${last}`, {
          code: 'LabFailed',
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #log(): Promise<string> {
    try {
      return await readFile(join(this.#directory, 'notice.log'), 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return '';
      throw error;
    }
  }

  /** curl's arguments for a fetch through this visitor's Tor; `who` isolates the circuit. */
  curl(url: string, who: string, ...more: string[]): [string, ...string[]] {
    const proxy = ['--socks5-hostname', `127.0.0.1:${this.#socksPort}`, '--proxy-user', `${who}:x`];
    return ['curl', '-sS', '--fail', '--max-time', '60', ...proxy, ...more, url];
  }

  async open(url: string, signal: AbortSignal, who = 'visitor', timeoutSeconds = 60): Promise<string> {
    const argv = this.curl(url, who, '--max-time', String(timeoutSeconds));
    const { stdout } = await this.node.run(argv, { signal, timeoutMs: 70_000 });
    return stdout;
  }
}
