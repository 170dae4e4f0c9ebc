#!/usr/bin/env bash
# image.sh DIRECTORY [MQAWS AGENT]: what the image of an instance adds to the shared root.
# The agent and its units as they are shipped, the stand-in in the place of IBM MQ, and what the tests need. An image that was
# provisioned has all but the last: then no executables are given.
set -euo pipefail
image=$1
units=$(dirname "$0")/../../packer/provision/units

parts() {
  local mqaws=$1 agent=$2
  mkdir -p "$image"/{opt/mqm/bin,usr/bin,var/mqm,mnt/mqaws} "$image"/etc/systemd/{system,{logind,system}.conf.d} \
    "$image/etc/modules-load.d"

  # Links to the built files, not copies: they are large.
  ln "$mqaws" "$image/opt/mqm/bin/mqaws" 2>/dev/null || cp "$mqaws" "$image/opt/mqm/bin/mqaws"
  ln "$agent" "$image/usr/bin/mqaws-agent" 2>/dev/null || cp "$agent" "$image/usr/bin/mqaws-agent"
  for command in crtmqm strmqm endmqm dspmq dltmqm runmqsc dspmqinf addmqinf dspmqver crtmqdir setmqprd; do
    ln -s mqaws "$image/opt/mqm/bin/$command"
  done
  cp "$units"/*.service "$image/etc/systemd/system/"
  cp "$units/logind.conf.d/"* "$image/etc/systemd/logind.conf.d/"
  cp "$units/system.conf.d/"* "$image/etc/systemd/system.conf.d/"
  cp "$units/modules-load.d/"* "$image/etc/modules-load.d/"
}
if (($# > 1)); then parts "$2" "$3"; fi

mkdir -p "$image"/{usr/local/sbin,etc/mqaws} "$image/etc/systemd/system/sockets.target.wants"
# The stand-in asks an account file and not the system, so the password goes there.
ln -s /opt/mqm/bin/mqaws "$image/usr/local/sbin/chpasswd"
cat >"$image/etc/mqaws/environment" <<'V'
AWS_ENDPOINT_URL=http://127.77.0.1:4566
MQAWS_LAB_ROOT=/
V

# A shell behind a socket: Systems Manager's agent, and the hands of the tests.
cat >"$image/etc/systemd/system/rig-shell.socket" <<'U'
[Socket]
ListenStream=7777
Accept=yes
U
cat >"$image/etc/systemd/system/rig-shell@.service" <<'U'
[Service]
ExecStart=-/bin/bash
StandardInput=socket
StandardError=journal
U
ln -s ../rig-shell.socket "$image/etc/systemd/system/sockets.target.wants/"
