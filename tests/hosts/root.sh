#!/usr/bin/env bash
# root.sh DIRECTORY: the Debian that all guests share read-only, in layers:
#   base     what a cloud's own image has: systemd, cloud-init, ssh; nothing of mqaws
#   archive  the packages that provisioning asks for, as an archive of its own: where it runs there is no network
#   tools    what provisioning adds of the distribution, for the hosts that are not provisioned
#   guest    what makes a User-Mode Linux guest of it, and a small EC2 instance of that
# Needs root and Debian's package archive; takes one to three minutes.
set -euo pipefail
root=$(realpath -m "$1")
new=$root.new
[[ ${MQAWS_ROOT_UNSHARED:-} ]] || MQAWS_ROOT_UNSHARED=1 exec unshare --mount --propagation private "$0" "$@"
rm -rf "$new"
mkdir -p "$new"/{archive,tools,guest,work,merged}

mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
  --include=systemd,systemd-sysv,dbus,udev,kmod,iproute2,cloud-init,procps,python3,openssh-server,sudo bookworm "$new/base"
: >"$new/base/etc/machine-id"
# As a cloud's image has it: a user of its own, who may become root.
useradd -R "$new/base" -m -s /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >"$new/base/etc/sudoers.d/90-cloud-init-users"

# An overlay of what is named, uppermost first, to be changed in its first layer; `done_with` ends it.
changing() {
  local upper=$1 lower=$2
  rm -rf "$new/work" && mkdir "$new/work"
  mount -t overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$new/work" layer "$new/merged"
}
done_with() { umount "$new/merged"; }

changing "$new/tools" "$new/base"
mount -t proc proc "$new/merged/proc"
cp /etc/resolv.conf "$new/merged/etc/resolv.conf"
# What asks for a proxy or another archive on this machine asks for it in there, for the download alone.
chroot "$new/merged" apt-get update -qq
fetch() {
  chroot "$new/merged" apt-get install -qq -y --no-install-recommends --download-only "$@" >/dev/null
  mv "$new"/merged/var/cache/apt/archives/*.deb "$new/archive/"
}
fetch nfs-common
fetch rabbitmq-server
for package in "$new"/archive/*.deb; do
  dpkg-deb -f "$package"
  printf 'Filename: ./%s\nSize: %d\nSHA256: %s\n\n' "${package##*/}" "$(stat -c %s "$package")" \
    "$(sha256sum "$package" | cut -d' ' -f1)"
done >"$new/archive/Packages"
umount "$new/merged/proc"
done_with
rm -rf "$new/tools" && mkdir "$new/tools"

changing "$new/tools" "$new/base"
mkdir "$new/merged/archive"
mount --bind "$new/archive" "$new/merged/archive"
mount -t proc proc "$new/merged/proc"
echo 'deb [trusted=yes] file:/archive ./' >"$new/merged/etc/apt/sources.list"
chroot "$new/merged" apt-get update -qq
DEBIAN_FRONTEND=noninteractive chroot "$new/merged" apt-get install -qq -y --no-install-recommends nfs-common >/dev/null
umount "$new/merged/proc" "$new/merged/archive"
groupadd -R "$new/merged" -g 1234 mqm
useradd -R "$new/merged" -u 1234 -g mqm -M -s /usr/sbin/nologin mqm
done_with

changing "$new/guest" "$new/base"
guest=$new/merged
mkdir -p "$guest/lib/modules"
cp -a /usr/lib/uml/modules/. "$guest/lib/modules/"

# The firmware of an EC2 instance, by which cloud-init tells where it is: User-Mode Linux has none.
cat >"$guest/usr/sbin/dmidecode" <<'SH'
#!/bin/sh
case $* in
  *system-uuid* | *system-serial-number*) echo ec2e1916-9099-7caf-fd21-012345abcdef ;;
  *system-manufacturer* | *chassis-asset-tag*) echo Amazon EC2 ;;
