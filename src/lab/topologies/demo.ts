import type { TopologyInput } from '../topology.ts';

/** A home behind a router with one static forward, a phone behind a carrier's NAT, a visitor, a rented host, Tor and DNS. */
export const demo: TopologyInput = {
  description: 'a home, a phone on another network, a visitor, a rented host, a private Tor network',
  nodes: {
    core: { kind: 'router' },
    tornet: { defaultRoute: '11.9.0.1', services: [{ type: 'tor' }] },
    dns: {
      defaultRoute: '11.4.0.1',
      services: [
        {
          type: 'dns',
          zone: 'lab.test',
          names: { home: '11.2.0.2', vps: '11.1.0.2', web: '11.1.0.2', visitor: '11.5.0.2' },
        },
      ],
    },
    router: {
      kind: 'router',
      defaultRoute: '11.2.0.1',
      nat: { outside: 'uplink' },
      forwards: [{ protocol: 'udp', port: 51820, to: '192.168.50.10:51820' }],
    },
    home: { defaultRoute: '192.168.50.1' },
    carrier: { kind: 'router', defaultRoute: '11.3.0.1', nat: { outside: 'trunk', behaviour: 'symmetric' } },
    phone: { defaultRoute: '100.65.0.1' },
    visitor: { defaultRoute: '11.5.0.1' },
    vps: {
      defaultRoute: '11.1.0.1',
      services: [{ type: 'page', port: 80, title: 'a page on the clear web' }],
    },
  },
  networks: {
    relays: {
      core: '11.9.0.1/24',
      tornet: ['11.9.0.10/24', '11.9.0.11/24', '11.9.0.12/24', '11.9.0.13/24', '11.9.0.14/24'],
    },
    names: { core: '11.4.0.1/24', dns: '11.4.0.53/24' },
    uplink: { core: '11.2.0.1/24', router: '11.2.0.2/24' },
    lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
    trunk: { core: '11.3.0.1/24', carrier: '11.3.0.2/24' },
    mobile: { carrier: '100.65.0.1/16', phone: '100.65.0.2/16' },
    access: { core: '11.5.0.1/24', visitor: '11.5.0.2/24' },
    hosting: { core: '11.1.0.1/24', vps: '11.1.0.2/24' },
  },
};
