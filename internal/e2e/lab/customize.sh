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
# Addresses on lo vanish with a reboot; a server's own do not.
mkdir -p "$root/etc/lab"
printf '%s' "$LAB_ADDRESSES_UNIT" >"$root/etc/systemd/system/lab-addresses.service"
mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
ln -s ../lab-addresses.service "$root/etc/systemd/system/sysinit.target.wants/lab-addresses.service"
rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
