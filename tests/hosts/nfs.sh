#!/usr/bin/env bash
# nfs.sh FILE-SYSTEM DIRECTORY ADDRESS: serves a directory as `/` over NFSv4.1 at one more address of the rig's file server.
# EFS documents neither lease nor grace period; 10 s (MQAWS_RIG_LEASE says otherwise) keep tests short. MQAWS_RIG_SIZE makes it small. The server's control group can be frozen: a stall.
set -euo pipefail
id=$1 directory=$2 address=$3
groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[[ $groups ]] || { echo "no control groups (version 2) are mounted here" >&2 && exit 1; }
group=$groups/$MQAWS_RIG-nfs
home=$MQAWS_RIG_DIR/nfs

mkdir -p "$home"/recovery/{v4recov,v4old} "$group"
exec {alone}>"$home/lock"
flock "$alone"
ip -n "$MQAWS_RIG-nfs" address replace "$address/32" dev lo scope global
if [[ -e $home/directory ]]; then
  [[ $(<"$home/directory") != "$directory" ]] || exit 0
  echo "the rig serves one file system, $(<"$home/directory")" >&2
  exit 1
fi
# A small one for whoever wants it full; rig.rs takes it away.
[[ -z ${MQAWS_RIG_SIZE:-} ]] || mount -t tmpfs -o "size=$MQAWS_RIG_SIZE,mode=755" "rig-$id" "$directory"
cat >"$home/ganesha.conf" <<C
NFS_CORE_PARAM { Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; fsid_device = true; }
NFSV4 {
  Minor_Versions = 1, 2; Lease_Lifetime = ${MQAWS_RIG_LEASE:-10}; Grace_Period = 10; Graceless = true; Delegations = false;
  RecoveryBackend = fs; RecoveryRoot = $home/recovery; Allow_Numeric_Owners = true; Only_Numeric_Owners = true;
}
EXPORT {
  Export_Id = 1; Path = $directory; Pseudo = /; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP;
  FSAL { Name = VFS; }
}
LOG { Default_Log_Level = EVENT; }
C
(
  echo $BASHPID >"$group/cgroup.procs"
  exec setsid nsenter --net="/run/netns/$MQAWS_RIG-nfs" ganesha.nfsd -F -f "$home/ganesha.conf" -L "$home/ganesha.log" \
    -p "$home/ganesha.pid" </dev/null >/dev/null 2>&1 {alone}>&-
) &
for _ in {1..500}; do
  if nsenter --net="/run/netns/$MQAWS_RIG-nfs" bash -c "exec 3<>/dev/tcp/$address/2049" 2>/dev/null; then
    echo "$directory" >"$home/directory"
    echo "$id.efs.eu-west-1.amazonaws.com" >"$home/name"
    exit 0
  fi
  sleep 0.02
done
echo "ganesha does not listen: $(tail -n 3 "$home/ganesha.log")" >&2
exit 1
