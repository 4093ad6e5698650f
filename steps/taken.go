package steps

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	conf "mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Taken is a set-up of OpenDKIM that somebody made by hand, in the words of the
// spec: with it, our tables make the same signatures.
type Taken struct {
	// Domains have their names, selectors and senders; the rest is for the zone
	// and the records that are there to say.
	Domains  []spec.Domain
	Signers  []conf.Signer // of the domains, in their order
	Trusted  []string      // of the host
	OpenDKIM []string      // of the host
	Notes    []state.Note
}

// TakeOver finds the words for a set-up, or says at which line there are none.
func TakeOver(s conf.Setup, f state.Facts, now time.Time) (Taken, error) {
	if err := started(f.OpenDKIM); err != nil {
		return Taken{}, err
	}
	signers, err := s.Signers()
	if err != nil {
		return Taken{}, err
	}
	t := Taken{Signers: signers, Notes: leftOut(s)}
	var errs []error
	for _, signer := range signers {
		d, err := takenDomain(signer, now)
		t.Domains, errs = append(t.Domains, d), append(errs, err)
	}
	t.OpenDKIM, err = keptLines(s.Conf, f)
	errs = append(errs, err)
	t.Trusted, err = keptHosts(s.Internal, f)
	return t, errors.Join(append(errs, err)...)
}

// started refuses an OpenDKIM whose command line says who is signed for.
func started(o *state.OpenDKIM) error {
	if o == nil || len(o.Args) == 0 {
		return nil
	}
	for i := 1; i < len(o.Args); i++ {
		switch a := o.Args[i]; {
		case a == "", a == "-l", a == "-f":
		case len(a) > 1 && strings.Contains("Ppxu", a[1:2]) && a[0] == '-':
			if len(a) == 2 {
				i++ // its value
			}
		default:
			return refuse(fmt.Sprintf("write what it says into %s and see that opendkim -n takes it; then take it out of the unit, systemctl daemon-reload, and restart %s", Conf, unitOpenDKIM),
				"OpenDKIM is started with %s, which counts for more than its configuration", a)
		}
	}
	return nil
}

// takenDomain turns the rows of one signing domain into its senders.
func takenDomain(s conf.Signer, now time.Time) (spec.Domain, error) {
	d := spec.Domain{Name: s.Domain, Partial: true}
	name, err := spec.DomainName(s.Domain)
	if err != nil || name != s.Domain {
		return d, at(s.KeyAt, "the domain %q in d= is none that mail can have: %v", s.Domain, err)
	}
	if d.Selector, err = spec.Selector(s.Selector); err != nil {
		d.Selector = spec.DefaultSelector(now) // of the next key, if ever
	}
	var errs []error
	for _, r := range s.Rows {
		sender, err := spec.Sender(r.Pattern)
		if err != nil {
			errs = append(errs, at(r.Place, "%s: %v", r.Written, err))
			continue
		}
		switch sender {
		case d.Name:
			d.Partial = false
		case "." + d.Name:
			d.Subdomains = true
		default:
			d.Also = append(d.Also, sender)
		}
		if r.Identity == "" {
			continue
		}
		id, err := spec.Identity(sender + " " + r.Identity)
		if err != nil {
			err = at(r.Place, "%v", err)
		}
		d.Identities, errs = append(d.Identities, id), append(errs, err)
	}
	return d, errors.Join(errs...)
}

func at(p conf.Place, format string, a ...any) error {
	return &conf.Error{Place: p, What: fmt.Sprintf(format, a...), Hint: "take it out of the set-up, or correct it, and run this again"}
}

// decisive are lines of ours that change signatures, or what is verified with,
// where nothing was said before.
var decisive = []string{"Canonicalization", "OversignHeaders", "TrustAnchorFile"}

