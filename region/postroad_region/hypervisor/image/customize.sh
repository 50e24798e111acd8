#!/bin/sh
# mmdebstrap's customize hook: what Debian's cloud image brings and a bare debootstrap lacks. $1 is the new root, $2 this folder.
set -eu
root=$1 here=$2

chroot "$root" useradd --create-home --shell /bin/bash admin
printf 'admin ALL=(ALL) NOPASSWD:ALL\n' > "$root/etc/sudoers.d/90-admin"
chmod 0440 "$root/etc/sudoers.d/90-admin"

install -D -m 0755 "$here/firstboot.py" "$root/usr/lib/postroad/firstboot"
install -D -m 0644 "$here/postroad-firstboot.service" "$root/etc/systemd/system/postroad-firstboot.service"
install -d -m 0700 "$root/var/lib/postroad-firstboot"
chroot "$root" systemctl enable -q postroad-firstboot.service ssh.service
# What makes no sense on a host without disks and consoles of its own, or listens before a role has configured it.
chroot "$root" systemctl mask -q getty.target console-getty.service systemd-logind.service \
    systemd-networkd-wait-online.service fstrim.timer apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer \
    systemd-timesyncd.service systemd-resolved.service dpkg-db-backup.timer
chroot "$root" systemctl disable -q unbound.service nftables.service

printf 'UseDNS no\nPasswordAuthentication no\nPermitRootLogin no\n' > "$root/etc/ssh/sshd_config.d/10-cloud.conf"
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > "$root/etc/hosts"
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/resolv.conf" "$root/etc/hostname"
: > "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
rm -rf "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/var/cache/apt/*.bin
