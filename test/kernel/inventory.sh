# inventory NAME: users, and what lies in the folders that an installation touches; enabled units are links in /etc.
inventory() {
  cut -d: -f1 /etc/passwd | sort >"/root/$1.users"
  find /etc /opt /usr/local /var/lib -xdev \( -name kernel-vm.service -o -path '/var/lib/systemd*' -o -path '/var/lib/tor*' \
    -o -path '/var/lib/postgres*' -o -path '/var/lib/dbus*' -o -path /etc/.pwd.lock -o -name 'passwd-' -o -name 'group-' -o -name '*shadow-' \
    -o -name 'sub?id-' -o -name 'sub?id' -o -name '.updated' -o -path /etc/machine-id \) -prune -o -print | sort >"/root/$1.files"
}
