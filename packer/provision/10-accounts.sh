#!/usr/bin/env bash
# 10-accounts.sh: the engine's user and group, with ids that are the same in every image: files on the shared file system
# carry them, and outlive the image. Before the engine's packages, which would take whatever id is free.
# shellcheck disable=SC2034 # for step.sh
step=accounts
# shellcheck source-path=SCRIPTDIR source=step.sh
. /tmp/mqaws-provision/step.sh

# A cloud image still sets itself up when ssh first answers.
if [[ -d /run/systemd/system ]] && command -v cloud-init >/dev/null; then
  say "wait for cloud-init"
  code=0
  timeout 300 cloud-init status --wait >/dev/null || code=$?
  # 2 is an error that it got over.
  [[ $code == [02] ]] ||
    fail 1 "cloud-init did not complete successfully (exit $code of cloud-init status --wait; 124: it took longer than 300 s)" "see /var/log/cloud-init.log on a host of the base image, or use a different base image"
fi

case $MQAWS_ENGINE in
  # IBM's packages give it a shell; without password or key nobody logs in.
  ibm-mq) home=/var/mqm shell=/bin/bash ;;
  rabbitmq) home=/var/lib/rabbitmq shell=/usr/sbin/nologin ;;
esac

if ! group=$(getent group "$user"); then
  holder=$(getent group "$MQAWS_MQM_GID" | cut -d: -f1) || true
  [[ -z $holder ]] || fail 3 "group ID $MQAWS_MQM_GID belongs to $holder" "use a different base image, or a different ID for all images of this data"
  say "group $user, id $MQAWS_MQM_GID"
  groupadd -g "$MQAWS_MQM_GID" "$user"
  group=$(getent group "$user")
fi
if ! entry=$(getent passwd "$user"); then
  holder=$(getent passwd "$MQAWS_MQM_UID" | cut -d: -f1) || true
  [[ -z $holder ]] || fail 3 "user ID $MQAWS_MQM_UID belongs to $holder" "use a different base image, or a different ID for all images of this data"
  say "user $user, id $MQAWS_MQM_UID"
  useradd -u "$MQAWS_MQM_UID" -g "$user" -d "$home" -M -s "$shell" "$user"
  entry=$(getent passwd "$user")
fi

IFS=: read -r _ _ uid gid _ <<<"$entry"
[[ $(cut -d: -f3 <<<"$group") == "$MQAWS_MQM_GID" && $uid == "$MQAWS_MQM_UID" && $gid == "$MQAWS_MQM_GID" ]] ||
  fail 3 "$user has the IDs $uid:$gid, not $MQAWS_MQM_UID:$MQAWS_MQM_GID" "use a base image without the engine"
say "$user is $uid:$gid"
