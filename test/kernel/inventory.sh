# inventory NAME: users and groups, what lies in the folders that an installation touches (enabled units are links in /etc),
# and the network: namespaces, interfaces, routes, rules, settings; units that are loaded and programs that run, of ours.
inventory() {
  cut -d: -f1 /etc/passwd /etc/group | sort >"/root/$1.users"
  find /etc /opt /usr/local /var/lib -xdev \( -name kernel-vm.service -o -path '/var/lib/systemd*' -o -path '/var/lib/tor*' \
    -o -path '/var/lib/postgres*' -o -path '/var/lib/dbus*' -o -path '/var/lib/dpkg*' -o -path /etc/.pwd.lock -o -name 'passwd-' -o -name 'group-' -o -name '*shadow-' \
    -o -name 'sub?id-' -o -name 'sub?id' -o -name '.updated' -o -path /etc/machine-id \) -prune -o -print | sort >"/root/$1.files"
  {
    ip netns list
    # Addresses of Ethernet are drawn at each start.
    ip -o link show | sed 's/^[0-9]*: //; s/\\ *link\/ether .*//'
    ip -o address show | sed 's/^[0-9]*: //'
    ip route show table all
    ip rule show
    nft list ruleset
    sysctl -a 2>/dev/null | grep '^net\.ipv[46]\.\(ip_forward\|conf\.\|neigh\.default\)'
    systemctl list-units --all --plain --no-legend 'gateway*' | awk '{ print "unit", $1 }'
    pgrep -af 'gateway|haproxy|wireguard-go|(^|/)tor ' | grep -v 'pgrep\|kernel-vm\|/test/kernel/' | cut -d' ' -f2-
    ls /run | grep -i '^gateway' || true
  } | sort >"/root/$1.network"
}
# What the kernel takes away in its own time.
settled() { sleep 5; }
address_of() { # $1 a service; asked for once, a start of the command takes its time here
  [ -s /root/status.json ] || gateway --json status >/root/status.json || true
  python3 -c "import json; print(*[s['address'] for s in json.load(open('/root/status.json'))['services'] if s['name'] == '$1'])"
}
# Every onion address that is served.
onions() { find /var/lib/gateway -name hostname -exec cat {} + | sort; }
