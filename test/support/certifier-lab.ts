import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority, CertificateReport, CertificateSpec, Challenge } from '../../src/core/certificate.ts';
import { labAuthority, NODE_INSIDE, parseTopology, startLab, type Lab } from '../../src/lab/index.ts';
import type { CertifierTask } from './certifier-main.ts';

export const HOME = '11.1.0.2';
const SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==';

/** A certifier with a public address, Pebble, and a zone that takes updates. */
export class CertifierLab {
  readonly lab: Lab;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  static async start(acme: object, signal: AbortSignal): Promise<CertifierLab> {
    const topology = parseTopology(
      {
        nodes: {
          core: { kind: 'router' },
          home: { defaultRoute: '11.1.0.1' },
          dns: {
            defaultRoute: '11.4.0.1',
            services: [
              { type: 'dns', zone: 'lab.test', names: { home: HOME, '*.home': HOME }, updates: SECRET },
            ],
          },
          acme: { defaultRoute: '11.5.0.1', services: [{ type: 'acme', ...acme }] },
        },
        networks: {
          line: { core: '11.1.0.1/24', home: `${HOME}/24` },
          names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' },
          authorities: { core: '11.5.0.1/24', acme: '11.5.0.2/24' },
        },
      },
      'certifier',
    );
    const lab = await startLab(topology, { signal });
    const self = new CertifierLab(lab);
    mkdirSync(self.folder, { recursive: true });
    writeFileSync(join(self.folder, 'updates.key'), SECRET);
    return self;
  }

  get folder(): string {
    return join(this.lab.node('home').directory, 'certifier');
  }

  authority(more: Partial<Authority> = {}): Authority {
    const { directory, ca } = labAuthority(this.lab.node('acme'), this.lab.topology);
    return { directory, roots: ca, ...more };
  }

  spec(name: string, challenges: readonly Challenge[], more: Partial<Authority> = {}): CertificateSpec {
    return { name, challenges: [...challenges], authorities: [this.authority(more)] };
  }

  file(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Starts the certifier; resolves with what kills it. */
  async run(specs: readonly CertificateSpec[], aheadMs = 0, revokes?: string): Promise<() => void> {
    const credential = join(this.folder, 'updates.key');
    const task: CertifierTask = {
      folder: this.folder,
      address: HOME,
      specs,
      aheadMs,
      ...(revokes === undefined ? {} : { revokes }),
      zones: {
        'lab.test': {
          host: 'rfc2136',
          server: '11.4.0.53',
          key: 'updates',
          algorithm: 'hmac-sha256',
          credential,
        },
      },
    };
    const main = '/opt/gateway/test/support/certifier-main.ts';
    const pid = await this.lab
      .node('home')
      .detach([NODE_INSIDE, main, JSON.stringify(task)], { logFile: join(this.folder, 'log') });
    return () => process.kill(pid, 'SIGKILL');
  }

  seen(): { reports: CertificateReport[]; events: string[]; shown: string[] } {
    try {
      return JSON.parse(readFileSync(join(this.folder, 'report.json'), 'utf8')) as ReturnType<
        CertifierLab['seen']
      >;
    } catch {
      // Not there yet, or being written.
      return { reports: [], events: [], shown: [] };
    }
  }

  /** How often Pebble was asked for this. */
  asked(path: string): number {
    const log = readFileSync(join(this.lab.node('acme').directory, 'acme', 'log'), 'utf8');
    return log.split(`POST ${path}`).length - 1;
  }

  /** Tells Pebble when another certificate is to be ordered in place of this one. */
  async advise(name: string, start: Date, end: Date, signal: AbortSignal): Promise<void> {
    const { management, ca } = labAuthority(this.lab.node('acme'), this.lab.topology);
    const pem = readFileSync(join(this.folder, 'certificates', `${name}.pem`), 'utf8');
    const certificate = `${pem.split('-----END CERTIFICATE-----')[0] ?? ''}-----END CERTIFICATE-----\n`;
    const ariResponse = JSON.stringify({ suggestedWindow: { start, end } });
    const args = ['-sS', '--fail', '--cacert', ca, '--data-binary', '@-', `${management}/set-renewal-info/`];
    const input = JSON.stringify({ certificate, ariResponse });
    await this.lab.node('home').run(['curl', ...args], { signal, input });
  }

  /** What Pebble says of a certificate that it gave. */
  async statusOf(pem: string, signal: AbortSignal): Promise<{ Status: string; Reason?: number }> {
    const { management, ca } = labAuthority(this.lab.node('acme'), this.lab.topology);
    const serial = new X509Certificate(pem).serialNumber.toLowerCase();
    const url = `${management}/cert-status-by-serial/${serial}`;
    const { stdout } = await this.lab
      .node('home')
      .run(['curl', '-sS', '--fail', '--cacert', ca, url], { signal });
    return JSON.parse(stdout) as { Status: string; Reason?: number };
  }

  pem(name: string): string {
    return readFileSync(join(this.folder, 'certificates', `${name}.pem`), 'utf8');
  }

  report(name: string): CertificateReport | undefined {
    return this.seen().reports.find((report) => report.name === name);
  }

  stop(): Promise<void> {
    return this.lab.stop();
  }
}
