package dnsclient_test

import (
	"time"

	"mailsetup/internal/dnsclient"
)

// client returns a Client of the servers that does not wait long.
func client(servers ...string) *dnsclient.Client {
	c := dnsclient.New(servers...)
	c.Timeout = 200 * time.Millisecond
	return c
}
