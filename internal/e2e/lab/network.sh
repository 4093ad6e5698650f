#!/bin/sh
# Run at every boot of a box. The world is a network namespace inside the box,
# joined to it by a virtual cable: what has its addresses there is somebody
# else for Postfix, which takes every address of its own interfaces as its own.
set -eu
w='ip -n world'
ip link set lo up
ip netns add world
ip link add eth0 type veth peer name eth0 netns world
ip link set eth0 up
$w link set lo up
$w link set eth0 up
# Any address of these networks may be a client's: of strangers, of a LAN, of
# containers.
clients='198.51.100.0/24 10.20.30.0/24 172.17.0.0/24'
for net in $clients; do
	$w route add local "$net" dev lo
done
while read -r address; do
	case $address in
	*:*) ip addr add "$address" dev eth0 nodad ;;
	*)
		ip addr add "$address" dev eth0
		# The server may have an address in one of those networks.
		$w route add "${address%/*}" dev eth0 table local
		;;
	esac
done </etc/lab/addresses
# No default route: what is not the lab's is unreachable, at once.
for net in 192.0.2.0/24 $clients 2001:db8::/32; do
	ip route replace "$net" dev eth0
done
$w addr add 192.0.2.25/32 dev eth0
$w addr add 2001:db8::25/128 dev eth0 nodad
# IPv6 has no local networks to bind to: one stranger has to do.
$w addr add 2001:db8:99::7/128 dev eth0 nodad
$w route add default dev eth0
$w route add 2001:db8::/32 dev eth0
