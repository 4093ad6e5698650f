package main

import (
	"errors"
	"net/netip"
	"testing"
)

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, a := range list {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}

// TestStrangersAreNotThisMachine: whoever has none of the server's addresses is
// in the world outside, and nobody is a stranger with an address of lo.
func TestStrangersAreNotThisMachine(t *testing.T) {
	own, onLo := addrs("192.0.2.10", "10.20.30.5", "2001:db8::10", "fe80::1%eth0"), addrs("127.0.0.1", "::1", "203.0.113.5", "2001:db8:99::8")
	for client, want := range map[string]place{
		"127.0.0.1": here, "127.8.9.10": here, "::1": here, "192.0.2.10": here, "10.20.30.5": here, "2001:db8::10": here, "::ffff:192.0.2.10": here,
		"198.51.100.7": world, "203.0.113.9": world, "10.20.30.40": world, "172.17.0.2": world, "192.0.2.25": world, "2001:db8:99::7": world,
	} {
		if at, err := placeOf(netip.MustParseAddr(client), own, onLo); at != want || err != nil {
			t.Errorf("%s is at %v (%v), want %v", client, at, err, want)
		}
	}
	for _, client := range addrs("203.0.113.5", "2001:db8:99::8") {
		if _, err := placeOf(client, own, onLo); !errors.Is(err, errMisplaced) {
			t.Errorf("%s, on lo, is taken for a stranger: %v", client, err)
		}
	}
}
