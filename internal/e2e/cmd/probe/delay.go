package main

import (
	"flag"
	"io"
	"net"
	"time"
)

// delay is a name server far away: it hands questions on to another one, some time
// later, over UDP and TCP.
func delay(args []string) error {
	flags := flag.NewFlagSet("delay", flag.ContinueOnError)
	listen := flags.String("listen", "", "address and port to answer at")
	to := flags.String("to", "", "address and port of the name server")
	by := flags.Duration("by", 0, "how long an answer takes longer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	packets, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := streams.Accept()
			if err != nil {
				return
			}
			go delayStream(c, *to, *by)
		}
	}()
	for {
		question := make([]byte, 4096)
		n, from, err := packets.ReadFrom(question)
		if err != nil {
			return err
		}
		time.AfterFunc(*by, func() { delayPacket(packets, from, *to, question[:n]) })
	}
}

// delayPacket puts one question and hands the answer back; what fails is lost, as on the
// way.
func delayPacket(back net.PacketConn, from net.Addr, to string, question []byte) {
	c, err := net.Dial("udp", to)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(question); err != nil {
		return
	}
	answer := make([]byte, 4096)
	if n, err := c.Read(answer); err == nil {
		_, _ = back.WriteTo(answer[:n], from)
	}
}

func delayStream(c net.Conn, to string, by time.Duration) {
	defer c.Close()
	time.Sleep(by)
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	go func() { _, _ = io.Copy(far, c) }()
	_, _ = io.Copy(c, far)
}
