import type { TopologyInput } from '../topology.ts';

/** The smallest lab with a NAT: a home behind a router, and somebody outside. */
export const pair: TopologyInput = {
  description: 'a home behind a router, and a host outside',
  nodes: {
    home: { defaultRoute: '192.168.50.1' },
    router: {
      kind: 'router',
      nat: { outside: 'uplink' },
      forwards: [{ protocol: 'udp', port: 51820, to: '192.168.50.10:51820' }],
    },
    outside: {},
  },
  networks: {
    lan: { router: '192.168.50.1/24', home: '192.168.50.10/24' },
    uplink: { router: '11.2.0.2/24', outside: '11.2.0.1/24' },
  },
};
