import { expect, it } from 'vitest';
import { wallsAgainst } from '../../src/doctor/nft-input.ts';

/** As nft(8) prints them. */
const closed = (...rules: string[]): string => `table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif "lo" accept
		${rules.join('\n\t\t')}
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
`;
const UFW = `table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		counter packets 0 bytes 0 jump ufw-user-input
	}

	chain ufw-user-input {
		udp dport 51820 counter packets 0 bytes 0 accept
	}
}
`;
const FIREWALLD = `table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		jump filter_INPUT_ZONES
		reject with icmpx admin-prohibited
	}

	chain filter_IN_public_allow {
		tcp dport 22 accept
	}
}
`;

it.each<[string, string, 'tcp' | 'udp', number, string[]]>([
  ['nothing at all', '', 'udp', 51_820, []],
  ['a policy that drops', closed(), 'udp', 51_820, ['filter input']],
  ['… with a rule for it', closed('udp dport 51820 accept'), 'udp', 51_820, []],
  [
    '… with a rule for the other transport',
    closed('tcp dport 51820 accept'),
    'udp',
    51_820,
    ['filter input'],
  ],
  ['… with a set', closed('tcp dport { 22, 80, 443 } accept'), 'tcp', 443, []],
  ['… with a range', closed('udp dport 51000-52000 accept'), 'udp', 51_820, []],
  ['… with a set by name', closed('udp dport @mine accept'), 'udp', 51_820, []],
  ['… with a whole interface', closed('iifname "eth0" accept'), 'udp', 51_820, []],
  ['ufw with a rule', UFW, 'udp', 51_820, []],
  ['ufw without one', UFW, 'tcp', 443, ['filter INPUT']],
  ['firewalld', FIREWALLD, 'tcp', 443, ['firewalld filter_INPUT']],
  ['firewalld with a rule', FIREWALLD, 'tcp', 22, []],
])('reads %s', (_, ruleset, transport, port, expected) => {
  const walls = wallsAgainst(ruleset, { transport, port }).map(({ table, chain }) => `${table} ${chain}`);
  expect(walls).toEqual(expected);
});
