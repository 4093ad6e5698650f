package dnsclient

import (
	"time"
)

// client returns a Client of the servers that does not wait long.
func client(servers ...string) *Client {
	c := New(servers...)
	c.Timeout = 200 * time.Millisecond
	return c
}
