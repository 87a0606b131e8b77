import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabGateway } from '../../src/lab/actors/gateway.ts';
import type { Status, Way } from '../../src/core/status.ts';

/** What the owner typed led to. */
export interface Said {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Exit codes that a command of ours may have; 137 would be a kill. */
const CODES = [0, 1, 2, 3, 64, 70, 130];

/** Somebody at the keyboard of a node: types commands of the gateway, reads what comes back, edits its files. */
export class Owner {
  readonly gateway: LabGateway;
  readonly #signal: AbortSignal;

  constructor(gateway: LabGateway, signal: AbortSignal) {
    this.gateway = gateway;
    this.#signal = signal;
  }

  async type(...words: string[]): Promise<Said> {
    const options = { signal: this.#signal, timeoutMs: 90_000, accept: CODES };
    return this.gateway.node.run(this.gateway.argv(...words), options);
  }

  /** What a command answers with `--json`, however it ends; its error, when it has no answer. */
  async json<Result>(...words: string[]): Promise<Result> {
    const { stdout, stderr } = await this.type('--json', ...words);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as Result;
  }

  until(what: string, isDone: (status: Status) => boolean, timeoutMs?: number): Promise<Status> {
    return this.gateway.until(what, isDone, this.#signal, timeoutMs);
  }

  /** What a program at home prints, trimmed. */
  async home(...argv: [string, ...string[]]): Promise<string> {
    const { stdout } = await this.gateway.node.run(argv, { signal: this.#signal, accept: [0, 1] });
    return stdout.trim();
  }

  file(...names: string[]): string {
    return join(this.gateway.root, ...names);
  }

  config(): Promise<string> {
    return readFile(this.file('etc', 'gateway.yaml'), 'utf8');
  }

  async pidsOf(pattern: string): Promise<string[]> {
    return (await this.home('pgrep', '-f', pattern)).split('\n').filter((line) => line !== '');
  }

  /** Everything that a gateway could leave on a machine, as lines. */
  async inventory(): Promise<string[]> {
    const looks: [string, ...string[]][] = [
      ['ls', '/run/netns', '/run/wireguard'],
      ['ip', '-o', 'link', 'show'],
      ['ip', '-o', 'address', 'show'],
      ['ip', 'route', 'show', 'table', 'all'],
      ['ip', 'rule', 'show'],
      ['nft', 'list', 'ruleset'],
      ['ss', '-Hlntu'],
    ];
    const seen: string[] = [];
    for (const argv of looks) seen.push(...(await this.home(...argv)).split('\n'));
    seen.push(...lastingProcesses(await this.home('ps', '-e', '-o', 'pid=,ppid=,sess=,user=,args=')));
    return seen.filter((line) => line !== '' && !isQuestion(line)).sort();
  }
}

/** A question of the moment to a router: a UDP socket on a port that the kernel chose (32768 and above). */
function isQuestion(line: string): boolean {
  const port = /^udp .*?:(\d+) +0\.0\.0\.0:\*/.exec(line)?.[1];
  return port !== undefined && port !== '51820' && Number(port) >= 32_768;
}

/** `user args` of what stays: without what is only there because somebody looks, and what we run for a moment. */
function lastingProcesses(said: string): string[] {
  const all = said.split('\n').flatMap((line) => {
    const [, pid, parent, session, user = '', args = ''] =
      /^ *(\d+) +(\d+) +(\d+) +(\S+) +(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid, parent, session, user, args }];
  });
  const ours = new Map(
    all.filter(({ args }) => /main\.js .*(helper|daemon)$/.test(args)).map((each) => [each.pid, each]),
  );
  // What outlives helper and daemon leads a session of its own; the rest are programs that they wait for.
  const isOfTheMoment = ({ parent, session }: (typeof all)[number]): boolean =>
    ours.get(parent ?? '')?.session === session;
  // A program that has just ended stands in brackets.
  const isTheLook = (args: string): boolean => /^(\[|ps |setpriv --pdeathsig)/.test(args);
  return all
    .filter((each) => !isOfTheMoment(each) && !isTheLook(each.args))
    .map(({ user, args }) => `${user} ${args}`);
}

export function wayOf(status: Status, service: string, provider: string): Way | undefined {
  return status.services.find(({ name }) => name === service)?.ways.find((way) => way.provider === provider);
}

export const isUp =
  (service: string, provider: string) =>
  (status: Status): boolean =>
    wayOf(status, service, provider)?.reachable === 'yes';
