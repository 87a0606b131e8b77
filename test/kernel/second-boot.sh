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
for unit in shop gateway gateway-tor; do fact "${unit#gateway-}" "$(systemctl is-active $unit)"; done
sh /root/phone.sh
fact opened "$(ip netns exec phone curl -sS --max-time 30 --retry 5 --retry-all-errors http://10.64.1.2/)"

# Another build takes over; one that does not start is put back. The ways in stay open.
tor_pid() { systemctl show --property=MainPID --value gateway-tor; }
tor=$(tor_pid)
before=$(readlink /opt/gateway/current)
cp -a "/opt/gateway/$before" /root/next
echo '// another build' >>/root/next/dist/src/cli/main.js
gateway upgrade /root/next >/root/upgrade.log 2>&1 || true
after=$(readlink /opt/gateway/current)
fact upgraded "$([ "$before" != "$after" ] && systemctl is-active gateway)"
echo 'process.exit(1);' >/root/next/dist/src/daemon/main.js
fact refused "$(gateway upgrade /root/next 2>&1 | grep -c 'did not get healthy' || true)"
fact went-back "$([ "$after" = "$(readlink /opt/gateway/current)" ] && systemctl is-active gateway)"
fact same-tor "$([ "$tor" = "$(tor_pid)" ] && echo yes)"
fact opened-after "$(ip netns exec phone curl -sS --max-time 30 http://10.64.1.2/)"

systemctl disable -q --now shop
rm -rf /etc/systemd/system/shop.service /srv/shop
gateway uninstall >/root/uninstall.log 2>&1 && fact uninstalled yes
fact keys-kept "$(find /var/lib/gateway/keys -name '*.key' | wc -l)"
fact users-kept "$(cut -d: -f1 /etc/passwd | grep -c '^gateway')"
fact left "$(pgrep -fc /opt/gateway || true) $(ip netns list | grep -c gw- || true)"
. "$1/test/kernel/inventory.sh"
inventory after
fact new-users "$(comm -13 /root/before.users /root/after.users | lines)"
fact new-files "$(comm -13 /root/before.files /root/after.files | grep -v '^/etc/gateway/\|^/var/lib/gateway/' | lines)"
fact lost-files "$(comm -23 /root/before.files /root/after.files | lines)"
