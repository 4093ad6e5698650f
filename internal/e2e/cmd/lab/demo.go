package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/term"

	"mailsetup/internal/e2e/lab"
)

const (
	demoDomain = "acme.example"
	demoHost   = "mail.acme.example"
	demoFrom   = "wile@acme.example"
)

// demo shows the whole of mailsetup on a server that nobody minds: a bare
// Debian, one command, one message, and what a receiver thinks of it.
func demo(t *terminal, release string) {
	say("Booting a throw-away %s server: BIND serves %s, no mail package is installed.", release, demoDomain)
	b := lab.Boot(t, lab.Options{Release: release, Image: lab.Bare, Hostname: demoHost})
	b.Named(t, demoDomain)
	sink := b.Sink(t)
	b.Install(t)
	b.Run(t, "useradd", "-m", "wile") // who reads root's mail
	run(t, b, "mailsetup", "init", "--yes", "--domain", demoDomain, "--root-alias", demoFrom)
	send(t, b)
	msg := sink.Wait(t, 1, time.Minute)[0]
	verdict(t, b, msg.Data)
	if term.IsTerminal(int(os.Stdin.Fd())) && yes("Stay inside this server for a while? [y/N] ") {
		say("Try: mailsetup init, mailsetup history, mailsetup rollback. Leave with exit.")
		enter(t, b)
	}
}

func say(format string, a ...any) { fmt.Printf("\n=== "+format+"\n\n", a...) }

// run executes a command in the box before the reader's eyes.
func run(t *terminal, b *lab.Box, argv ...string) {
	say("%s", strings.Join(argv, " "))
	cmd := b.Command(t.Context(), argv...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", argv[0], err)
	}
}

func send(t *terminal, b *lab.Box) {
	say("A message from %s to bob@%s, by sendmail", demoFrom, lab.RemoteZone)
	b.Sh(t, fmt.Sprintf(`printf 'From: %s\nTo: bob@%s\nSubject: Hello\n\nThis one arrives.\n' | /usr/sbin/sendmail -f %s -t -i`,
		demoFrom, lab.RemoteZone, demoFrom))
}

// verdict is what the receiver finds: the signature by two programs that share
// no code, SPF, DMARC, and the control that must fail.
func verdict(t *terminal, b *lab.Box, msg []byte) {
	head, _, _ := strings.Cut(strings.ReplaceAll(string(msg), "\r\n", "\n"), "\n\n")
	fmt.Println(indent(head))
	say("What the receiver finds")
	dkim := "fail"
	for _, v := range lab.VerifyDKIM(t, b, msg) {
		if v.Err == "" && v.Domain == demoDomain {
			dkim = "pass"
		}
		fmt.Printf("  DKIM   %s (go-msgauth; d=%s s=%s)\n", pass(v.Err == ""), v.Domain, v.Selector)
	}
	ok, said := lab.VerifyPython(t, b, msg)
	fmt.Printf("  DKIM   %s (dkimpy: %s)\n", pass(ok), said)
	for _, v := range lab.VerifyDKIM(t, b, lab.TamperBody(t, msg)) {
		fmt.Printf("  DKIM   %s for a copy with one letter changed, as it should be\n", pass(v.Err == ""))
	}
	spf := lab.SPF(t, b, b.Addr, demoHost, demoFrom).Result
	fmt.Printf("  SPF    %s for %s from %s\n", spf, demoFrom, b.Addr)
	record := strings.TrimSpace(b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", "_dmarc."+demoDomain))
	fmt.Printf("  DMARC  %s: the From: domain is that of the signature and of SPF\n         %s\n",
		pass(dkim == "pass" || spf == "pass"), record)
	if dkim != "pass" || spf != "pass" || !ok {
		t.Fatalf("the message does not pass")
	}
}

func pass(ok bool) string {
	if ok {
		return "pass"
	}
	return "fail"
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

func yes(question string) bool {
	fmt.Print("\n" + question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y")
}

// enter hands the terminal to a shell in the box.
func enter(t *terminal, b *lab.Box) {
	argv := b.Enter()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Logf("the shell ended: %v", err)
	}
}
