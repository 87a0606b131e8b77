import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { RelayTunnel } from '../../src/core/relay-carry.ts';
import type { RelayRequest } from '../../src/core/relay.ts';
import { NODE_INSIDE, parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import type { RelayUp } from '../../src/relay/main.ts';
import type { Argv } from '../../src/system/run.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { encodeKey } from '../../src/wire/wireguard.ts';
import { parseInvite } from '../../src/wire/invite.ts';

const PROGRAM = '/opt/gateway/bin/gateway';
const HOME_MAIN = '/opt/gateway/test/support/relay-home-main.ts';

const topology = parseTopology(
  {
    nodes: {
      core: { kind: 'router' },
      vps: { defaultRoute: '11.1.0.1' },
      home: { defaultRoute: '11.3.0.1' },
      other: { defaultRoute: '11.3.0.1' },
      visitor: { defaultRoute: '11.4.0.1' },
    },
    networks: {
      hosting: { core: '11.1.0.1/24', vps: '11.1.0.2/24' },
      homes: { core: '11.3.0.1/24', home: '11.3.0.2/24', other: '11.3.0.3/24' },
      access: { core: '11.4.0.1/24', visitor: '11.4.0.2/24' },
    },
  },
  'relay-carry',
);

type Asked =
  Extract<RelayRequest, { home: string }> extends infer Each
    ? Each extends unknown
      ? Omit<Each, 'home' | 'secret'>
      : never
    : never;

/** A home that joined, without a gateway: its tunnel is made by hand. */
export class RawHome {
  readonly #lab: RelayCarryLab;
  readonly node: string;
  readonly place: { readonly address: string; readonly fingerprint: string };
  readonly #secret: string;
  readonly home: string;
  readonly tunnel: RelayTunnel;

  constructor(
    lab: RelayCarryLab,
    node: string,
    place: RawHome['place'],
    joined: { readonly home: string; readonly secret: string; readonly tunnel: RelayTunnel },
  ) {
    this.#lab = lab;
    this.node = node;
    this.place = place;
    this.#secret = joined.secret;
    this.home = joined.home;
    this.tunnel = joined.tunnel;
  }

  ask(question: Asked): Promise<{ value?: unknown; error?: string }> {
    return this.#lab.ask(this.node, this.place, { home: this.home, secret: this.#secret, ...question });
  }

  carry(names: readonly string[], ports: readonly object[] = [], devices = false) {
    return this.ask({ ask: 'carry', carry: { names, ports, devices } } as unknown as Asked);
  }

  /** Brings up the tunnel, with the routes that answers to visitors need. */
  async connect(privateKey: string): Promise<void> {
    const { publicKey, endpoints, address, mtu } = this.tunnel;
    const on = (...argv: [string, ...string[]]) => this.#lab.on(this.node, ...argv);
    const file = join(this.#lab.lab.node(this.node).directory, 'tunnel.conf');
    const [endpoint = ''] = endpoints;
    await this.#lab.lab.node(this.node).run(['tee', file], {
      signal: this.#lab.signal,
      input: `[Interface]\nPrivateKey = ${privateKey}\n[Peer]\nPublicKey = ${publicKey}\nEndpoint = ${endpoint}\nAllowedIPs = 0.0.0.0/0\nPersistentKeepalive = 5\n`,
    });
    await on('wireguard-go', 'gwt');
    await on('wg', 'setconf', 'gwt', file);
    await on('ip', 'addr', 'add', `${address}/32`, 'dev', 'gwt');
    await on('ip', 'link', 'set', 'gwt', 'mtu', String(mtu ?? 1420), 'up');
    await on('ip', 'route', 'add', 'default', 'dev', 'gwt', 'table', '77');
    await on('ip', 'rule', 'add', 'from', address, 'lookup', '77');
  }
}

export class RelayCarryLab {
  readonly lab: Lab;
  readonly signal: AbortSignal;

  private constructor(lab: Lab, signal: AbortSignal) {
    this.lab = lab;
    this.signal = signal;
  }

  static async start(signal: AbortSignal): Promise<RelayCarryLab> {
    const scene = new RelayCarryLab(await startLab(topology, { signal }), signal);
    await scene.startRelay();
    return scene;
  }

  get state(): string {
    return join(this.lab.node('vps').directory, 'relay');
  }

