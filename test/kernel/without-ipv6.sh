# A kernel that was told to have no IPv6: one service, and a phone by the kernel's WireGuard over IPv4. Run inside the
# virtual machine; without-ipv6.test.ts reads what is said.
set -eu
root=$1
fact() { printf 'FACT %s=%s\n' "$1" "$2"; }
ip link set lo up
fact kernel-has-ipvsix "$([ -e /proc/self/net/if_inet6 ] && echo yes || echo no)"
for user in gateway-tor gateway-edge; do useradd --system --user-group --no-create-home --shell /usr/sbin/nologin $user; done
useradd --system --user-group --no-create-home --shell /usr/sbin/nologin --groups gateway-tor gateway
gateway() { "$root/bin/gateway" --root /run/gw "$@"; }
mkdir -p /run/gw/etc
cat >/run/gw/etc/gateway.yaml <<EOF
wireguard: { endpoint: "11.0.0.1:51820" }
services:
  shop: { port: 80, kind: http, expose: { wireguard: {} } }
EOF
# Under emulation the helper may take longer to start than anybody waits.
for _ in 1 2 3 4; do
  ! gateway up >/root/up.log 2>&1 || break
done
fact up-said "$(tr '\n' ' ' </root/up.log)"
mkdir -p /srv/shop
echo 'The corner shop' >/srv/shop/index.html
ip netns exec gw-shop python3 -m http.server --bind 0.0.0.0 --directory /srv/shop 80 >/root/shop.log 2>&1 &
gateway device add phone --service shop --no-wait --conf /root/phone.conf >/root/device.log 2>&1 ||
  fact device-said "$(tr '\n' ' ' </root/device.log)"
. "$root/test/kernel/phone.sh"
fact opened "$(ip netns exec phone curl -sS --max-time 20 http://10.64.1.2/ 2>&1)"
fact addresses "$(sed -n 's/^Address = //p' /root/phone.conf)"
fact plan "$(gateway --json plan | grep -o '"changes":\[\]')"
gateway down >/root/down.log 2>&1 || true
