# What services reach by themselves on Debian's kernel, where bridged packets pass by no firewall. Sourced by
# first-boot.sh; the namespace `phone` is the internet here, `lan` the machine of the LAN. No Tor network: with egress
# `tor` nothing is reached at all, and nothing may be seen.
fact bridge-nf-call "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || echo absent)"
# Services run as users, who may not read what root has in its home: Debian's own Python, and a copy.
python=/usr/bin/python3
install -m 644 "$root/test/kernel/isolation.py" /srv/shop/isolation.py
probe() { # $1 a service or "host", then what isolation.py is told
  where=$1
  shift
  if [ "$where" = host ]; then
    $python /srv/shop/isolation.py "$@"
  else
    nsenter --net="/run/netns/gw-$where" $python /srv/shop/isolation.py "$@"
  fi
}
listen() { # $1 how to get there: a port that nobody declared, and the declared one
  for port in 80 8081; do $1 setsid python3 -m http.server --directory /srv/shop $port >/dev/null 2>&1 & done
}
ip route replace default via 11.0.0.2 dev wan
ip -n lan address add 169.254.169.254/16 dev eth0
ip route add 169.254.169.254/32 dev lan
# The way out and this machine's address came after the first up.
gateway up >/root/up-out.log 2>&1 || true
for name in mute hidden open; do listen "ip netns exec gw-$name"; done
listen 'ip netns exec phone'
python3 -m http.server --directory /srv/shop 8081 >/dev/null 2>&1 &
ip netns exec lan python3 -m http.server --directory /srv/shop 80 >/dev/null 2>&1 &
sleep 10

targets=
for host in 10.64.0.1 10.64.0.2 10.64.0.3 11.0.0.1 192.168.7.1 192.168.7.2 169.254.169.254; do
  for port in 22 53 80 8080 8081 9040 9053; do targets="$targets tcp:$host:$port udp:$host:$port"; done
done
for name in shop printer mute hidden open; do eval "$name=$(address_of $name)"; done
others() { # every service's address but that of $1
  for name in shop printer mute hidden open; do
    [ "$name" = "$1" ] || eval "for port in 80 8080 8081; do printf 'tcp:%s:%s udp:%s:%s ' \"\$$name\" \$port \"\$$name\" \$port; done"
  done
}
# The scan has teeth.
fact scan-host "$(probe host scan tcp:11.0.0.1:8081 tcp:192.168.7.2:80 tcp:169.254.169.254:80 tcp:11.0.0.2:80 unix:/run/gateway/api.sock)"
# shellcheck disable=SC2046,SC2086 # lists of words
for name in mute hidden open; do fact "scan-$name" "$(probe $name scan $targets $(others $name))"; done
fact open-out "$(probe open scan tcp:11.0.0.2:80)"
fact mute-out "$(probe mute scan tcp:11.0.0.2:80)"
fact sockets "$(gateway service run mute -- $python /srv/shop/isolation.py scan tcp:127.0.0.1:80 unix:/run/gateway/api.sock unix:/run/gateway/helper.sock unix:/run/gateway/tor/control.sock unix:/run/dbus/system_bus_socket)"

# Root in its namespace tears down its own wall and takes the addresses of others.
inside() { nsenter --net=/run/netns/gw-mute "$@"; }
inside nft flush ruleset
taken=
for address in $hidden $open 10.64.0.1 10.64.0.2 10.64.0.3 11.0.0.9; do
  inside ip address add "$address/32" dev eth0
  taken="$taken tcp:11.0.0.2:8081:$address tcp:$shop:80:$address"
done
# shellcheck disable=SC2086
fact taken "$(probe mute scan $taken)"
fact neighbour-still "$(curl -sS --max-time 10 --interface 10.64.0.3 "http://$open/" | head -c 40)"

# systemd-resolved and nscd run on the machine, and name whatever they are asked for outside.
unpacked=$(readlink -f "$GATEWAY_TOOLS/bin")/../root
grep -q '^systemd-resolve:' /etc/passwd || useradd --system --no-create-home systemd-resolve
mkdir -p /run/nscd /run/systemd
rm -f /etc/resolv.conf
echo 'nameserver 11.0.0.2' >/etc/resolv.conf
printf 'enable-cache hosts yes\npersistent hosts no\nshared hosts no\n' >/root/nscd.conf
export LD_LIBRARY_PATH="$unpacked/usr/lib/x86_64-linux-gnu/systemd:$unpacked/lib/x86_64-linux-gnu/systemd"
"$unpacked/lib/systemd/systemd-resolved" >/root/resolved.log 2>&1 &
"$unpacked/usr/sbin/nscd" -F -f /root/nscd.conf >/root/nscd.log 2>&1 &
unset LD_LIBRARY_PATH
ip netns exec phone tcpdump -i eth0 -Z root -U -s 0 -w /root/outside.pcap >/root/tcpdump.log 2>&1 &
ip netns exec gw-shop tcpdump -i eth0 -Z root -U -s 0 -w /root/neighbour.pcap >/dev/null 2>&1 &
sleep 10
# Datagrams that nobody's own stack would send, under the names of others, by the one without a wall.
forged=
for address in $mute $hidden $open 10.64.0.1 10.64.0.2 10.64.0.3 11.0.0.1 11.0.0.9; do
  forged="$forged $address,11.0.0.2:53 $address,$shop:80 $address,$shop:8081"
done
# shellcheck disable=SC2086
fact forged "$(probe mute raw forged-by-mute $forged)"
probe host raw asked-by-host "11.0.0.1,11.0.0.2:53"
curl -sS -o /dev/null --max-time 10 --interface 10.64.0.3 "http://$shop/asked-by-host" || true
fact resolvers-host "$(probe host names host)"
fact resolvers-hidden "$(gateway service run hidden -- $python /srv/shop/isolation.py names hidden)"
probe hidden scan tcp:11.0.0.2:80 udp:11.0.0.2:53 >/dev/null || true
sleep 2
pkill -INT tcpdump || true
sleep 2
for place in outside neighbour; do
  fact "forged-seen-$place" "$(for who in asked-by-host forged-by-mute; do grep -q -a $who /root/$place.pcap && echo $who; done | tr '\n' ' ')"
done
[ -s /root/outside.pcap ] || fact tcpdump-said "$(tr '\n' ' ' </root/tcpdump.log)"
seen() { grep -c -a "$1" /root/outside.pcap || true; }
fact seen-host "$([ "$(seen host-resolved)" -gt 0 ] && [ "$(seen host-nscd)" -gt 0 ] && echo yes)"
fact seen-hidden "$(seen hidden-)"
# Only tor, which looks for its network, and the host itself are seen; no packet has a service's address.
fact seen-sources "$(tcpdump -Z root -n -r /root/outside.pcap ip 2>/dev/null | awk '{ print $3 }' | cut -d. -f1-4 | sort -u | tr '\n' ' ')"
pkill -f systemd-resolved || true
pkill -f nscd.conf || true
userdel systemd-resolve || true
