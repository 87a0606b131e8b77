# The machine's outside and a phone in a namespace of its own, which imported /root/phone.conf.
conf=/root/phone.conf
value() { sed -n "s/^$1 = //p" $conf | tr ',' '\n'; }
ip netns add phone
ip link add wan type veth peer name eth0 netns phone
ip address add 11.0.0.1/24 dev wan
ip link set wan up
ip -n phone address add 11.0.0.2/24 dev eth0
ip -n phone link set eth0 up
ip -n phone link add wg0 type wireguard
grep -v '^\(Address\|DNS\|MTU\)' $conf >/root/phone.wg
ip netns exec phone wg setconf wg0 /root/phone.wg
for address in $(value Address); do ip -n phone address add "$address" dev wg0; done
ip -n phone link set wg0 up
for block in $(value AllowedIPs); do ip -n phone route add "$block" dev wg0; done
