/**
 * Unix sockets do not care for network namespaces: whoever listens here (systemd-resolved, nscd, D-Bus, Avahi, sssd)
 * resolves names for anybody, from the machine's own network.
 */
export const RESOLVING_SOCKETS: readonly string[] = [
  '/run/avahi-daemon',
  '/run/dbus',
  '/run/nscd',
  '/run/systemd/resolve',
  '/var/lib/sss/pipes',
];