  /** Resolves with its pid in the eyes of this machine. */
  async startRelay(...more: string[]): Promise<number> {
    const argv = ['--json', 'relay', 'up', '--listen', '11.1.0.2:7443', '--state', this.state, ...more];
    return this.lab.node('vps').detach([PROGRAM, ...argv], { logFile: this.#log });
  }

  /** A command on the machine of the relay. */
  async relay(...argv: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const command: Argv = [PROGRAM, 'relay', ...argv, '--state', this.state];
    return this.lab.node('vps').run(command, { signal: this.signal, accept: [0, 1, 64] });
  }

  /** Everything that the relay said, once it said this. */
  async said(pattern: RegExp): Promise<string> {
    const read = (): Promise<string> => readFile(this.#log, 'utf8');
    await expect.poll(read, { timeout: 20_000 }).toMatch(pattern);
    return read();
  }

  async firstInvite(): Promise<string> {
    const lines = (await this.said(/"invite":"gateway-relay:/)).split('\n');
    const up = JSON.parse(lines.find((line) => line.startsWith('{"listening"')) ?? '') as RelayUp;
    return up.invite ?? '';
  }

  async join(node: string, text: string): Promise<{ home: RawHome; privateKey: string }> {
    const invite = parseInvite(text);
    if (invite === undefined) throw new Error(`no invite: ${text}`);
    const secret = randomBytes(32);
    const credential = createHash('sha256').update(secret).digest('base64url');
    const { privateKey, publicKey } = makeKey();
    const request = { ask: 'join', invite: invite.secret, credential, tunnel: { publicKey } } as const;
    const { value, error } = await this.ask(node, invite, request);
    if (error !== undefined) throw new Error(error);
    const joined = value as { home: string; tunnel: RelayTunnel };
    const home = new RawHome(this, node, invite, { ...joined, secret: secret.toString('base64url') });
    await home.connect(privateKey);
    return { home, privateKey };
  }

  async ask(node: string, place: RawHome['place'], request: object) {
    const { address, fingerprint } = place;
    const argv: Argv = [NODE_INSIDE, HOME_MAIN, 'ask', address, fingerprint, JSON.stringify(request)];
    const { stdout } = await this.lab.node(node).run(argv, { signal: this.signal });
    return JSON.parse(stdout) as { value?: unknown; error?: string };
  }

  /** What comes out of the tunnel at this home is answered. */
  async serve({ node, tunnel }: RawHome, marker: string): Promise<void> {
    const { directory } = this.lab.node(node);
    const pem = join(directory, 'site.pem');
    const make = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=shop';
    await this.on(node, 'openssl', ...make.split(' '), '-keyout', pem, '-out', `${pem}.crt`);
    await this.lab.node(node).run(['tee', '-a', pem], {
      signal: this.signal,
      input: await readFile(`${pem}.crt`),
    });
    const logFile = join(directory, 'serve.log');
    const argv: Argv = [NODE_INSIDE, HOME_MAIN, 'serve', pem, marker, tunnel.address];
    await this.lab.node(node).detach(argv, { logFile });
    await expect.poll(() => readFile(logFile, 'utf8'), { timeout: 10_000 }).toContain('ready');
  }

  async on(node: string, ...argv: [string, ...string[]]): Promise<string> {
    return (await this.lab.node(node).run(argv, { signal: this.signal })).stdout;
  }

  /** A visitor's page, or what curl complains of. */
  async visit(url: string, ...more: string[]): Promise<string> {
    const { hostname, port } = new URL(url);
    const resolve = ['--resolve', `${hostname}:${port || (url.startsWith('https') ? 443 : 80)}:11.1.0.2`];
    const argv: Argv = ['curl', '-ksS', '--max-time', '8', ...resolve, ...more, url];
    const accept = Array.from({ length: 100 }, (_, code) => code);
    const { stdout, stderr } = await this.lab.node('visitor').run(argv, { signal: this.signal, accept });
    return stdout + stderr;
  }

  /** What the far end of a port of the relay says first, to a visitor who sends `x`. */
  async knock(protocol: 'tcp' | 'udp', port: number): Promise<string> {
    const script = `
      const [protocol, port] = process.argv.slice(1);
      const done = (text) => { console.log(text); process.exit(0); };
      setTimeout(() => done('silence'), 3000);
      if (protocol === 'udp') {
        const socket = require('node:dgram').createSocket('udp4');
        socket.on('message', (data) => done(String(data)));
        socket.on('error', (error) => done(error.code));
        socket.connect(Number(port), '11.1.0.2', () => socket.send('x'));
      } else {
        const socket = require('node:net').connect(Number(port), '11.1.0.2');
        socket.on('data', (data) => done(String(data).trim()));
        socket.on('error', (error) => done(error.code));
      }`;
    return (await this.on('visitor', NODE_INSIDE, '-e', script, protocol, String(port))).trim();
  }

  get #log(): string {
    return join(this.lab.node('vps').directory, 'relay.log');
  }
}

export function makeKey(): { privateKey: string; publicKey: string } {
  const secret = nodeCrypto.curve25519Secret();
  return { privateKey: encodeKey(secret), publicKey: encodeKey(nodeCrypto.curve25519Public(secret)) };
}
