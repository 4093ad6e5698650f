package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
)

// filter is an SMTP content filter as amavisd is one: what it takes goes on to
// reinject with one header field more, and it answers what the next server
// answered.
func filter(args []string) error {
	flags := flag.NewFlagSet("filter", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:10024", "address and port")
	reinject := flags.String("reinject", "127.0.0.1:10025", "address and port")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := pass(conn, *reinject); err != nil {
				fmt.Println(err)
			}
		}()
	}
}

// scanned is what the filter adds, on top of the message.
const scanned = "X-Virus-Scanned: lab\r\n"

// pass hands the commands of one client to the next server and its replies
// back.
func pass(conn net.Conn, reinject string) error {
	client := textproto.NewConn(conn)
	defer client.Close()
	next, err := textproto.Dial("tcp", reinject)
	if err != nil {
		return client.PrintfLine("421 4.3.0 %v", err)
	}
	defer next.Close()
	if err := reply(client, next); err != nil {
		return err
	}
	for {
		line, err := client.ReadLine()
		if err != nil {
			return nil // gone without QUIT
		}
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "XFORWARD":
			err = client.PrintfLine("250 2.0.0 Ok")
		case "EHLO":
			err = greet(client, next, line)
		case "DATA":
			err = message(client, next)
		default:
			if err = next.PrintfLine("%s", line); err == nil {
				err = reply(client, next)
			}
		}
		if err != nil || verb == "QUIT" {
			return err
		}
	}
}

// greet offers what the filter can pass on, whatever the next server has.
func greet(client, next *textproto.Conn, line string) error {
	if err := next.PrintfLine("%s", line); err != nil {
		return err
	}
	if _, _, err := next.ReadResponse(250); err != nil {
		return err
	}
	return client.PrintfLine("250-filter.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
}

// message passes on a message with the filter's line on top.
func message(client, next *textproto.Conn) error {
	if err := next.PrintfLine("DATA"); err != nil {
		return err
	}
	code, words, err := next.ReadResponse(354)
	if err != nil {
		return client.PrintfLine("%d %s", code, words)
	}
	if err := client.PrintfLine("%d %s", code, words); err != nil {
		return err
	}
	out := next.DotWriter()
	if _, err := io.WriteString(out, scanned); err != nil {
		return err
	}
	if _, err := io.Copy(out, client.DotReader()); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return reply(client, next)
}

// reply passes on one reply of the next server.
func reply(client, next *textproto.Conn) error {
	for {
		line, err := next.ReadLine()
		if err != nil {
			return err
		}
		if err := client.PrintfLine("%s", line); err != nil {
			return err
		}
		if len(line) < 4 || line[3] != '-' {
			return nil
		}
	}
}
