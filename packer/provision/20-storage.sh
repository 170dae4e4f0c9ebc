#!/usr/bin/env bash
# 20-storage.sh: the NFS client, and with MQAWS_MOUNT=efs-utils the helper that encrypts and authorises the mount.
# shellcheck disable=SC2034 # for step.sh
step=storage
# shellcheck source-path=SCRIPTDIR source=step.sh
. /tmp/mqaws-provision/step.sh

case $packages in
  apt) client=nfs-common ;;
  dnf) client=nfs-utils ;;
esac
if ! command -v mount.nfs4 >/dev/null; then
  install_packages "$client"
fi
command -v mount.nfs4 >/dev/null || fail 1 "$client did not install mount.nfs4" "use a different base image"
say "NFS client: $(command -v mount.nfs4)"

case $MQAWS_MOUNT in
  nfs) exit 0 ;;
  efs-utils) ;;
  *) fail 3 "MQAWS_MOUNT is \`$MQAWS_MOUNT\`" "it must be efs-utils or nfs" ;;
esac
if ! command -v mount.efs >/dev/null; then
  if [[ ${MQAWS_EFS_UTILS_PACKAGE:-} ]]; then
    verify "$MQAWS_EFS_UTILS_PACKAGE" "${MQAWS_EFS_UTILS_SHA256:-}" "the efs-utils package"
    # Both package systems tell a file's kind by its name.
    case $packages in
      apt) file=/var/tmp/amazon-efs-utils.deb ;;
      dnf) file=/var/tmp/amazon-efs-utils.rpm ;;
    esac
    discard+=("$file")
    cp "$MQAWS_EFS_UTILS_PACKAGE" "$file"
    install_packages "$file"
  elif [[ $system == amzn ]]; then
    install_packages amazon-efs-utils
  else
    fail 3 "only Amazon Linux has amazon-efs-utils in its own repository" "set image.efs_utils_package to a package that you built, with its checksum, or set storage.mount: nfs"
  fi
fi
command -v mount.efs >/dev/null || fail 1 "the efs-utils package did not install mount.efs" "specify a different package"
say "efs-utils: $(command -v mount.efs)"
