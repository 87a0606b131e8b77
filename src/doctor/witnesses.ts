import type { CheckContext } from './check.ts';
import type { PageSeen, World } from './world.ts';

/**
 * Machines that are asked whether the internet is there: pages that their operators keep for exactly this question, in
 * plain HTTP so that whoever stands between can be noticed. They learn our address and nothing else; `--offline` asks none.
 */
interface Witness {
  readonly url: string;
  /** What the page says, and nobody who stands between. */
  readonly body: string;
}

export const WEB_WITNESSES: readonly Witness[] = [
  { url: 'http://network-test.debian.org/nm', body: 'NetworkManager is online' },
  { url: 'http://detectportal.firefox.com/success.txt', body: 'success' },
  { url: 'http://nmcheck.gnome.org/check_network_status.txt', body: 'NetworkManager is online' },
];

/** Public resolvers (Quad9, Cloudflare), by address: tried where names are not found. */
export const ADDRESS_WITNESSES: readonly string[] = ['9.9.9.9', '1.1.1.1'];

/** Two operators; each learns our address. */
export const STUN_WITNESSES: readonly string[] = ['stun.nextcloud.com:3478', 'stun.sipgate.net:3478'];

export interface Testimony {
  readonly host: string;
  readonly seen: PageSeen;
  /** It is the page that it should be. */
  readonly isGenuine: boolean;
}

const asked = new WeakMap<World, Promise<readonly Testimony[]>>();

/** Every check that wants to know shares one question to each. */
export function askWitnesses({ world, signal }: CheckContext): Promise<readonly Testimony[]> {
  const already = asked.get(world);
  if (already !== undefined) return already;
  const answers = Promise.all(
    WEB_WITNESSES.map(async ({ url, body }) => {
      const seen = await world.page(url, signal);
      const isGenuine = 'status' in seen && seen.status === 200 && seen.body.trim() === body;
      return { host: new URL(url).hostname, seen, isGenuine };
    }),
  );
  asked.set(world, answers);
  return answers;
}
