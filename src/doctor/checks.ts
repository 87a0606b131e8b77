import type { Check } from './check.ts';
import { certificates } from './checks/certificates.ts';
import { clock } from './checks/clock.ts';
import { container } from './checks/container.ts';
import { disk } from './checks/disk.ts';
import { dns } from './checks/dns.ts';
import { egress } from './checks/egress.ts';
import { firewall } from './checks/firewall.ts';
import { fallback } from './checks/fallback.ts';
import { gateway } from './checks/gateway.ts';
import { ipv6 } from './checks/ipv6.ts';
import { leaks } from './checks/leaks.ts';
import { mapping } from './checks/mapping.ts';
import { mtu } from './checks/mtu.ts';
import { names } from './checks/names.ts';
import { nat } from './checks/nat.ts';
import { ports } from './checks/ports.ts';
import { programs } from './checks/programs.ts';
import { relay } from './checks/relay.ts';
import { routes } from './checks/routes.ts';
import { tor } from './checks/tor.ts';
import { udp } from './checks/udp.ts';
import { web } from './checks/web.ts';

/** Every check, in the order in which people read what they found. A new one is a file and a line here. */
export const CHECKS: readonly Check[] = [
  gateway,
  fallback,
  routes,
  nat,
  web,
  dns,
  udp,
  egress,
  ipv6,
  mtu,
  names,
  mapping,
  firewall,
  ports,
  tor,
  certificates,
  relay,
  leaks,
  clock,
  disk,
  container,
  programs,
];
