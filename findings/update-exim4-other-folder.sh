#!/bin/sh
# exim4-config 4.96 of Debian 12: update-exim4.conf -d FOLDER, configuration not split.
#
# update-exim4.conf(8): -d reads input from that folder instead of /etc/exim4, so that a configuration
# can be tried before it is there.
# Guess: exim4.conf.localmacros of that folder counts, as the template and update-exim4.conf.conf do.
# Seen: it counts where /etc/exim4/exim4.conf.localmacros exists, whatever is in that; where it does
# not, the macros of the folder are left out without a word. A first set of DKIM macros is found
# good by a check that has not read them. Takes root: /etc is a copy in a mount namespace.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq exim4-config=4.96-15+deb12u11 2>apt.log || { cat apt.log; exit 1; }
dpkg -x exim4-config_*.deb root
mkdir etc other
cp /etc/passwd /etc/group etc/
grep -q '^Debian-exim:' etc/group || echo 'Debian-exim:x:64999:' >>etc/group
echo ex.example >etc/mailname
cp -r root/etc/exim4 etc/
cat >etc/exim4/update-exim4.conf.conf <<'TXT'
dc_eximconfig_configtype='internet'
dc_other_hostnames='ex.example'
dc_local_interfaces='127.0.0.1'
dc_readhost=''
dc_relay_domains=''
dc_relay_nets=''
dc_minimaldns='false'
dc_smarthost=''
dc_use_split_config='false'
dc_hide_mailname='false'
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
CFILEMODE='644'
TXT
cp -r etc/exim4/. other/
echo 'DKIM_SELECTOR = s1' >other/exim4.conf.localmacros
try() {
	unshare --mount sh -c "mount --bind $dir/etc /etc && sh $dir/root/usr/sbin/update-exim4.conf -d $dir/other -o $dir/out"
	echo "$1: exit 0, $(grep -c '^DKIM_SELECTOR = s1' out) of 1 macro in what it made"
}
{
	try 'without /etc/exim4/exim4.conf.localmacros'
	: >etc/exim4/exim4.conf.localmacros
	try 'with an empty one'
} >seen
cat seen
cat >expected <<'TXT'
without /etc/exim4/exim4.conf.localmacros: exit 0, 0 of 1 macro in what it made
with an empty one: exit 0, 1 of 1 macro in what it made
TXT
diff expected seen
