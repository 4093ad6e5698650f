#!/bin/sh
# Run by mmdebstrap once the packages of a bare image are installed.
# $1 is the root of the image; LAB_CARRIED holds one group of packages a line.
set -eu
root=$1
# Only what is still to be installed is worth carrying.
chroot "$root" apt-get clean
printf '%s\n' "$LAB_CARRIED" | while read -r group; do
	# Unquoted on purpose: a group is a list of package names.
	chroot "$root" apt-get -y -q -d --no-install-recommends install $group </dev/null
done
mkdir -p "$root/etc/lab" "$root/etc/systemd/system/sysinit.target.wants"
printf '%s' "$LAB_NETWORK_SCRIPT" >"$root/etc/lab/network"
printf '%s' "$LAB_NETWORK_UNIT" >"$root/etc/systemd/system/lab-network.service"
ln -s ../lab-network.service "$root/etc/systemd/system/sysinit.target.wants/lab-network.service"
rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
