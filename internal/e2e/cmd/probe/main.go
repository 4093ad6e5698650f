// Command probe is the lab's helper inside a box: the mail server of the rest
// of the world, its clients, and verifiers that ask the box's name server.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"os"

	"mailsetup/internal/e2e/lab"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		// A server's refusal is said in its own words.
		if reply := (*textproto.Error)(nil); errors.As(err, &reply) {
			fmt.Fprintln(os.Stderr, reply.Code, reply.Msg)
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
		if errors.Is(err, errMisplaced) {
			os.Exit(lab.ExitMisplaced)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: probe sink|filter|send|fault|load|verify|audit|spf|delay [flags]")
	}
	switch args[0] {
	case "sink":
		return sink(args[1:])
	case "filter":
		return filter(args[1:])
	case "send":
		return send(os.Stdin)
	case "fault":
		return fault(os.Stdin)
	case "load":
		return load(args[1:], os.Stdin)
	case "audit":
		return audit(args[1:])
	case "verify":
		return verify(os.Stdin)
	case "delay":
		return delay(args[1:])
	case "spf":
		return checkSPF(args[1:])
	}
	return fmt.Errorf("unknown probe %q", args[0])
}

func print(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }
