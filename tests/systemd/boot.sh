#!/bin/sh
# Becomes a systemd, process 1 of its own namespaces, for tests/systemd/sandbox.py, which unshares them.
#   boot.sh UNIT_DIR KEPT_DIR...
# Units are those of UNIT_DIR alone. What systemd writes to, or cleans at a boot, is private and empty here; the
# KEPT_DIRs are at their places all the same. Control groups are a tree below the one this starts in.
set -eu
units=$1
shift
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock /run/kept
number=0
for kept in "$units" "$@"; do
    number=$((number + 1))
    mkdir "/run/kept/$number"
    mount --bind "$kept" "/run/kept/$number"
done
for private in /tmp /var/tmp /var/lib /var/log /etc/systemd/system; do
    mount -t tmpfs -o mode=1777 tmpfs "$private"
done
chmod 0755 /var/lib /var/log /etc/systemd/system
cp -r /run/kept/1/* /etc/systemd/system/
number=1
for kept in "$@"; do
    number=$((number + 1))
    mkdir -p "$kept"
    mount --bind "/run/kept/$number" "$kept"
done
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer \
    systemd-udevd.service systemd-udev-trigger.service systemd-random-seed.service systemd-update-utmp.service; do
    ln -s /dev/null "/etc/systemd/system/$unit"
done
cat >/etc/systemd/system/sandbox.target <<'TARGET'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.socket
After=systemd-journald.socket
TARGET
exec env container=sandbox /lib/systemd/systemd --system --unit=sandbox.target --log-target=journal --show-status=0
