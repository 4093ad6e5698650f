package dnscheck_test

import (
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

// client returns a client of the servers that does not wait long.
func client(servers ...string) *dnsclient.Client {
	c := dnsclient.New(servers...)
	c.Timeout = 200 * time.Millisecond
	return c
}

func record(name, rtype, value string) state.Record {
	return state.Record{Name: name, Type: rtype, TTL: 3600, Value: value}
}
