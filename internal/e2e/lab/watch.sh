#!/bin/sh
# Tears a box down when its owner lets go of standard input: on purpose, or by
# dying in whatever way. $1 is the directory of the box, the other arguments
# are its cgroups. Exit status 0 means that nothing of it is left.
box=$1
shift
while read -r _; do :; done
[ -e "$box/keep" ] && exit 0

gone() { # gone PID: a zombie counts, its parent may be slow to reap it
	[ ! -d "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

for who in leader nspawn; do
	pid=$(cat "$box/$who.pid" 2>/dev/null) || continue
	kill -KILL "$pid" 2>/dev/null
	i=0
	until gone "$pid" || [ $i -ge 200 ]; do
		i=$((i + 1))
		sleep 0.05
	done
done
for at in root layer; do
	i=0
	while grep -q " $box/$at " /proc/self/mounts && ! umount "$box/$at" 2>/dev/null && [ $i -lt 100 ]; do
		i=$((i + 1))
		sleep 0.05
	done
	grep -q " $box/$at " /proc/self/mounts && exit 1
done
for group in "$@"; do
	i=0
	while [ -d "$group" ] && [ $i -lt 100 ]; do
		find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
		i=$((i + 1))
		[ ! -d "$group" ] || sleep 0.05
	done
	[ ! -d "$group" ] || exit 1
done
exec rm -rf "$box"
