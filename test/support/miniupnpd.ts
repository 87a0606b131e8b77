import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabNode } from '../../src/lab/index.ts';

/** miniupnpd with its own table, in which it is also the IPv6 firewall: what came from outside needs a pinhole. */
const TABLE = `table inet upnp {
  chain forward {
    type filter hook forward priority -1; policy accept
    ct state established,related accept
    jump miniupnpd
    meta nfproto ipv6 iifname "uplink" drop
  }
  chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 99; jump postrouting_miniupnpd; }
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
`;

const CONFIG = `ext_ifname=uplink
listening_ip=lan
http_port=5000
enable_upnp=yes
enable_natpmp=yes
secure_mode=yes
notify_interval=30
uuid=6ba7b810-9dad-11d1-80b4-00c04fd430c8
upnp_table_name=upnp
upnp_nat_table_name=upnp
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 192.168.50.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`;

/** On a router whose networks are called `lan` and `uplink`; ready when it resolves. */
export async function startMiniupnpd(router: LabNode, signal: AbortSignal): Promise<void> {
  await router.run(['nft', '-f', '-'], { signal, input: TABLE });
  // Announcements to the home need a route of their own where the default route leads elsewhere.
  await router.run(['ip', 'route', 'replace', '224.0.0.0/4', 'dev', 'lan'], { signal });
  const folder = join(router.directory, 'miniupnpd');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'conf'), CONFIG);
  // Left by a power cut: its number may be another process's by now, and miniupnpd would not start.
  await rm(join(folder, 'pid'), { force: true });
  await router.detach(['miniupnpd', '-d', '-f', join(folder, 'conf'), '-P', join(folder, 'pid')], {
    logFile: join(folder, 'log'),
  });
  await router.run(['dash', '-c', 'until ss -Hltn | grep -q :5000; do sleep 0.02; done'], { signal });
}
