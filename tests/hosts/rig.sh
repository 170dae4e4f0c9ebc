#!/usr/bin/env bash
# rig.sh up|down NAME: the network that guests live in, as namespaces, and its end with everything in it.
# rig.sh cut|join NAME ZONE: takes a zone's cable out, and puts it back.
#
# NAME-sw is the switch: a bridge for each zone, joined by a cable to one that is in none, so that hosts and zones can be cut off.
# NAME-lab is where the local cloud and its users run; NAME-nfs is the file server.
# Every address is in 127.77.0.0/16, which these namespaces route instead of keeping it to themselves.
set -euo pipefail
verb=$1 name=$2
groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[[ $groups ]] || { echo "no control groups (version 2) are mounted here" >&2 && exit 1; }

# A host that routes 127.77.0.0/16: its own part of it is local, the rest is on the wire.
host() {
  local host=$1 own=$2 source=$3
  ip netns add "$name-$host"
  ip -n "$name-sw" link add "v-$host" type veth peer name eth0 netns "$name-$host"
  ip -n "$name-sw" link set "v-$host" master outside up
  ip netns exec "$name-$host" sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.all.rp_filter=0
  ip -n "$name-$host" link set lo up
  ip -n "$name-$host" address flush dev lo
  ip -n "$name-$host" address add 127.0.0.1/32 dev lo
  ip -n "$name-$host" link set eth0 up
  for own in $own; do ip -n "$name-$host" route add local "$own" dev lo; done
  ip -n "$name-$host" address add "$source/32" dev lo scope global
  ip -n "$name-$host" route add 127.77.0.0/16 dev eth0 src "$source"
}

up() {
  ip netns add "$name-sw"
  ip -n "$name-sw" link add outside type bridge
  ip -n "$name-sw" link set outside up
  for zone in a b c; do
    ip -n "$name-sw" link add "zone-$zone" type bridge
    ip -n "$name-sw" link set "zone-$zone" up
    ip -n "$name-sw" link add "cable-$zone" type veth peer name "elbac-$zone"
    ip -n "$name-sw" link set "cable-$zone" master outside up
    ip -n "$name-sw" link set "elbac-$zone" master "zone-$zone" up
  done
  host lab '127.77.0.0/23 169.254.169.254' 127.77.0.1
  host nfs 127.77.2.0/24 127.77.2.1
}

# Out of the bridge, not off: a host sees no loss of carrier when its zone is lost either.
cut() {
  ip -n "$name-sw" link set "cable-${1: -1}" nomaster
}

join() {
  ip -n "$name-sw" link set "cable-${1: -1}" master outside
}

down() {
  local group namespace pid
  for group in "$groups/$name"-*; do
    [[ -d $group ]] || continue
    echo 1 >"$group/cgroup.kill"
    until grep -q '^populated 0' "$group/cgroup.events"; do sleep 0.01; done
    rmdir "$group"
  done
  for namespace in $(ip netns list | awk '{ print $1 }'); do
    [[ $namespace == "$name"-* ]] || continue
    for pid in $(ip netns pids "$namespace"); do kill -KILL "$pid" 2>/dev/null || true; done
    ip netns delete "$namespace"
  done
}

"$verb" "${@:3}"