// keptLines are the lines of a configuration that differ from ours.
func keptLines(c conf.Conf, f state.Facts) ([]string, error) {
	text, err := signerConf(Input{Facts: f})
	if err != nil {
		return nil, err
	}
	ours, err := conf.ParseConf(string(Conf), func(string) ([]byte, error) { return text, nil })
	if err != nil {
		return nil, err
	}
	var lines []string
	var errs []error
	for _, s := range c.Effective() {
		is, there := ours.Get(s.Name)
		if spec.Ours(s.Name) || there && sameSetting(is.Value, s.Value) {
			continue
		}
		if p := replacedFile(s.Value); p != "" {
			errs = append(errs, at(s.Place, "%s names %s, which mailsetup will write anew: give it a file of its own", s.Name, p))
			continue
		}
		line, err := spec.OpenDKIMLine(strings.Join(strings.Fields(s.Name+" "+s.Value), " "))
		if err != nil {
			errs = append(errs, at(s.Place, "%s: %v", s.Name, err))
		}
		lines = append(lines, line)
	}
	for _, name := range decisive {
		if _, there := c.Get(name); !there {
			lines = append(lines, name)
		}
	}
	return lines, errors.Join(errs...)
}

// sameSetting compares values, and the daemon's words for yes and no.
func sameSetting(a, b string) bool {
	truth := func(s string) string {
		switch strings.ToLower(s) {
		case "yes", "true", "1":
			return "yes"
		case "no", "false", "0":
			return "no"
		}
		return s
	}
	return truth(a) == truth(b)
}

func replacedFile(value string) state.Path {
	for _, p := range Replaced() {
		if slices.ContainsFunc(strings.FieldsFunc(value, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }),
			func(w string) bool { return w == string(p) }) {
			return p
		}
	}
	return ""
}

// Replaced are the files of a set-up by hand that ours take the place of.
func Replaced() []state.Path { return []state.Path{Conf, KeyTable, SigningTable, TrustedHosts} }

// keptHosts are the hosts that are trusted for another reason than ours.
func keptHosts(hosts []conf.Host, f state.Facts) ([]string, error) {
	known := trusted(Input{Facts: f})
	var kept []string
	var errs []error
	places := map[string]conf.Place{}
	for _, h := range hosts {
		name, err := spec.Trusted(h.Name)
		if err != nil {
			errs = append(errs, at(h.Place, "%v", err))
		}
		if err == nil && name != "localhost" && !covered(name, known) && !slices.Contains(kept, name) {
			kept, places[name] = append(kept, name), h.Place
		}
	}
	for _, bad := range spec.Strangers(kept) {
		errs = append(errs, &conf.Error{
			Place: places[bad], What: fmt.Sprintf("%s lets mail from anywhere be signed that says it is yours", bad),
			Hint: "name the networks of your own senders there instead",
		})
	}
	return kept, errors.Join(errs...)
}

// covered reports whether a host is among networks.
func covered(host string, nets []netip.Prefix) bool {
	p, err := netip.ParsePrefix(host)
	if a, single := netip.ParseAddr(host); single == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	return err == nil && slices.ContainsFunc(nets, func(n netip.Prefix) bool {
		return n.Bits() <= p.Bits() && n.Contains(p.Addr())
	})
}

// leftOut tells what is not taken over, since it means nothing or does harm.
func leftOut(s conf.Setup) []state.Note {
	var notes []state.Note
	for i, l := range s.Left {
		if i == 10 {
			notes = append(notes, state.Note{Topic: "left out", Passing: true, Text: fmt.Sprintf("%d more rows that mean nothing", len(s.Left)-i)})
			break
		}
		notes = append(notes, state.Note{Topic: "left out", Passing: true, Text: l.Place.String() + ": " + l.Why})
	}
	if r, ok := s.Conf.Get("ResolverConfiguration"); ok {
		notes = append(notes, state.Note{
			Topic: "left out", Passing: true,
			Text: r.Place.String() + ": ResolverConfiguration " + r.Value + ", with which OpenDKIM dies of reloads; it is for verifying only",
		})
	}
	return notes
}

// Rows says in words whose mail a domain's key signs.
func Rows(d spec.Domain) string {
	all := d.Senders()
	for i, sender := range all {
		if !strings.Contains(sender, "@") && sender != "*" {
			all[i] = "@" + sender
		}
	}
	return some(all, 5)
}
