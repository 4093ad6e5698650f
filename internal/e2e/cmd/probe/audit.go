package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/internal/e2e/lab"
)

// audit verifies every message of a sink and prints how often each arrived and
// which of them do not carry one valid signature of the domain.
func audit(args []string) error {
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	dir := flags.String("dir", "", "where the sink stores messages")
	domain := flags.String("domain", "", "whose signature each must have; empty for the domain of its From")
	from, to := flags.Int("from", 0, "the first message to look at"), flags.Int("to", -1, "the one after the last, if not all")
	within := flags.Duration("within", 0, "how old a signature may be of which validity is demanded; 0 for any age")
	if err := flags.Parse(args); err != nil {
		return err
	}
	envelopes, err := filepath.Glob(filepath.Join(*dir, "*.json"))
	if err != nil {
		return err
	}
	if *to >= 0 {
		envelopes = envelopes[:*to]
	}
	envelopes = envelopes[*from:]
	a := lab.Audit{Times: map[string]int{}, Bad: map[string]string{}}
	lookup := remembered()
	for _, name := range envelopes {
		msg, err := os.ReadFile(strings.TrimSuffix(name, ".json") + ".eml")
		if err != nil {
			return err
		}
		m, err := mail.ReadMessage(bytes.NewReader(msg))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		subject := m.Header.Get("Subject")
		a.Times[subject]++
		whose := *domain
		if whose == "" {
			_, whose, _ = strings.Cut(strings.Trim(m.Header.Get("From"), "<>"), "@")
		}
		signed, why := faulty(msg, whose, lookup)
		switch {
		case *within > 0 && !signed.IsZero() && time.Since(signed) > *within:
			a.Late = append(a.Late, subject)
		case why != "":
			a.Bad[subject] = why
		}
	}
	return print(a)
}

// faulty says when a message was signed and what is wrong with that, "" if
// nothing.
func faulty(msg []byte, domain string, lookup func(string) ([]string, error)) (signed time.Time, why string) {
	found, err := dkim.VerifyWithOptions(bytes.NewReader(msg), &dkim.VerifyOptions{LookupTXT: lookup})
	switch {
	case err != nil:
		return time.Time{}, err.Error()
	case len(found) != 1:
		return time.Time{}, fmt.Sprintf("%d signatures", len(found))
	case found[0].Err != nil:
		return found[0].Time, found[0].Err.Error()
	case found[0].Domain != domain:
		return found[0].Time, "signed by " + found[0].Domain
	}
	return found[0].Time, ""
}

// remembered asks for each name once.
func remembered() func(string) ([]string, error) {
	seen := map[string][]string{}
	return func(name string) ([]string, error) {
		if txt, ok := seen[name]; ok {
			return txt, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		txt, err := resolver().LookupTXT(ctx, name+".")
		if err == nil {
			seen[name] = txt
		}
		return txt, err
	}
}
