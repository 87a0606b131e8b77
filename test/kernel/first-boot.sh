# First start of a machine: install, one service in a namespace and one on another machine, a phone by the kernel's
# WireGuard; then both of our processes are killed. Run inside the virtual machine; install.test.ts reads what is said.
set -eu
root=$1
fact() { printf 'FACT %s=%s\n' "$1" "$2"; }
open_shop() { ip netns exec phone curl -sS --max-time 20 "http://$(cat /root/shop.address)/"; }
open_printer() { ip netns exec phone curl -sS --max-time 20 --retry 5 --retry-all-errors "http://$(cat /root/printer.address):8080/"; }
# The same number in the ULA block: 10.64.1.2 is ::a40:102 there.
shop_in_ula() { (IFS=. && set -- $(cat /root/shop.address) && printf '::%x%02x:%x%02x' "$@"); }
open_shop_over_ipv6() { ip netns exec phone curl -sS --max-time 20 "http://[$(allowed_ipv6 | sed 's/::.*//')$(shop_in_ula)]/"; }
allowed_ipv6() { sed -n 's/^AllowedIPs = .*, \(fd.*\)$/\1/p' /root/phone.conf; }
. "$root/test/kernel/inventory.sh"
# What a start of this machine sets before anything of ours.
/lib/systemd/systemd-sysctl || true
# And what a run outside of a virtual machine may have left on its root. Then uninstall removes the directory again.
rm -rf /etc/netns
inventory before

"$root/bin/gateway" install --no-start >/root/install.log
fact again "$("$root/bin/gateway" --json install --no-start | grep -o '"done":\[\]')"
mkdir -p /srv/shop
echo 'The corner shop' >/srv/shop/index.html
cat >/etc/systemd/system/shop.service <<EOF
[Unit]
After=gateway.service
[Service]
NetworkNamespacePath=/run/netns/gw-shop
ExecStart=/usr/bin/python3 -m http.server --bind :: --directory /srv/shop 80
[Install]
WantedBy=multi-user.target
EOF
cat >/etc/gateway/gateway.yaml <<EOF
wireguard: { endpoint: "11.0.0.1:51820" }
services:
  printer: { target: "192.168.7.2:8080", kind: http, expose: { wireguard: {} } }
  shop: { port: 80, kind: http, expose: { wireguard: {}, tor: {} } }
  mute: { port: 80, kind: http, expose: { wireguard: {} } }
  hidden: { port: 80, kind: http, egress: tor, expose: { tor: {} } }
  open: { port: 80, kind: http, egress: direct, expose: { tor: {} } }
  secret: { port: 80, kind: http, privacy: tor-only, expose: { tor: {} } }
  fast: { port: 80, kind: http, expose: { tor: { anonymity: single-hop } } }
EOF
chown gateway:gateway /etc/gateway/gateway.yaml
started=$(date +%s)
gateway up >/root/up.log 2>&1 || fact up-said "$(tr '\n' ' ' </root/up.log)"
fact up-seconds $(($(date +%s) - started))
for unit in gateway gateway-helper gateway-tor gateway-tor-only gateway-single-hop; do fact $unit "$(systemctl is-active $unit)"; done
for name in shop printer; do address_of $name >/root/$name.address; done
systemctl enable -q shop
systemctl start shop
fact wireguard "$(ip netns exec gw-hub wg show gwwg0 listen-port 2>&1)"
fact wireguard-go "$(pgrep -c wireguard-go || true)"

cp "$root/test/kernel/phone.sh" "$root/test/kernel/lan.sh" /root/
gateway device add phone --service shop --service printer --no-wait --conf /root/phone.conf >/root/device.log
sh /root/phone.sh
sh /root/lan.sh
fact opened "$(open_shop)"
fact opened-over-ipvsix "$(open_shop_over_ipv6)"
fact opened-printer "$(open_printer)"
fact gateway-edge "$(systemctl is-active gateway-edge)"

tor_pids() { systemctl show --property=MainPID --value gateway-tor gateway-tor-only gateway-single-hop; }
tor=$(tor_pids)
onions >/root/onions
edge_pid() { systemctl show --property=MainPID --value gateway-edge; }
edge=$(edge_pid)
systemctl kill --signal=KILL gateway gateway-helper
fact while-dead "$(open_shop)"
fact printer-while-dead "$(open_printer)"
for _ in $(seq 1 40); do
  sleep 3
  systemctl is-active -q gateway && systemctl is-active -q gateway-helper && break
done
fact after-kill "$(systemctl is-active gateway gateway-helper | tr '\n' ' ')"
fact same-tor "$([ "$tor" = "$(tor_pids)" ] && echo yes)"
fact same-edge "$([ "$edge" = "$(edge_pid)" ] && echo yes)"
fact plan "$(gateway --json plan | grep -o '"changes":\[\]')"
fact onions "$(sort -u /root/onions | wc -l)"
for unit in gateway gateway-helper gateway-tor gateway-tor-only gateway-single-hop gateway-edge; do
  fact security-$unit "$(systemd-analyze security --no-pager $unit.service 2>&1 | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')"
done
group=/sys/fs/cgroup/system.slice
fact data-path-in-daemon "$(cat $group/gateway.service/cgroup.procs $group/gateway-helper.service/cgroup.procs | while read -r pid; do
  tr '\0' ' ' </proc/"$pid"/cmdline
  echo
done | grep -c -e '^tor' -e haproxy -e wireguard-go || true)"

. "$root/test/kernel/isolation.sh"
