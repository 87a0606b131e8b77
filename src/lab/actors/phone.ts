import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabNode } from '../index.ts';
import { toolsFolder } from '../places.ts';

/** A phone with the stock WireGuard tools, as new as they can be had. Nothing but the picture of the QR code reaches it. */
export class Phone {
  readonly node: LabNode;
  #conf: string | undefined;

  constructor(node: LabNode) {
    this.node = node;
  }

  /** Decodes the picture as a camera would, and brings the tunnel up with wg-quick. Returns the decoded text. */
  async scan(png: string, signal: AbortSignal): Promise<string> {
    const { stdout } = await this.node.run(['zbarimg', '-q', '--raw', '--nodbus', png], { signal });
    const text = stdout.replace(/\n+$/, '\n');
    // wg-quick names the interface after the file.
    this.#conf = join(this.node.directory, 'wgphone.conf');
    await writeFile(this.#conf, text, { mode: 0o600 });
    await this.join(signal);
    return text;
  }

  /** Turns the tunnel on again; it was scanned before. */
  async join(signal: AbortSignal): Promise<void> {
    await this.#wgQuick('up', signal);
  }

  /** The page's text, fetched through the tunnel; rejects when it does not come. */
  async open(url: string, signal: AbortSignal, timeoutSeconds = 10): Promise<string> {
    const argv = ['curl', '-sS', '--fail', '--max-time', String(timeoutSeconds), url] as const;
    const { stdout } = await this.node.run([...argv], { signal, timeoutMs: (timeoutSeconds + 5) * 1000 });
    return stdout;
  }

  async leave(signal: AbortSignal): Promise<void> {
    await this.#wgQuick('down', signal);
  }

  async #wgQuick(verb: 'up' | 'down', signal: AbortSignal): Promise<void> {
    if (this.#conf === undefined) return;
    // Debian's wg-quick tries the kernel first and falls back to this by itself. With LOG_LEVEL set, wireguard-go would
    // keep our pipes open for as long as the tunnel stands.
    const later = existsSync(join(toolsFolder(), 'bin', 'wireguard-go-later')) ? '-later' : '';
    const choice = `WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go${later}`;
    await this.node.run(['env', '--unset=LOG_LEVEL', choice, 'wg-quick', verb, this.#conf], { signal });
  }
}
