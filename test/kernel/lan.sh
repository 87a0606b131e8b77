# Another machine of the LAN, with a page on port 8080.
ip netns add lan
ip link add lan type veth peer name eth0 netns lan
ip address add 192.168.7.1/24 dev lan
ip link set lan up
ip -n lan address add 192.168.7.2/24 dev eth0
ip -n lan link set eth0 up
mkdir -p /run/printer
echo 'The printer' >/run/printer/index.html
ip netns exec lan setsid python3 -m http.server --directory /run/printer 8080 >/run/printer/log 2>&1 &
