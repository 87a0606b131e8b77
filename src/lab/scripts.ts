/**
 * The two programs that hold a lab: process 1 of the lab and process 1 of each node. They are static text for dash,
 * told what to do by positional parameters, never by text put together. A shell it is because such a process must
 * mount, wait and collect orphans (`wait` does) for days in half a megabyte.
 */

/**
 * Waits for the file $1 (its ids are mapped), then becomes the script $2: only an exec as user 0 gives it its
 * capabilities back. That exec also makes the kernel forget that it should die with its parent (prctl(2)), so it says
 * so again.
 */
export const AWAIT_IDS = `
until [ -e "$1" ]; do sleep 0.005; done
script=$2
shift 2
exec setpriv --pdeathsig KILL -- dash -c "$script" lab-init "$@"
`;

/** $1 lab directory, $2 the gateway's folder, $3 tools, $4 device node of /dev/net/tun */
export const INIT = `
set -eu
cd /
: >"$1/.top/leashed"
waited=0
until [ -e "$1/.top/go-on" ]; do
  # Whoever started us died before we were on the leash: nobody else would end us.
  waited=$((waited + 1))
  [ "$waited" -lt 2000 ] || exit 1
  sleep 0.005
done
step='mount a fresh /proc (inside a container, /proc must not be masked)'
trap 'echo "lab: could not $step" >&2' EXIT
mount -t proc proc /proc
step='mount a private /run'
mount -t tmpfs -o mode=755 tmpfs /run
step='make a small /dev'
mkdir /run/dev
mount -t tmpfs -o mode=755 tmpfs /run/dev
mkdir /run/dev/net /run/dev/pts /run/dev/shm
for device in null zero full random urandom tty; do
  : >"/run/dev/$device"
  mount --bind "/dev/$device" "/run/dev/$device"
done
mount --rbind /dev/pts /run/dev/pts
ln -s pts/ptmx /run/dev/ptmx
ln -s /proc/self/fd /run/dev/fd
ln -s /proc/self/fd/0 /run/dev/stdin
ln -s /proc/self/fd/1 /run/dev/stdout
ln -s /proc/self/fd/2 /run/dev/stderr
mount -t tmpfs -o mode=1777 tmpfs /run/dev/shm
if [ -e "$4" ]; then
  : >/run/dev/net/tun
  mount --bind "$4" /run/dev/net/tun
fi
step='put the gateway under /opt'
mkdir -p /run/opt/gateway /run/opt/gateway-tools /run/opt/bin
ln -s ../gateway/bin/gateway /run/opt/bin/gateway
mount --rbind "$2" /run/opt/gateway
mount -o remount,bind,ro /run/opt/gateway
if [ -d "$3" ]; then
  mount --rbind "$3" /run/opt/gateway-tools
  mount -o remount,bind,ro /run/opt/gateway-tools
fi
mount --rbind /run/opt /opt
mount --rbind /run/dev /dev
step='make the machine read-only for the lab'
mount --rbind /tmp /tmp
mount -o remount,bind,ro /
mount -o remount,bind,ro /sys
step='say that it is up'
: >"$1/.top/ready"
trap - EXIT
sleep infinity &
while :; do wait; done
`;

/**
 * Binds a whole tree (--rbind) wherever something may be mounted below: without root, the kernel lets nobody look
 * under another's mount, and for the same reason refuses an overlay over an /etc with a mounted file in it.
 *
 * $1 name of the node, $2 its hidden folder. Process 1 of the node: killing it is the node's power cut.
 */
export const NODE = `
set -eu
cd /
step='mount a private /run'
trap 'echo "lab: $1 could not $step" >&2' EXIT
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/netns /run/wireguard /run/lock
step='put its own /etc and /var in place'
mkdir /run/machine-etc
mount --rbind /etc /run/machine-etc
mount --bind "$2/etc" /etc
mount --bind "$2/var" /var
step='set its name'
hostname "$1"
step='keep its interfaces from making IPv6 addresses by themselves'
[ ! -e /proc/sys/net/ipv6 ] || {
  cd /proc/sys/net/ipv6/conf/default
  echo 1 >addr_gen_mode
  echo 0 >accept_ra
  echo 0 >accept_dad
  cd /
}
step='say that it is up'
: >"$2/ready"
trap - EXIT
sleep infinity &
while :; do wait; done
`;
