import type { Check } from './check.ts';
import { clock } from './checks/clock.ts';
import { disk } from './checks/disk.ts';
import { dns } from './checks/dns.ts';
import { gateway } from './checks/gateway.ts';
import { routes } from './checks/routes.ts';
import { udp } from './checks/udp.ts';
import { web } from './checks/web.ts';

/** Every check, in the order in which people read what they found. A new one is a file and a line here. */
export const CHECKS: readonly Check[] = [gateway, routes, web, dns, udp, clock, disk];
