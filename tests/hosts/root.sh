#!/usr/bin/env bash
# root.sh DIRECTORY: a Debian root with systemd, cloud-init and an NFS client, which all guests share read-only.
# Needs root and Debian's package archive; takes one to three minutes.
set -euo pipefail
root=$(realpath -m "$1")
new=$root.new
rm -rf "$new"
mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
  --include=systemd,systemd-sysv,dbus,udev,kmod,iproute2,nfs-common,cloud-init,procps,python3 bookworm "$new"
mkdir -p "$new/lib/modules"
cp -a /usr/lib/uml/modules/. "$new/lib/modules/"
: >"$new/etc/machine-id"

# The firmware of an EC2 instance, by which cloud-init tells where it is: User-Mode Linux has none.
cat >"$new/usr/sbin/dmidecode" <<'SH'
#!/bin/sh
case $* in
  *system-uuid* | *system-serial-number*) echo ec2e1916-9099-7caf-fd21-012345abcdef ;;
  *system-manufacturer* | *chassis-asset-tag*) echo Amazon EC2 ;;
esac
SH
chmod 755 "$new/usr/sbin/dmidecode"
: >"$new/etc/fstab"

# The queue manager's own directory is a disk: on the root, which the host serves, every file would belong to root.
# What an instance would get by DHCP stands on the kernel's command line. Addresses are in 127.0.0.0/8, as everywhere in the
# local cloud: what is in there cannot leave a machine by accident.
mkdir -p "$new/usr/local/sbin"
cat >"$new/usr/local/sbin/guest-setup" <<'SH'
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
chmod 755 "$new/usr/local/sbin/guest-setup"
cat >"$new/etc/systemd/system/guest-setup.service" <<'U'
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
echo nfsv4 >"$new/etc/modules-load.d/nfs.conf"

# The power button of the guest's console is Ctrl-Alt-Del.
ln -sf /lib/systemd/system/poweroff.target "$new/etc/systemd/system/ctrl-alt-del.target"
chroot "$new" systemctl -q enable guest-setup.service
groupadd -R "$new" -g 990 mqm
useradd -R "$new" -u 990 -g mqm -M -s /usr/sbin/nologin mqm

# What a guest has no use for and would wait for; cloud-init's first stage looks for a network that is there already.
chroot "$new" systemctl -q mask cloud-init-local.service cloud-final.service cloud-init-hotplugd.socket getty.target getty@tty1.service \
  console-getty.service serial-getty@.service systemd-timesyncd.service systemd-networkd.service \
  systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer systemd-firstboot.service ldconfig.service systemd-journal-catalog-update.service \
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-pstore.service systemd-binfmt.service \
  proc-sys-fs-binfmt_misc.automount systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket \
  systemd-udevd-control.socket modprobe@configfs.service modprobe@drm.service modprobe@fuse.service modprobe@dm_mod.service \
  modprobe@loop.service modprobe@efi_pstore.service sys-kernel-config.mount sys-fs-fuse-connections.mount \
  sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount systemd-ask-password-wall.path \
  systemd-ask-password-console.path rpcbind.service rpcbind.socket nfs-blkmap.service nfs-client.target rpc-gssd.service \
  rpc-statd-notify.service auth-rpcgss-module.service remote-cryptsetup.target

# cloud-init as on an image for EC2, with the modules that the user data needs and no others. The last of its stages has
# nothing left to do; each one is Python started anew, seconds on these machines.
find "$new/etc/cloud/cloud.cfg.d" -type f ! -name 05_logging.cfg -delete
cat >"$new/etc/cloud/cloud.cfg" <<'C'
datasource_list: [ Ec2 ]
datasource: {Ec2: {strict_id: false, timeout: 10, max_wait: 60}}
network: {config: disabled}
disable_root: false
system_info: {distro: debian}
cloud_init_modules: [ write_files, set_hostname ]
cloud_config_modules: [ runcmd, scripts_user ]
cloud_final_modules: [ ]
C
mv -T "$new" "$root"
