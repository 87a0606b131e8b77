/**
 * English, by which the others go. For somebody who does not know what NAT means: what is wrong, how it was seen, what to
 * do. A finding's `seen` follows the word "Seen:", its steps the word "Fix:".
 */
export const en = {
  'time.seconds': { one: '{count} second', other: '{count} seconds' },
  'time.minutes': { one: '{count} minute', other: '{count} minutes' },
  'time.hours': { one: '{count} hour', other: '{count} hours' },
  'time.days': { one: '{count} day', other: '{count} days' },

  'report.head': 'Checked in {seconds} s. {changed}',
  'report.waiting': '{done} of {count} done after {seconds} s; waiting for {names}',
  'report.unchanged': 'Nothing was changed, here or on your router.',
  'report.changed': 'This was changed:',
  'report.not': 'Your services are NOT reachable {ways}.',
  'report.partly': 'Some of your services are not reachable {ways}.',
  'report.reachable': 'Your services ARE reachable {ways}.',
  'report.unproved': 'Not known yet: whether your services are reachable {ways}.',
  'report.line-trouble':
    'This is about your internet line alone: no way in to a service could be asked about.',
  'report.line-fine': 'Your internet line looks fine from here. No way in to a service was looked at.',
  'report.seen': 'Seen: {seen}',
  'report.fix': 'Fix:',
  'report.by-provider': '(your internet provider) {step}',
  'report.check': 'Check: {command}',
  'report.evidence': 'What was seen:',
  'report.nothing-to-do': 'Nothing needs you.',
  'report.problems': { one: '{count} problem needs you.', other: '{count} problems need you.' },
  'report.more': { one: '{count} more is not shown.', other: '{count} more are not shown.' },
  'report.hidden': {
    one: '{count} more will probably be gone with these.',
    other: '{count} more will probably be gone with these.',
  },
  'report.details': 'Details: gateway doctor -v',

  'way.clearnet': 'over the open internet',
  'way.wireguard': 'by WireGuard',
  'way.relay': 'through the relay',
  'way.onion': 'by onion address',

  'check.late': 'no answer within {seconds} s',
  'check.failed': 'could not be found out: {why}',
  'check.offline': 'not asked: it needs machines outside, and you said --offline',
  'check.gateway-none': 'no gateway is set up on this machine',
  'check.gateway-stopped': 'needs the gateway, which does not answer',
  'check.gateway-denied': 'needs the gateway, which this user may not ask (sudo may)',

  'clock.name': 'Clock',
  'clock.right': 'right',
  'clock.unknown': 'nobody outside told the time',
  'clock.contested': 'one machine outside tells another time, and there was no second one to ask',
  'clock.ahead': 'ahead',
  'clock.behind': 'behind',
  'clock.off': '{amount} {direction}',
  'clock.fix.sync': 'Have this machine set its clock by the internet:',
  'clock.fix.battery':
    'If it is wrong again after a restart, the machine has no clock of its own (many small boards have none), or its battery is empty. Install chrony or systemd-timesyncd.',
  'CLOCK_WRONG.title': "This machine's clock is {amount} {direction}",
  'CLOCK_WRONG.seen':
    'it says {ours}; machines on the internet, which agree, say {theirs}. With a wrong clock Tor does not start, and certificates are refused.',
  'CLOCK_OFF.title': "This machine's clock is {amount} {direction}",
  'CLOCK_OFF.seen':
    'it says {ours}; machines on the internet, which agree, say {theirs}. That does no harm yet; a clock that nobody sets drifts further.',

  'web.name': 'Internet',
  'web.ok': 'pages come through ({ms} ms)',
  'web.replaced': 'somebody answers in place of the pages that were asked for',
  'web.contested': 'one page was not what it should be, and the others did not come',
  'web.no-names': 'machines can be reached, but names are not found',
  'web.none': 'no page comes through',
  'web.fix.sign-in': 'Open {page} in a browser on this network, and sign in or accept there.',
  'web.fix.router':
    'Look at the router: is its internet light on? Switch it off for ten seconds and on again, then wait three minutes.',
  'web.fix.provider': 'Ask the provider whether the line is down, or the account is blocked.',
  'WEB_SIGN_IN.title': 'This network wants you to sign in first',
  'WEB_SIGN_IN.seen':
    'pages of {hosts} were asked for, and something else came instead: {page}. Hotels, offices and trains do that until somebody signs in.',
  'WEB_NONE.title': 'Nothing comes through from the internet',
  'WEB_NONE.seen': 'none of {hosts} answers this machine.',

  'disk.name': 'Disk',
  'disk.free': '{size} free in {path}',
  'disk.unknown': 'could not be looked at',
  'disk.fix.look': 'See what takes the room:',
  'disk.fix.remove': 'Remove what is not needed; old logs are a beginning:',
  'disk.fix.read-only':
    'A disk becomes read-only by itself when it is failing, or after a power cut. See what the system says of it; make a copy of everything first (gateway backup):',
  'DISK_READ_ONLY.title': 'Nothing can be written to {path}',
  'DISK_READ_ONLY.seen': 'the disk that holds it is read-only.',
  'DISK_FULL.title': 'The disk is full',
  'DISK_FULL.seen': '{path} has {size} left, and room for {files} more files. Nothing new can be kept.',
  'DISK_LOW.title': 'The disk is nearly full',
  'DISK_LOW.seen': '{path} has {size} left, and room for {files} more files.',

  'routes.name': 'Way out',
  'routes.out': 'out by {interface}, {address}, to the router {gateway}',
  'routes.direct': 'out by {interface}, {address}',
  'routes.none': 'there is no way out of this machine',
  'routes.fix.connect':
    'Plug in the network cable, or join the Wi-Fi; then see whether the router gave an address.',
  'routes.fix.look': 'A line that begins with "default" must be there:',
  'routes.fix.exclude':
    "Tell the VPN program to leave the gateway's own traffic alone (often called split tunnelling), or to route {interface} for chosen programs only.",
  'routes.fix.vpn-off': 'Or switch the VPN off on this machine, and try again.',
  'routes.fix.one': 'Unplug or switch off one of the two, for example {interface}.',
  'routes.fix.source':
    'To keep both, set up routing by source address, so that each answer leaves by the line that its question came by.',
  'ROUTE_NONE.title': 'This machine is not connected to any network',
  'ROUTE_NONE.seen': 'of its {interfaces} network interfaces none leads out.',
  'ROUTE_VPN.title': 'Everything from this machine goes through a VPN',
  'ROUTE_VPN.seen':
    'the way out is {interface}, which is a tunnel. The world sees the address of the VPN, and visitors who come to your own address get no answer.',
  'ROUTE_TWO.title': 'This machine has two ways out, to two routers',
  'ROUTE_TWO.seen':
    '{first} leads to {firstGateway}, {second} to {secondGateway}. Who comes in by one may be answered by the other, and never hears it.',

  'dns.name': 'Names',
  'dns.ok': 'names are found ({ms} ms)',
  'dns.silent': 'no server for names answers',
  'dns.wrong': 'names are answered wrongly',
  'dns.unknown': 'some names are found, others are not',
  'dns.fix.router':
    'Restart the router. If that does not help, enter another server for names in this machine: 9.9.9.9 for example.',
  'dns.fix.other':
    'Enter another server for names in this machine, 9.9.9.9 for example. If a filter (Pi-hole, AdGuard) answers, look at its log.',
  'dns.fix.look': 'See which servers this machine asks:',
  'DNS_SILENT.title': 'Names like example.org cannot be looked up',
  'DNS_SILENT.seen': 'the servers that this machine asks ({servers}) do not answer.',
  'DNS_WRONG.title': 'Whoever looks up names for this machine answers wrongly',
  'DNS_WRONG.seen':
    '{servers} says that {names} do not exist, or are at addresses that are not on the internet.',

  'udp.name': 'UDP',
  'udp.ok': 'comes through; the world sees {address}',
  'udp.blocked': 'does not come through',
  'udp.unknown': 'nobody could be asked',
  'udp.fix.firewall':
    'If this network is yours: look for a firewall in the router, or in this machine, that lets only the web out; allow UDP.',
  'udp.fix.onion':
    'If it is not: use onion addresses (gateway expose SERVICE --via tor), which need no UDP. WireGuard does not work here.',
  'UDP_BLOCKED.title': 'This network lets no UDP out',
  'UDP_BLOCKED.seen': 'pages come through, but {servers} do not answer. WireGuard uses UDP alone.',

  'gateway.name': 'Gateway',
  'gateway.none': 'none is set up on this machine; what can be seen without one was looked at',
  'gateway.denied': 'runs, but this user may not ask it; sudo gateway doctor sees more',
  'gateway.stopped': 'is set up, and does not run',
  'gateway.down': 'was told to close everything',
  'gateway.no-ways': 'runs; no service has a way in yet',
  'gateway.ways': {
    one: 'runs; {proved} of {count} way in was proved from outside',
    other: 'runs; {proved} of {count} ways in were proved from outside',
  },
  'gateway.fix.start': 'Start it:',
  'gateway.fix.log': 'If it ends again, its last words are here:',
  'gateway.fix.up': 'Open everything again:',
  'gateway.fix.look': 'See each way, and what it lacks:',
  'gateway.fix.service':
    'Start what should answer there ({names}), or correct its port: gateway service set NAME --port PORT.',
  'gateway.fix.plan': 'See what would change:',
  'gateway.fix.apply': 'Apply it:',
  'GATEWAY_STOPPED.title': 'The gateway is not running',
  'GATEWAY_STOPPED.seen': '{why}. Ways that were open may still work, but nobody looks after them.',
  'GATEWAY_DOWN.title': 'The gateway was told to close everything',
  'GATEWAY_DOWN.seen': 'somebody typed gateway down.',
  'WAY_CLEARNET.title': 'Not reachable over the open internet: {names}',
  'WAY_CLEARNET.seen': '{why}.',
  'WAY_WIREGUARD.title': 'Not reachable by WireGuard: {names}',
  'WAY_WIREGUARD.seen': '{why}.',
  'WAY_ONION.title': 'Not reachable by onion address: {names}',
  'WAY_ONION.seen': '{why}.',
  'WAY_RELAY.title': 'Not reachable through the relay: {names}',
  'WAY_RELAY.seen': '{why}.',
  'SERVICE_SILENT.title': 'A service does not answer inside this machine: {names}',
  'SERVICE_SILENT.seen': '{why}. No way in can help before it does.',
  'GATEWAY_NOTICE.title': 'The gateway has something to tell you',
  'GATEWAY_NOTICE.seen': '{notices}.',
  'GATEWAY_FILE_DIFFERS.title': 'gateway.yaml was changed, and the change is not applied',
  'GATEWAY_FILE_DIFFERS.seen': 'the file is not what was applied last.',
} as const;
