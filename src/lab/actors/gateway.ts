import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../../core/errors.ts';
import type { Status } from '../../core/status.ts';
import type { Lab, LabNode } from '../index.ts';

/** Where the program lies inside every node. */
const PROGRAM = '/opt/gateway/bin/gateway';
const NODE = '/opt/gateway/node_modules/.bin/node';
const SHOP = '/opt/gateway/dist/src/lab/shop.js';

/** A gateway on a node of a lab, worked like its owner works it: by the command line. */
export class LabGateway {
  readonly node: LabNode;
  readonly root: string;

  private constructor(node: LabNode, root: string) {
    this.node = node;
    this.root = root;
  }

  /** Writes the config, if any, and the torrc lines of the lab's Tor network; starts nothing. */
  static async prepare(
    lab: Lab,
    nodeName: string,
    config: string | undefined,
    folder = 'gw',
  ): Promise<LabGateway> {
    const node = lab.node(nodeName);
    const root = join(node.directory, folder);
    await mkdir(join(root, 'etc', 'torrc.d'), { recursive: true });
    // The gateway's users must pass through to their own folders.
    await chmod(root, 0o755);
    if (config !== undefined) await writeFile(join(root, 'etc', 'gateway.yaml'), config);
    await writeFile(join(root, 'etc', 'torrc.d', 'lab.conf'), lab.torrc);
    return new LabGateway(node, root);
  }

  argv(...words: string[]): [string, ...string[]] {
    return [PROGRAM, '--root', this.root, ...words];
  }

  async command(signal: AbortSignal, ...words: string[]): Promise<string> {
    const { stdout } = await this.node.run(this.argv(...words), { signal, timeoutMs: 90_000 });
    return stdout;
  }

  async json<Result>(signal: AbortSignal, ...words: string[]): Promise<Result> {
    return JSON.parse(await this.command(signal, '--json', ...words)) as Result;
  }

  /** `gateway status` ends with 2 or 3 while a way is not proved; that is an answer, not a failure. */
  async status(signal: AbortSignal): Promise<Status> {
    const argv = this.argv('--json', 'status');
    const { stdout, stderr } = await this.node.run(argv, { signal, timeoutMs: 30_000, accept: [0, 1, 2, 3] });
    if (stdout === '') throw new GatewayError(stderr.trim(), { code: 'DaemonUnreachable' });
    return JSON.parse(stdout) as Status;
  }

  /** Polls the status until `isDone`; the error says what the status was last. */
  async until(what: string, isDone: (status: Status) => boolean, signal: AbortSignal, timeoutMs = 60_000) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const status = await this.status(signal);
      if (isDone(status)) return status;
      if (Date.now() > deadline) {
        throw new GatewayError(
          `${what} did not happen within ${timeoutMs / 1000} s: ${JSON.stringify(status)}`,
          {
            code: 'Timeout',
          },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Starts the demo's shop inside the namespace of `service`, as the owner would. */
  async runShop(service: string, port: number): Promise<number> {
    return this.node.detach(this.argv('service', 'run', service, '--', NODE, SHOP, String(port)), {
      logFile: join(this.node.directory, `${service}.log`),
    });
  }
}
