# First start of a machine: install, one service in a namespace, a phone by the kernel's WireGuard; then both of our
# processes are killed. Run inside the virtual machine; install.test.ts reads what is said.
set -eu
root=$1
fact() { printf 'FACT %s=%s\n' "$1" "$2"; }
open_shop() { ip netns exec phone curl -sS --max-time 20 http://10.64.1.2/; }
open_shop_over_ipv6() { ip netns exec phone curl -sS --max-time 20 "http://[$(allowed_ipv6 | sed 's/::.*/::a40:102/')]/"; }
allowed_ipv6() { sed -n 's/^AllowedIPs = .*, \(fd.*\)$/\1/p' /root/phone.conf; }
. "$root/test/kernel/inventory.sh"
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
  shop: { port: 80, kind: http, expose: { wireguard: {}, tor: {} } }
EOF
chown gateway:gateway /etc/gateway/gateway.yaml
started=$(date +%s)
gateway up >/root/up.log 2>&1 || fact up-said "$(tr '\n' ' ' </root/up.log)"
fact up-seconds $(($(date +%s) - started))
for unit in gateway gateway-helper gateway-tor; do fact $unit "$(systemctl is-active $unit)"; done
systemctl enable -q shop
systemctl start shop
fact wireguard "$(ip netns exec gw-hub wg show gwwg0 listen-port 2>&1)"
fact wireguard-go "$(pgrep -c wireguard-go || true)"

cp "$root/test/kernel/phone.sh" /root/phone.sh
gateway device add phone --service shop --no-wait --conf /root/phone.conf >/root/device.log
sh /root/phone.sh
fact opened "$(open_shop)"
fact opened-over-ipvsix "$(open_shop_over_ipv6)"

tor_pid() { systemctl show --property=MainPID --value gateway-tor; }
tor=$(tor_pid)
systemctl kill --signal=KILL gateway gateway-helper
fact while-dead "$(open_shop)"
for _ in $(seq 1 40); do
  sleep 3
  systemctl is-active -q gateway && systemctl is-active -q gateway-helper && break
done
fact after-kill "$(systemctl is-active gateway gateway-helper | tr '\n' ' ')"
fact same-tor "$([ "$tor" = "$(tor_pid)" ] && echo yes)"
fact plan "$(gateway --json plan | grep -o '"changes":\[\]')"
for unit in gateway gateway-helper gateway-tor; do
  fact security-$unit "$(systemd-analyze security --no-pager $unit.service 2>&1 | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')"
done
group=/sys/fs/cgroup/system.slice
fact data-path-in-daemon "$(cat $group/gateway.service/cgroup.procs $group/gateway-helper.service/cgroup.procs | while read -r pid; do
  tr '\0' ' ' </proc/"$pid"/cmdline
  echo
done | grep -c -e '^tor' -e haproxy -e wireguard-go || true)"
