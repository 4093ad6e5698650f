// Command ask asks the questions on the terminal it runs in and prints the
// answers as JSON, for the test that drives a real terminal.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mailsetup/internal/spec"
	"mailsetup/internal/wizard"
	"mailsetup/internal/wizard/quiet"
)

func main() {
	quiet.Done()
	accessible := flag.Bool("accessible", false, "plain prompts")
	confirm := flag.Bool("confirm", false, "ask for a yes instead")
	slow := flag.Bool("slow", false, "look up DNS for ever")
	color := flag.Bool("color", false, "use colours")
	flag.Parse()
	o := wizard.Options{In: os.Stdin, Out: os.Stdout, Accessible: *accessible, Color: *color, Propose: proposer(*slow)}
	if *confirm {
		yes, err := wizard.Confirm(context.Background(), o, "Apply these changes?", func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("a file changes\n", 100))
			return err
		})
		fmt.Printf("confirmed: %v, error: %v\n", yes, err)
		return
	}
	a, err := wizard.Ask(context.Background(), o)
	if err != nil {
		fmt.Printf("error: %v\n", err)
		os.Exit(1)
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	fmt.Printf("answers: %s\n", text)
}

// proposer makes propose slow on request.
func proposer(slow bool) func(context.Context, spec.Answers) (wizard.Proposals, error) {
	return func(ctx context.Context, a spec.Answers) (wizard.Proposals, error) {
		if slow && a.Domain != "" {
			<-ctx.Done()
			return wizard.Proposals{}, ctx.Err()
		}
		return propose(a)
	}
}

// propose finds a machine with BIND, which serves example.org only.
func propose(a spec.Answers) (wizard.Proposals, error) {
	p := wizard.Proposals{
		Hostname: wizard.Proposal{Value: "mail.example.org", Why: "the full name of this machine"},
		BIND:     true,
		Found:    []string{"Postfix 3.10 is installed", "BIND 9.20 runs here"},
	}
	if a.Domain == "" || a.Hostname == "" {
		return p, nil
	}
	time.Sleep(300 * time.Millisecond)
	p.Selector.Value = "202611"
	p.Addresses = wizard.Proposal{Value: "192.0.2.25 2001:db8::25", Why: "the A and AAAA records of " + a.Hostname}
	p.ZoneServed = a.Domain == "example.org"
	if !p.ZoneServed {
		p.Addresses = wizard.Proposal{}
		p.Found = append(p.Found, a.Hostname+" has no address in DNS yet")
	}
	return p, nil
}
