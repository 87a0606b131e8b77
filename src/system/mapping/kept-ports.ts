import { messageOf } from '../../core/errors.ts';
import { portKey, type PortSpec } from '../../core/mapper.ts';
import type { PortState } from '../../core/mapping-lease.ts';
import { summaryOf } from '../../core/mapping-report.ts';
import type { PortMapperOptions } from './mapper-options.ts';
import { emptyMemory, restored, storedOf, type Memory } from './memory.ts';

/** The ports that a mapper keeps, by `portKey`, and what it knows of routers: in memory, and for the next daemon on disk. */
export class KeptPorts {
  readonly #options: Pick<PortMapperOptions, 'file' | 'now' | 'log' | 'changed'>;
  readonly #ports = new Map<string, PortState>();
  #memory: Memory = emptyMemory();

  constructor(options: Pick<PortMapperOptions, 'file' | 'now' | 'log' | 'changed'>) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const { file, now } = this.#options;
    this.#memory = await file.read();
    for (const port of this.#memory.ports) this.#ports.set(portKey(port.spec), restored(port, now()));
  }

  async save(): Promise<void> {
    this.#memory.ports = [...this.#ports.values()].map(storedOf);
    try {
      await this.#options.file.write(this.#memory);
    } catch (error) {
      // The leases are held all the same; the next daemon would ask anew.
      this.#options.log('warn', 'port mappings were not remembered', { error: messageOf(error) });
    }
  }

  get size(): number {
    return this.#ports.size;
  }

  keys(): readonly string[] {
    return [...this.#ports.keys()];
  }

  states(): readonly PortState[] {
    return [...this.#ports.values()];
  }

  get(key: string): PortState | undefined {
    return this.#ports.get(key);
  }

  add(state: PortState): void {
    this.#ports.set(portKey(state.spec), state);
  }

  remove(spec: PortSpec): void {
    this.#ports.delete(portKey(spec));
  }

  /** Nothing when it was let go of meanwhile. */
  change(key: string, state: PortState): void {
    const before = this.#ports.get(key);
    if (before === undefined) return;
    this.#ports.set(key, state);
    if (summaryOf(before) !== summaryOf(state)) this.#options.changed();
  }

  /** What is known of a router. */
  routerAt(address: string): Memory['routers'][string] | undefined {
    return this.#memory.routers[address];
  }

  /** Of the router that answered last, and of no other: addresses of routers are the same in many homes. */
  learn(address: string, known: Memory['routers'][string]): void {
    this.#memory.routers = { [address]: known };
  }

  /** In the router's own pages; it names no service. */
  get description(): string {
    return `gateway ${this.#memory.mark}`;
  }
}
