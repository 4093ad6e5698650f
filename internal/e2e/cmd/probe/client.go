package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// worldNetwork is the network namespace of everybody who is not this server.
const worldNetwork = "/run/netns/world"

// errMisplaced is a client that Postfix and OpenDKIM would take for the machine
// itself, so that a test with it proves nothing about strangers.
var errMisplaced = errors.New("the client is not where it should be")

// place is where a client's address has to be used from.
type place int

const (
	here  place = iota // it is the server's own
	world              // anybody else's
)

// placeOf decides that from the addresses of the server's interfaces, those of
// lo apart from the others.
func placeOf(client netip.Addr, own, onLo []netip.Addr) (place, error) {
	client = client.Unmap()
	has := func(list []netip.Addr) bool {
		for _, a := range list {
			if a.Unmap().WithZone("") == client {
				return true
			}
		}
		return false
	}
	switch {
	case client.IsLoopback(), has(own):
		return here, nil
	case has(onLo):
		return here, fmt.Errorf("%w: %s is an address of lo, so it counts as the server's own", errMisplaced, client)
	}
	return world, nil
}

// addresses are those of the interfaces of this network namespace.
func addresses() (own, onLo []netip.Addr, err error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, nil, err
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				return nil, nil, err
			}
			if i.Flags&net.FlagLoopback != 0 {
				onLo = append(onLo, p.Addr())
			} else {
				own = append(own, p.Addr())
			}
		}
	}
	return own, onLo, nil
}

// as calls dial where the client is at home. A socket belongs to the network namespace
// that its thread was in when it made it.
func as(client string, dial func() (net.Conn, error)) (net.Conn, error) {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return nil, err
	}
	own, onLo, err := addresses()
	if err != nil {
		return nil, err
	}
	at, err := placeOf(addr, own, onLo)
	if err != nil {
		return nil, err
	}
	if at == here {
		return dial()
	}
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()
	ns, err := os.Open(worldNetwork)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter %s: %w", worldNetwork, err)
	}
	conn, err := dial()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, errors.Join(err, back) // the thread stays this goroutine's, and ends with it
	}
	runtime.UnlockOSThread()
	return conn, err
}
