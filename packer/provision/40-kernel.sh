#!/usr/bin/env bash
# 40-kernel.sh: kernel settings and limits. They are for the instances: nothing is applied to the machine that builds.
# shellcheck disable=SC2034 # for step.sh
step=kernel
# shellcheck source-path=SCRIPTDIR source=step.sh
. /tmp/mqaws-provision/step.sh

put() {
  say "$2"
  install -D -m 0644 "$provision/units/$1" "$2"
}

put sysctl.d/mqaws.conf /etc/sysctl.d/99-mqaws.conf
put limits.d/mqaws.conf /etc/security/limits.d/99-mqaws.conf
