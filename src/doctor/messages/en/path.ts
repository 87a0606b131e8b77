/** Of the routers on the way out. */
export const path = {
  'nat.name': 'Routers',
  'nat.none': 'none translates addresses: this machine itself is on the internet',
  'nat.unknown': 'not known; {why}',
  'nat.exact': {
    one: '{count} router translates addresses (exact)',
    other: '{count} routers translate addresses (exact)',
  },
  'nat.probably': {
    one: 'probably {count} router translates addresses; {why}',
    other: 'probably {count} routers translate addresses; {why}',
  },
  'nat.range': {
    one: '{min} to {max} routers translate addresses, probably {count}; {why}',
    other: '{min} to {max} routers translate addresses, probably {count}; {why}',
  },
  'nat.at-least': {
    one: 'at least {min} router translates addresses, probably {count}; {why}',
    other: 'at least {min} routers translate addresses, probably {count}; {why}',
  },
  'nat.doubt.outside': 'nobody outside could be asked at which address this home is',
  'nat.doubt.unbounded': 'none of them has the address that the world sees',
  'nat.doubt.unproved': 'not every box shows what it does; a relay and gateway doctor nat --full would tell',
  'nat.doubt.addresses': 'only one way of looking found it',
  'nat.doubt.state': 'a relay and the full examination (gateway doctor nat --full) would make it exact',
  'nat.doubt.unsteady': 'the line lost packets while it was looked at',
  'nat.doubt.disagree': 'ways of looking contradict each other',
  'nat.surely': 'translate',
  'nat.likely': 'probably translate',
  'nat.box': 'router {ttl}',
  'nat.fix.public-address': 'Ask for "a public IPv4 address"; it is often free, or a few euros a month.',
  'nat.fix.relay':
    'Or rent a small machine, and have visitors come through it: gateway relay install there, gateway relay join here (docs/relay.md), and then:',
  'nat.fix.onion':
    'Or use an onion address, which needs nothing of your provider. Visitors need Tor Browser:',
  'nat.fix.ipv6':
    'Or use IPv6, which your line has: this machine is {address}. Open its port in the router, below "IPv6 firewall". Not every visitor has IPv6.',
  'nat.fix.bridge':
    'Set router {last} ({box}, {page}) to "bridge mode" or "modem mode": then only router {first} translates. Of a box from your provider, ask the provider to do that.',
  'nat.fix.access-point':
    'Or make router {first} a plain access point: in its own pages the setting is called "operation mode".',
  'nat.fix.through': 'Or leave both, and have both open the ports. They take such requests:',
  'nat.fix.both':
    'Or forward every port twice: in router {last} ({page}) to {wan}, and in router {first} to this machine.',
  'NAT_CARRIER.title': 'Your provider shares one public address among customers (carrier NAT)',
  'NAT_CARRIER.seen':
    "router {ttl}'s outside address is {wan}, and the world sees {world}: another box, in your provider's network, translates. Nothing inside your home can open a port through it.",
  'NAT_DOUBLE.title': 'Inside your home {count} boxes {sure} addresses, one behind the other',
  'NAT_DOUBLE.seen':
    "router {first}'s outside address is {wan}, inside the network of router {last}. A port that is open in one alone leads nowhere.",
  'NAT_SYMMETRIC.title': 'Your line shows every machine outside another port',
  'NAT_SYMMETRIC.seen':
    'two machines outside saw the same packets come from different ports. Programs that punch holes, as games and calls do, have a hard time. Ports that are forwarded are not affected.',

  'path.title': 'The way out of your home: {count}',
  'path.machine': 'this machine',
  'path.router': 'router {ttl}',
  'path.internet': 'internet',
  'path.hidden': '(shows no address)',
  'path.world': 'the world sees {address}',
  'path.nobody': 'nobody outside could be asked what it sees',
  'path.owner-yours': 'probably yours',
  'path.owner-provider': "probably your provider's",
  'path.translates-yes': 'translates',
  'path.translates-no': 'only passes on',
  'path.translates-unknown': 'may translate',
  'path.opens': 'opens ports when asked',
} as const;
