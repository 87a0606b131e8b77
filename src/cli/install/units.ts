/**
 * The systemd units, by file name. Nothing of the data path is in them: the helper starts tor, HAProxy and wireguard-go in
 * units of their own (src/helper/supervise.ts), so that these two can be stopped, replaced and killed.
 */
export function unitFiles(command: string): Readonly<Record<string, string>> {
  return { 'gateway.service': daemonUnit(command), 'gateway-helper.service': helperUnit(command) };
}

/**
 * Both are programs of Node, whose compiler writes what it then runs: so no MemoryDenyWriteExecute; and which asks for its
 * limits at its start: so no ~@resources. A call that is not allowed fails, and does not end the process.
 */
const COMMON = `NotifyAccess=all
RestartSec=1
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
KeyringMode=private`;

function daemonUnit(command: string): string {
  return `# Made by gateway install. To change something: systemctl edit gateway.service
[Unit]
Description=Gateway: verified ways in to the services of this machine
Documentation=man:gateway(1)
Wants=gateway-helper.service
After=gateway-helper.service network.target nss-lookup.target
# What runs in a namespace of ours can be ordered After=gateway.service.
StartLimitIntervalSec=0

[Service]
# Ready when the namespaces exist.
Type=notify
TimeoutStartSec=300
TimeoutStopSec=30
ExecStart=${command} daemon
Restart=on-failure
User=gateway
Group=gateway
UMask=0027
${COMMON}
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
# ip gives up what capabilities it has at its start, and ends when it may not.
SystemCallFilter=capset
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
ProtectSystem=strict
ReadWritePaths=/etc/gateway /var/lib/gateway /run/gateway
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes

[Install]
WantedBy=multi-user.target
`;
}

function helperUnit(command: string): string {
  return `# Made by gateway install. To change something: systemctl edit gateway-helper.service
[Unit]
Description=Gateway: the helper, which makes namespaces, links and rules
Documentation=man:gateway(1)
After=local-fs.target systemd-tmpfiles-setup.service
StartLimitIntervalSec=0

[Service]
Type=notify
TimeoutStartSec=60
ExecStart=${command} helper
Restart=on-failure
Environment=GATEWAY_SUPERVISOR=systemd
${COMMON}
# What it makes under /run/netns must be seen by the whole machine: so nothing here that gives it mounts of its own.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_KILL
SystemCallFilter=@system-service @mount
SystemCallFilter=~@clock @module @raw-io @reboot @swap @cpu-emulation @obsolete @debug
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
RestrictNamespaces=net mnt
# It speaks to its own machine only, over unix sockets and netlink.
IPAddressDeny=any
`;
}

export const RELAY_UNIT = 'gateway-relay.service';

/** Both parts of a relay: the one that faces the network gives up every privilege at its start. */
export function relayUnit(command: string, words: readonly string[]): string {
  return `# Made by gateway relay install. To change something: systemctl edit ${RELAY_UNIT}
[Unit]
Description=Gateway relay: carries visitors to the homes that joined it
Documentation=man:gateway(1)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
TimeoutStartSec=60
TimeoutStopSec=30
ExecStart=${[command, 'relay', 'up', ...words].join(' ')}
Restart=on-failure
Environment=GATEWAY_SUPERVISOR=systemd
${COMMON}
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_PTRACE CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_KILL
SystemCallFilter=@system-service
SystemCallFilter=~@clock @module @mount @raw-io @reboot @swap @cpu-emulation @obsolete @debug
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`;
}

/** /run is empty after each start of the machine. */
export const TEMPORARY_FILES = `# Made by gateway install: see tmpfiles.d(5).
d /run/gateway 1775 root gateway -
`;
