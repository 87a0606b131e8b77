import { z } from 'zod';
import { ipShow } from '../system/ip-show.ts';
import { type Family } from '../system/netns.ts';

export const Link = z.object({
  ifname: z.string(),
  ifalias: z.string().optional(),
  flags: z.array(z.string()),
});
export type Link = z.infer<typeof Link>;

const Rule = z.object({
  priority: z.number(),
  iif: z.string().optional(),
  fwmark: z.string().optional(),
  action: z.string().optional(),
  table: z.string().optional(),
});

export async function listLinks(netns: string | undefined, signal: AbortSignal): Promise<Link[]> {
  const [links] = await ipShow(netns, ['link show'], signal);
  return z.array(Link).parse(links);
}

export function linkCalled(name: string, links: readonly Link[]): Link | undefined {
  return links.find((link) => link.ifname === name);
}

/** Both ends are up. */
export function isUp(link: Link): boolean {
  return link.flags.includes('LOWER_UP');
}

/** Routing policy in the words of `ip rule add`. */
export async function listRules(netns: string, signal: AbortSignal, family?: Family): Promise<string[]> {
  const [rules] = await ipShow(netns, ['rule show'], signal, family);
  return rulesFrom(rules);
}

export function rulesFrom(rules: unknown): string[] {
  return z
    .array(Rule)
    .parse(rules)
    .map(({ priority, iif, fwmark, action, table }) =>
      [
        `priority ${priority}`,
        ...(iif === undefined ? [] : [`iif ${iif}`]),
        ...(fwmark === undefined ? [] : [`fwmark ${Number(fwmark)}`]),
        ...(action === undefined ? [`lookup ${table ?? ''}`] : [action]),
      ].join(' '),
    );
}
