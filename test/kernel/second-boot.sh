# Second start of the machine: nobody types anything, everything is there again; then it is uninstalled.
set -eu
fact() { printf 'FACT %s=%s\n' "$1" "$2"; }
lines() { tr '\n' ' ' | sed 's/ $//'; }
# What this machine starts besides: what would take over the console, and what takes time.
systemctl mask -q --runtime console-getty serial-getty@ttyS0 postgresql tor apt-daily.timer apt-daily-upgrade.timer 2>/dev/null || true
systemctl start --no-block multi-user.target
for _ in $(seq 1 100); do
  systemctl is-active -q shop && break
  sleep 3
done
for unit in shop gateway gateway-tor gateway-tor-only gateway-single-hop gateway-edge; do fact "${unit#gateway-}" "$(systemctl is-active $unit)"; done
. "$1/test/kernel/inventory.sh"
fact same-onions "$([ "$(cat /root/onions)" = "$(onions)" ] && echo yes)"
sh /root/phone.sh
sh /root/lan.sh
fact opened "$(ip netns exec phone curl -sS --max-time 30 --retry 5 --retry-all-errors "http://$(cat /root/shop.address)/")"
fact opened-printer "$(ip netns exec phone curl -sS --max-time 30 --retry 5 --retry-all-errors "http://$(cat /root/printer.address):8080/")"

# Another build takes over; one that does not start is put back. The ways in stay open.
tor_pids() { systemctl show --property=MainPID --value gateway-tor gateway-tor-only gateway-single-hop; }
tor=$(tor_pids)
before=$(readlink /opt/gateway/current)
cp -a "/opt/gateway/$before" /root/next
echo '// another build' >>/root/next/dist/src/cli/main.js
gateway upgrade /root/next >/root/upgrade.log 2>&1 || true
after=$(readlink /opt/gateway/current)
fact upgraded "$([ "$before" != "$after" ] && systemctl is-active gateway)"
echo 'process.exit(1);' >/root/next/dist/src/daemon/main.js
fact refused "$(gateway upgrade /root/next 2>&1 | grep -c 'did not get healthy' || true)"
fact went-back "$([ "$after" = "$(readlink /opt/gateway/current)" ] && systemctl is-active gateway)"
# Ctrl-C in the middle of one.
gateway upgrade /root/next >/root/interrupted.log 2>&1 &
upgrade=$!
while [ "$after" = "$(readlink /opt/gateway/current)" ] && kill -0 $upgrade 2>/dev/null; do sleep 0.2; done
kill -TERM $upgrade
wait $upgrade || fact interrupted $?
fact back-after-it "$([ "$after" = "$(readlink /opt/gateway/current)" ] && systemctl is-active gateway)"
fact same-tor "$([ "$tor" = "$(tor_pids)" ] && echo yes)"
fact opened-after "$(ip netns exec phone curl -sS --max-time 30 "http://$(cat /root/shop.address)/")"

systemctl disable -q --now shop
rm -rf /etc/systemd/system/shop.service /srv/shop
pkill -f /run/printer || true
for link in wan lan; do ip link del $link; done
for name in phone lan; do ip netns del $name; done
keys() { find /var/lib/gateway/keys -name '*.key' -exec sha256sum {} + | sort | sha256sum | cut -c1-12; }
keys_before=$(keys)
gateway uninstall >/root/uninstall.log 2>&1 && fact uninstalled yes
fact keys-kept "$(find /var/lib/gateway/keys -name '*.key' | wc -l)"
changes() { # $1 since the inventory "before": what is new, and what is gone
  for what in files users network; do
    fact "$1-new-$what" "$(comm -13 /root/before.$what "/root/$1.$what" | grep -v '^/etc/gateway/\|^/var/lib/gateway/' | lines)"
    fact "$1-lost-$what" "$(comm -23 /root/before.$what "/root/$1.$what" | lines)"
  done
}
settled
inventory uninstalled
changes uninstalled

# Everything goes: what uninstall had kept is found by a new installation, and then purged.
"$1/bin/gateway" install >/root/install-again.log 2>&1
fact up-again "$(gateway --json up 2>/root/up-again.log | grep -o '"failed":\[\]')"
fact same-keys "$([ "$keys_before" = "$(keys)" ] && echo yes)"
gateway uninstall --purge >/root/purge.log 2>&1 && fact purged yes
settled
inventory purged
changes purged
