import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CaaRecord } from '../../src/core/caa.ts';
import type { Authority, CertificateReport, Challenge } from '../../src/core/certificate.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import { CertificateKeeper } from '../../src/system/acme/keeper.ts';
import { CertificateFiles } from '../../src/system/acme/memory.ts';
import type { Surroundings } from '../../src/system/acme/preflight.ts';
import { nodeCrypto } from '../../src/system/crypto.ts';
import { createKeys, memoryRegistry } from '../../src/system/keys.ts';
import { AcmeServer } from './acme-server.ts';

export const SHOP = 'pay.shop.test';
const HOUR = 3_600_000;

/** A keeper with a clock that is moved by hand, and authorities on real sockets. */
export class KeeperScene {
  /** In memory where that is to be had: a year has many syncs. */
  readonly folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'gw-certificates-'));
  readonly servers: AcmeServer[] = [];
  readonly events: string[] = [];
  readonly served = new Map<string, string>();
  readonly tried: string[] = [];
  readonly #registry = memoryRegistry();
  readonly #proofs = new Map<string, string>();
  nowMs = Date.parse('2026-11-20T00:00:00Z');
  records: CaaRecord[] = [];
  around: Partial<Surroundings> = {};
  proverFails: GatewayError | undefined;
  patienceMs = 2000;
  keeper = this.#open();

  async authority(behaviour: ConstructorParameters<typeof AcmeServer>[0] = {}): Promise<AcmeServer> {
    const server = await new AcmeServer({
      now: () => this.nowMs,
      looks: (type, name) => this.#proofs.get(`${type} ${name}`),
      ...behaviour,
    }).start();
    writeFileSync(this.#rootsOf(server), server.root);
    this.servers.push(server);
    return server;
  }

  termsOf(server: AcmeServer, more: Partial<Authority> = {}): Authority {
    return { directory: server.directory, roots: this.#rootsOf(server), ...more };
  }

  /** Another process on the same disk; the one before is gone without a word. */
  restart(): void {
    this.keeper = this.#open();
  }

  keep(authorities: Authority[], name = SHOP, challenges: Challenge[] = ['http-01']): Promise<void> {
    return this.keeper.keep({ name, challenges, authorities }, AbortSignal.timeout(10_000));
  }

  /** Whatever is due now, to its end. */
  async work(): Promise<void> {
    for (let round = 0; round < 6; round++) {
      await this.keeper.tick();
      await this.keeper.settled();
    }
  }

  async pass(hours: number, stepHours = 1): Promise<void> {
    for (let passed = 0; passed < hours; passed += stepHours) {
      this.nowMs += stepHours * HOUR;
      await this.work();
    }
  }

  async report(name = SHOP): Promise<CertificateReport> {
    const found = (await this.keeper.kept()).find(({ spec }) => spec.name === name);
    if (found === undefined) throw new Error(`${name} is not kept`);
    return found.report;
  }

  pem(name = SHOP): string | undefined {
    const files = readdirSync(join(this.folder, 'certificates'));
    return files.includes(`${name}.pem`) ? readFileSync(this.path(`${name}.pem`), 'utf8') : undefined;
  }

  path(file: string): string {
    return join(this.folder, 'certificates', file);
  }

  async close(): Promise<void> {
    await this.keeper.close();
    for (const server of this.servers) server.stop();
    rmSync(this.folder, { recursive: true });
  }

  #rootsOf(server: AcmeServer): string {
    return join(this.folder, `${new URL(server.directory).port}.pem`);
  }

  #open(): CertificateKeeper {
    return new CertificateKeeper({
      files: new CertificateFiles(join(this.folder, 'certificates')),
      keys: createKeys({
        directory: join(this.folder, 'keys'),
        registry: this.#registry,
        crypto: nodeCrypto,
      }),
      now: () => this.nowMs,
      random: () => 0.5,
      around: {
        addresses: () => [],
        mappings: () => Promise.resolve([]),
        holdsZone: () => true,
        findAddresses: () => Promise.resolve(undefined),
        findCaa: () => Promise.resolve(this.records),
        ...this.around,
      },
      prove: async ({ type, name }) => {
        this.tried.push(type);
        if (this.proverFails !== undefined) throw this.proverFails;
        const key = `${type} ${name}`;
        this.#proofs.set(key, 'shown');
        return () => Promise.resolve(void this.#proofs.delete(key));
      },
      serve: (name, pem) => Promise.resolve(void this.served.set(name, pem)),
      unserve: (name) => Promise.resolve(void this.served.delete(name)),
      record: (type, message) => this.events.push(`${type}: ${message}`),
      log: () => undefined,
      patienceMs: this.patienceMs,
      changed: () => undefined,
    });
  }
}
