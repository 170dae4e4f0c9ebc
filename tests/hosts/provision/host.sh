#!/usr/bin/env bash
# host.sh DIRECTORY ROOT COMMAND...: a lab host, a bare Debian with namespaces of its own in place of a kernel of its own.
#   DIRECTORY  what the host writes is in DIRECTORY/upper, as it would be on its disk
#   ROOT       the guests' root (tests/hosts/root.sh), of which `base` is the host's disk and `archive` its package archive
#   COMMAND    the host's first process; with it everything on the host ends. `sshd` is one that serves on 127.0.0.1:22 of
#              the host's own network, for the keys in DIRECTORY/key
# Nothing on the host sees this machine: not its files, processes, network, name or devices, and no right to change its kernel
# is left to it. What runs there wipes keys and machine ids.
set -euo pipefail
if [[ $1 != inside ]]; then
  # This process stays, outside the process namespace but in the network of the host: whoever wants to reach it enters there.
  exec unshare --mount --uts --ipc --net --pid --fork --kill-child --propagation private "$0" inside "$@"
fi
directory=$2 root=$3
shift 3
host=$directory/root
mkdir -p "$directory"/{upper,work,root}
mount -t overlay -o "lowerdir=$root/base,upperdir=$directory/upper,workdir=$directory/work" host "$host"
ip link set lo up
hostname localhost

mount -t proc proc "$host/proc"
for kernel in sys sysrq-trigger irq bus; do
  [[ -e $host/proc/$kernel ]] || continue
  mount --bind "$host/proc/$kernel" "$host/proc/$kernel"
  mount -o remount,bind,ro "$host/proc/$kernel"
done
mount -t tmpfs -o mode=755 dev "$host/dev"
for device in null zero full random urandom tty; do
  : >"$host/dev/$device"
  mount --bind "/dev/$device" "$host/dev/$device"
done
mkdir "$host/dev/pts" "$host/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$host/dev/pts"
ln -s pts/ptmx "$host/dev/ptmx"
ln -s /proc/self/fd "$host/dev/fd"

# All of the rig's own is in memory, so that the host's disk has nothing of it.
mount -t tmpfs -o mode=755 run "$host/run"
mkdir -p "$host"/run/{archive,sshd,lab,old}
mount --bind "$root/archive" "$host/run/archive"
mount -o remount,bind,ro "$host/run/archive"
echo 'deb [trusted=yes] file:/run/archive ./' >"$host/run/lab/sources.list"
mount --bind "$host/run/lab/sources.list" "$host/etc/apt/sources.list"
if [[ $1 == sshd ]]; then
  cp "$directory/key.pub" "$host/run/lab/authorized_keys"
  cp "$directory/host_key" "$host/run/lab/host_key"
  chmod 600 "$host/run/lab/host_key"
  set -- /usr/sbin/sshd -D -e -o HostKey=/run/lab/host_key -o AuthorizedKeysFile=/run/lab/authorized_keys -o StrictModes=no \
    -o UsePAM=no -o PidFile=none -o ListenAddress=127.0.0.1 -o PasswordAuthentication=no
fi

cd "$host"
pivot_root . run/old
exec chroot . /bin/bash -c 'umount -l /run/old && rmdir /run/old && exec setpriv --bounding-set=-all,+chown,+dac_override,+dac_read_search,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+sys_chroot,+audit_write,+setfcap --inh-caps=-all -- "$@"' host "$@" </dev/null
