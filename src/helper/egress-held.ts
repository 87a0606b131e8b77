import { z } from 'zod';
import type { EgressSpec, Firewall } from '../core/egress.ts';
import { run } from '../system/run.ts';
import { HELD_SET } from './egress-rules.ts';
import type { HubTable } from './table.ts';

/** `{ elem: { val: '10.64.1.3', timeout: 300, expires: 298 } }` */
const Element = z.object({ elem: z.object({ val: z.string() }) });
const Chains = z.object({
  nftables: z.array(z.object({ chain: z.object({ table: z.string(), name: z.string() }).optional() })),
});

/** Who asked to leave and was dropped on the way by rules that are not ours; `undefined` when nobody was. */
export async function heldBack(
  leavers: EgressSpec['services'],
  onHost: HubTable | undefined,
  signal: AbortSignal,
): Promise<{ services: string[]; firewalls: Firewall[] } | undefined> {
  const elements = onHost?.sets.get(HELD_SET) ?? [];
  const addresses = new Set(elements.map((element) => Element.safeParse(element).data?.elem.val));
  const services = leavers.filter(({ address }) => addresses.has(address)).map(({ service }) => service);
  return services.length === 0 ? undefined : { services, firewalls: await firewallsHere(signal) };
}

/** By the names of their chains. Rules of iptables-legacy are not seen here, but what they drop is. */
async function firewallsHere(signal: AbortSignal): Promise<Firewall[]> {
  const { stdout } = await run(['nft', '-j', 'list', 'chains'], { signal });
  const chains = Chains.parse(JSON.parse(stdout)).nftables.flatMap(({ chain }) => chain ?? []);
  const marks: Readonly<Record<Firewall, (chain: (typeof chains)[number]) => boolean>> = {
    docker: ({ name }) => name === 'DOCKER-USER',
    ufw: ({ name }) => name.startsWith('ufw-'),
    firewalld: ({ table }) => table === 'firewalld',
  };
  return (['docker', 'ufw', 'firewalld'] as const).filter((name) => chains.some(marks[name]));
}
