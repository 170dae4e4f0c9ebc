#!/usr/bin/env bash
# guest.sh VERB INSTANCE ...: one virtual machine of the rig, a User-Mode Linux kernel in a control group of its own.
#   run INSTANCE ADDRESS ZONE   the machine; its console is standard output, and it ends when the power is off
#   press INSTANCE              presses the power button
#   cut INSTANCE                cuts the power
#   remove INSTANCE             throws its disk away
#   shell INSTANCE ADDRESS SCRIPT   runs a script in it as root; prints its output and ends with its exit code
#   freeze|thaw INSTANCE        stops the machine's processor, and lets it go on
#   export FILE-SYSTEM DIRECTORY ADDRESS   serves a file system over NFS (nfs.sh)
#   unplug|plug INSTANCE ZONE   takes the network cable out, and puts it back
# The rig is in the environment: MQAWS_RIG (its name), MQAWS_RIG_DIR (kernel shim, disks), MQAWS_RIG_ROOT (shared root),
# MQAWS_RIG_IMAGE (what the image adds to the root).
set -euo pipefail
verb=$1 instance=$2
groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[[ $groups ]] || { echo "no control groups (version 2) are mounted here" >&2 && exit 1; }
group=$groups/$MQAWS_RIG-$instance
disk=$MQAWS_RIG_DIR/disk/$instance
# Names of interfaces have at most 15 characters.
tap=t-${instance: -12}

run() {
  local address=$1 zone=$2
  mkdir -p "$group" "$disk"/{upper,work,root}
  echo $BASHPID >"$group/cgroup.procs"
  if [[ ! -e $disk/var-mqm ]]; then
    truncate -s 64M "$disk/var-mqm"
    mkfs.ext4 -q -E root_owner=1234:1234 "$disk/var-mqm"
  fi
  mount --make-rprivate /
  mount -t overlay -o "lowerdir=$MQAWS_RIG_IMAGE:$MQAWS_RIG_ROOT,upperdir=$disk/upper,workdir=$disk/work" guest "$disk/root"
  nsenter --net="/run/netns/$MQAWS_RIG-sw" ip tuntap add "$tap" mode tap
  nsenter --net="/run/netns/$MQAWS_RIG-sw" ip link set "$tap" master "zone-${zone: -1}" up
  # The name of a file system is that of its mount target in the zone of whoever asks; the rig has no other name service.
  if [[ -e $MQAWS_RIG_DIR/nfs/name && ! -e $MQAWS_RIG_DIR/no-names ]]; then
    printf '127.0.0.1 localhost\n127.77.2.%d %s\n' $((10 + $(printf %d "'${zone: -1}") - 97)) "$(<"$MQAWS_RIG_DIR/nfs/name")" \
      >"$disk/root/etc/hosts"
  fi
  export HOME=$disk TMPDIR=/dev/shm LD_PRELOAD=$MQAWS_RIG_DIR/uml_shim.so
  # gro: without it the driver drops large frames.
  exec nsenter --net="/run/netns/$MQAWS_RIG-sw" linux.uml umid="$instance" mem=384M \
    root=/dev/root rootfstype=hostfs rootflags="$disk/root" rw init=/sbin/init ubda="$disk/var-mqm" \
    con=null con0=null,fd:2 con1=fd:0,fd:1 ssl=null quiet vec0:transport=tap,ifname="$tap",depth=64,gro=1 \
    systemd.show_status=false systemd.journald.forward_to_console=1 guest.address="$address/16" </dev/null 2>&1
}

# The client waits for an answer that a machine on its way down does not always give.
press() {
  HOME=$disk timeout 1 uml_mconsole "$instance" cad >/dev/null 2>&1 || [[ $? == 124 ]]
}

# The story and the cloud may cut at the same time: whoever finds the group gone is done.
cut() {
  for _ in {1..1000}; do
    [[ -d $group ]] || break
    { echo 1 >"$group/cgroup.kill"; } 2>/dev/null || true
    # It can be removed once nothing runs in it.
    rmdir "$group" 2>/dev/null || sleep 0.01
  done
  [[ ! -d $group ]] || { echo "what runs in $group does not end" >&2 && exit 1; }
  ip -n "$MQAWS_RIG-sw" link delete "$tap" 2>/dev/null || true
}

freeze() {
  echo 1 >"$group/cgroup.freeze"
  until grep -q '^frozen 1' "$group/cgroup.events"; do sleep 0.01; done
}

thaw() {
  echo 0 >"$group/cgroup.freeze"
}

# Out of the switch, not off: a virtual machine on EC2 sees no loss of carrier either.
unplug() {
  ip -n "$MQAWS_RIG-sw" link set "$tap" nomaster
}

plug() {
  ip -n "$MQAWS_RIG-sw" link set "$tap" master "zone-${1: -1}"
}

# The image has a shell behind a socket, in the place of Systems Manager's agent.
shell() {
  local address=$1 script=$2 said
  exec {socket}<>"/dev/tcp/$address/7777"
  printf '(\n%s\n) </dev/null\nprintf ":%%d" $?\nexit\n' "$script" >&"$socket"
  said=$(cat <&"$socket")
  printf %s "${said%:*}"
  [[ $said == *:* ]] || exit 255
  exit "${said##*:}"
}

remove() {
  cut
  rm -rf "$disk"
}

case $verb in
  # The disk's mount is this machine's own and ends with it.
  run) [[ ${MQAWS_RIG_UNSHARED:-} ]] || MQAWS_RIG_UNSHARED=1 exec unshare --mount "$0" "$@" ;;&
  run | press | cut | freeze | thaw | unplug | plug | shell | remove) "$verb" "${@:3}" ;;
  export) exec "${0%/*}/nfs.sh" "${@:2}" ;;
  *) echo "guest.sh: no verb $verb" >&2 && exit 2 ;;
esac
