#!/usr/bin/env bash
# 60-finish.sh: takes away what must not be the same on two instances, and what is nobody's business; then the agent checks
# the result. After it the machine is an image and no machine any more: it has no keys and no identity.
# shellcheck disable=SC2034 # for step.sh
step=finish
# shellcheck source-path=SCRIPTDIR source=step.sh
. /tmp/mqaws-provision/step.sh

say "caches"
case $packages in
  apt)
    apt-get -qq clean
    rm -rf /var/lib/apt/lists/*
    ;;
  dnf) dnf -q clean all ;;
esac

say "identity: SSH host keys, machine ID, random seed, state of cloud-init"
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
: >/etc/machine-id
[[ -L /var/lib/dbus/machine-id ]] || rm -f /var/lib/dbus/machine-id
# What NetworkManager derives addresses from, and the registration of a RHEL host with its maker.
rm -rf /var/lib/NetworkManager/secret_key /etc/pki/consumer/* /etc/pki/entitlement/* /etc/insights-client/machine-id
rm -rf /var/lib/cloud/* /run/cloud-init
# A node of RabbitMQ that has run, and the secret that its cluster would share.
rm -rf /var/lib/rabbitmq/.erlang.cookie /var/lib/rabbitmq/mnesia

say "access: authorized keys, private keys, credentials, histories"
for home in /root /home/*; do
  rm -rf "$home/.ssh" "$home/.aws" "$home/.netrc" "$home/.docker" "$home/.gnupg"
  rm -f "$home"/.*_history "$home/.lesshst" "$home/.viminfo"
done

say "logs"
rm -rf /var/log/journal/* /var/log/amazon /var/log/cloud-init.log /var/log/cloud-init-output.log
find /var/log -type f -exec truncate -s 0 {} +

say "temporary files"
rm -rf "$provision" /tmp/mq_license_* /var/tmp/mqaws-*
sync

say "check"
mqaws-agent doctor --image ||
  fail 1 "this image does not meet the requirements" "each finding above contains its remedy"
