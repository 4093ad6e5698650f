#!/bin/sh
# Run at every boot of a box. The world is a network namespace inside the box,
# joined to it by a virtual cable: what has its addresses there is somebody
# else for Postfix, which takes every address of its own interfaces as its own.
set -eu
ip link set lo up
ip netns add world
ip link add eth0 type veth peer name eth0 netns world
ip link set eth0 up
while read -r address; do
	case $address in
	*:*) ip addr add "$address" dev eth0 nodad ;;
	*) ip addr add "$address" dev eth0 ;;
	esac
done </etc/lab/addresses
# No default route: what is not the lab's is unreachable, at once.
for net in 192.0.2.0/24 198.51.100.0/24 2001:db8::/32; do
	ip route replace "$net" dev eth0
done
w='ip -n world'
$w link set lo up
$w link set eth0 up
$w addr add 192.0.2.25/32 dev eth0
# Any address of this network may be a client's.
$w route add local 198.51.100.0/24 dev lo
$w route add default dev eth0
$w route add 2001:db8::/32 dev eth0