esac
SH
chmod 755 "$guest/usr/sbin/dmidecode"
: >"$guest/etc/fstab"

# The queue manager's own directory is a disk: on the root, which the host serves, every file would belong to root.
# What an instance would get by DHCP stands on the kernel's command line. Addresses are in 127.0.0.0/8, as everywhere in the
# local cloud: what is in there cannot leave a machine by accident.
mkdir -p "$guest/usr/local/sbin"
cat >"$guest/usr/local/sbin/guest-setup" <<'SH'
#!/bin/sh
address=$(sed -n 's/.*guest\.address=\([^ ]*\).*/\1/p' /proc/cmdline)
sysctl -qw net.ipv4.conf.all.route_localnet=1
ip address flush dev lo
ip address add 127.0.0.1/32 dev lo
ip link set lo up
ip route del local 127.0.0.0/8 dev lo table local 2>/dev/null
ip address add "$address" scope global dev vec0
ip link set vec0 up
ip route add 169.254.169.254 dev vec0
mount -t ext4 /dev/ubda /var/mqm
SH
chmod 755 "$guest/usr/local/sbin/guest-setup"
cat >"$guest/etc/systemd/system/guest-setup.service" <<'U'
[Unit]
DefaultDependencies=no
Before=network-pre.target network.target network-online.target cloud-init-local.service cloud-init.service
Wants=network-pre.target
After=systemd-sysctl.service systemd-modules-load.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/guest-setup
[Install]
WantedBy=sysinit.target network-online.target
U
echo nfsv4 >"$guest/etc/modules-load.d/nfs.conf"

# The power button of the guest's console is Ctrl-Alt-Del.
ln -sf /lib/systemd/system/poweroff.target "$guest/etc/systemd/system/ctrl-alt-del.target"
chroot "$guest" systemctl -q enable guest-setup.service

# What a guest has no use for and would wait for; cloud-init's first stage looks for a network that is there already. Units of
# the layers above and below are among them, so that this one fits under both.
for unit in cloud-init-local.service cloud-final.service cloud-init-hotplugd.socket getty.target getty@tty1.service \
  console-getty.service serial-getty@.service systemd-timesyncd.service systemd-networkd.service \
  systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer systemd-firstboot.service ldconfig.service systemd-journal-catalog-update.service \
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-pstore.service systemd-binfmt.service \
  proc-sys-fs-binfmt_misc.automount systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket \
  systemd-udevd-control.socket modprobe@configfs.service modprobe@drm.service modprobe@fuse.service modprobe@dm_mod.service \
  modprobe@loop.service modprobe@efi_pstore.service sys-kernel-config.mount sys-fs-fuse-connections.mount \
  sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount systemd-ask-password-wall.path \
  systemd-ask-password-console.path rpcbind.service rpcbind.socket nfs-blkmap.service nfs-client.target rpc-gssd.service \
  rpc-statd-notify.service auth-rpcgss-module.service remote-cryptsetup.target ssh.service ssh.socket; do
  ln -sf /dev/null "$guest/etc/systemd/system/$unit"
done

# cloud-init as on an image for EC2, with the modules that the user data needs and no others. The last of its stages has
# nothing left to do; each one is Python started anew, seconds on these machines.
find "$guest/etc/cloud/cloud.cfg.d" -type f ! -name 05_logging.cfg -delete
cat >"$guest/etc/cloud/cloud.cfg" <<'C'
datasource_list: [ Ec2 ]
datasource: {Ec2: {strict_id: false, timeout: 10, max_wait: 60}}
network: {config: disabled}
disable_root: false
system_info: {distro: debian}
cloud_init_modules: [ write_files, set_hostname ]
cloud_config_modules: [ runcmd, scripts_user ]
cloud_final_modules: [ ]
C
done_with
rmdir "$new/merged"
rm -rf "$new/work"
mv -T "$new" "$root"
