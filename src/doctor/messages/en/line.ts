/** Of the line: clock, way out, names, packets, routers. */
export const line = {
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
  'web.fix.provider': 'Ask whether the line is down, or the account is blocked.',
  'WEB_SIGN_IN.title': 'This network wants you to sign in first',
  'WEB_SIGN_IN.seen':
    'pages of {hosts} were asked for, and something else came instead: {page}. Hotels, offices and trains do that until somebody signs in.',
  'WEB_NONE.title': 'Nothing comes through from the internet',
  'WEB_NONE.seen': 'none of {hosts} answers this machine.',

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
  'ROUTE_NONE.seen': 'none of its network interfaces leads out.',
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

  'router.open': "Open the router's own pages: {page} (the password is often printed on its underside).",
  'router.open-somehow': "Open the router's own pages: its address is printed on its underside.",
  'router.menu.fritz':
    'FRITZ!Box: Internet > Permit Access > Port Sharing > Add Device for Sharing, choose this machine, New Sharing > Port sharing.',
  'router.menu.tp-link':
    'TP-Link: Advanced > NAT Forwarding > Port Forwarding (or Virtual Servers) > Add. In the Deco app: More > Advanced > NAT Forwarding.',
  'router.menu.netgear':
    'Netgear: Advanced > Advanced Setup > Port Forwarding / Port Triggering > Add Custom Service.',
  'router.menu.asus': 'ASUS: Advanced Settings > WAN > Virtual Server / Port Forwarding > Add profile.',
  'router.menu.linksys': 'Linksys: Security > Apps and Gaming > Single Port Forwarding.',
  'router.menu.airport': 'AirPort: AirPort Utility > the base station > Edit > Network > Port Settings > + .',
  'router.menu.openwrt': 'OpenWrt: Network > Firewall > Port Forwards > Add.',
  'router.menu.unifi':
    'UniFi: Settings > Policy Engine (older: Security, or Routing & Firewall) > Port Forwarding > Create.',
  'router.menu.mikrotik':
    'MikroTik: IP > Firewall > NAT > Add; chain dstnat, in the interface of the internet line, action dst-nat.',
  'router.menu.provider':
    "Provider's box: look for Port Forwarding, NAT/PAT or Port Sharing, mostly below Internet, Network or Advanced. Some can be changed on the provider's website alone.",
  'router.menu.general':
    'Look for Port Forwarding, Virtual Server, NAT or Port Sharing; mostly below Advanced, Internet or Firewall. Add a line there.',
  'router.fields':
    'Type: name "gateway", protocol {transport}, external port {port}, internal port {port}, internal address {to}. Leave every other field as it is, and save.',
  'router.same-address':
    'Have the router always give this machine the same address ({to}): the setting is called address reservation, static lease, or "always assign the same address".',

  'egress.name': 'Other ports out',
  'egress.ok': 'not only the web is let out',
  'egress.filtered': 'only the web is let out',
  'egress.unknown': 'nobody could be asked',
  'egress.fix.tor':
    'For Tor, write the line "ReachableAddresses *:80,*:443" into a file in /etc/gateway/torrc.d, then type gateway down and gateway up. For a relay, use its port 443.',
  'egress.fix.network': 'Or ask whoever runs this network to let out more than the web.',
  'EGRESS_FILTERED.title': 'This network lets only the web out',
  'EGRESS_FILTERED.seen': '{hosts} answer on port 443, and not on port {port}, which they also offer.',

  'ipv6.name': 'IPv6',
  'ipv6.none': 'this line has none; nothing needs it',
  'ipv6.ok': 'works, as {address}',
  'ipv6.unknown': 'nobody could be asked by IPv6',
  'ipv6.broken': 'this machine has an address, and nothing comes through',
  'ipv6.fix.router':
    "Restart the router. If that does not help, switch IPv6 off in the router's own pages: a line without it works better than one with half of it.",
  'ipv6.fix.provider': 'Tell them that IPv6 addresses are given out, and nothing comes through.',
  'IPV6_BROKEN.title': 'IPv6 is half broken: there is an address, and nothing comes through',
  'IPV6_BROKEN.seen':
    'this machine is {address}, and cannot connect to the IPv6 addresses of {hosts}, while IPv4 works. Programs try IPv6 first, and everything begins slowly.',

  'mtu.name': 'Large packets',
  'mtu.ok': 'come through ({size} bytes)',
  'mtu.told': 'some router on the way wants smaller ones, and says so, which is fine',
  'mtu.unknown': 'nobody answers ping, or it is not on this machine',
  'mtu.hole': 'packets of {size} bytes vanish',
  'mtu.fix.router':
    "In the router's own pages set the MTU of the internet line to {size}, or switch on what it calls MSS clamping.",
  'mtu.fix.here': 'Or, for this machine alone, with the name of its interface (ip link shows it):',
  'MTU_BLACK_HOLE.title': 'Large packets vanish on the way, and nobody says so',
  'MTU_BLACK_HOLE.seen':
    '{hosts} answer small packets, and none of {full} bytes; up to {size} come through. Pages begin to load and hang.',
} as const;
