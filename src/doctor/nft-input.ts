/** What firewalls of this machine do with what comes in, as `nft list ruleset` writes it. Pure. */

export interface Wanted {
  readonly transport: 'tcp' | 'udp';
  readonly port: number;
}

export interface Wall {
  /** `inet`, `ip` … */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
}

interface Chain extends Wall {
  readonly lines: readonly string[];
}

/**
 * Chains that everything comes in through and that drop what no rule lets in, where no rule of their table names this
 * port. What rules do in detail (addresses, interfaces, rates) is not looked at: a table that names the port is believed
 * to let it in.
 */
export function wallsAgainst(ruleset: string, { transport, port }: Wanted): Wall[] {
  const chains = chainsOf(ruleset);
  const doors = chains.filter(({ lines }) =>
    lines.some((line) => line.startsWith('type filter hook input ')),
  );
  return doors
    .filter(({ lines }) => isClosed(lines))
    .filter(({ family, table }) => {
      const rules = chains.filter((one) => one.family === family && one.table === table);
      return !rules.some(({ lines }) => lines.some((line) => letsIn(line, transport, port)));
    })
    .map(({ family, table, chain }) => ({ family, table, chain }));
}

/** By its policy, or by a last rule for everything (firewalld). */
function isClosed(lines: readonly string[]): boolean {
  const last = (lines.at(-1) ?? '').replace(/^counter packets \d+ bytes \d+ /, '');
  return lines.some((line) => /hook input .*policy drop/.test(line)) || /^(drop|reject\b.*)$/.test(last);
}

/** What cannot be read here (sets by name, matches of iptables, whole interfaces) is believed to let it in. */
const UNREADABLE =
  /\bdport @|\bxt match|# xt_|^iif(?:name)? (?!"?lo\b)\S+ (?:counter \S+ \d+ \S+ \d+ )?accept/;

function letsIn(line: string, transport: string, port: number): boolean {
  if (!/\baccept\b/.test(line)) return false;
  if (UNREADABLE.test(line)) return true;
  const [, ports = ''] = new RegExp(`(?:${transport}|th) dport (\\{[^}]*\\}|[\\d-]+)`).exec(line) ?? [];
  return ports
    .replaceAll(/[{}\s]/g, '')
    .split(',')
    .some((range) => {
      const [first = NaN, last = first] = range.split('-').map(Number);
      return first <= port && port <= last;
    });
}

function chainsOf(ruleset: string): Chain[] {
  let family = '';
  let table = '';
  let open: { chain: string; lines: string[] } | undefined;
  const chains: Chain[] = [];
  for (const raw of ruleset.split('\n')) {
    const line = raw.trim();
    const [, newFamily, newTable] = /^table (\w+) (\S+) \{/.exec(line) ?? [];
    const chain = /^chain (\S+) \{/.exec(line)?.[1];
    if (newFamily !== undefined) [family, table] = [newFamily, newTable ?? ''];
    else if (chain !== undefined) open = { chain, lines: [] };
    else if (line === '}' && open !== undefined) {
      chains.push({ family, table, ...open });
      open = undefined;
    } else open?.lines.push(line);
  }
  return chains;
}
