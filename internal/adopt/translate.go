package adopt

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/signer"
)

// Translation is a set-up made by hand in terms of the spec. The tables that mailsetup
// generates from it produce the same signatures.
type Translation struct {
	// Domains have their names, selectors and senders. The rest follows from the zone
	// and the records that are there.
	Domains  []spec.Domain
	Signers  []opendkim.Signer // of the domains, in their order
	Trusted  []string          // hosts that are signed for
	OpenDKIM []string          // lines of opendkim.conf that are kept
	Notes    []state.Note
}

// Translate translates a set-up, or returns an *opendkim.Error for each line that the
// spec cannot express.
func Translate(s opendkim.Setup, f state.Facts, now time.Time) (Translation, error) {
	if err := checkArguments(f.OpenDKIM); err != nil {
		return Translation{}, err
	}
	signers, err := s.Signers()
	if err != nil {
		return Translation{}, err
	}
	t := Translation{Signers: signers, Notes: ignoredNotes(s)}
	var errs []error
	for _, signer := range signers {
		d, err := translateDomain(signer, now)
		t.Domains, errs = append(t.Domains, d), append(errs, err)
	}
	t.OpenDKIM, err = keptLines(s, f)
	errs = append(errs, err)
	t.Trusted, err = keptHosts(s.Internal, f)
	return t, errors.Join(append(errs, err)...)
}

// checkArguments refuses an OpenDKIM whose command line decides what is signed.
func checkArguments(o *state.OpenDKIM) error {
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
			return hint.NewUsage(fmt.Sprintf("write what it says into %s and see that opendkim -n takes it; then take it out of the unit, systemctl daemon-reload, and restart opendkim.service", signer.ConfFile),
				"OpenDKIM is started with %s, which counts for more than its configuration", text.Printable(a))
		}
	}
	return nil
}

// translateDomain turns the rows of a signing domain into senders.
func translateDomain(s opendkim.Signer, now time.Time) (spec.Domain, error) {
	d := spec.Domain{Name: s.Domain, Partial: true}
	name, err := syntax.DomainName(s.Domain)
	if err != nil || name != s.Domain {
		return d, at(s.KeyAt, "the domain %q in d= is none that mail can have: %v", s.Domain, err)
	}
	if d.Selector, err = syntax.Selector(s.Selector); err != nil {
		d.Selector = spec.DefaultSelector(now) // of the next key, if ever
	}
	var errs []error
	for _, r := range s.Rows {
		sender, err := syntax.Sender(r.Pattern)
		if err != nil {
			errs = append(errs, at(r.Place, "%s: %v", r.Text, err))
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
		id, err := syntax.Identity(sender + " " + r.Identity)
		if err != nil {
			err = at(r.Place, "%v", err)
		}
		d.Identities, errs = append(d.Identities, id), append(errs, err)
	}
	return d, errors.Join(errs...)
}

func at(p opendkim.Place, format string, a ...any) error {
	return &opendkim.Error{Place: p, What: fmt.Sprintf(format, a...), Hint: "take it out of the set-up, or correct it, and run this again"}
}

// signingSettings are settings of mailsetup's opendkim.conf that change signatures or
// verification if the file made by hand does not have them.
var signingSettings = []string{"Canonicalization", "OversignHeaders", "TrustAnchorFile"}

// keptLines returns the settings that differ from those of mailsetup. What an idle
// set-up does not mention of signatures is for mailsetup to say.
func keptLines(setup opendkim.Setup, f state.Facts) ([]string, error) {
	c := setup.Conf
	written, err := signer.DefaultConf(f)
	if err != nil {
		return nil, err
	}
	ours, err := opendkim.ParseConf(string(signer.ConfFile), func(string) ([]byte, error) { return written, nil })
	if err != nil {
		return nil, err
	}
	var lines []string
	var errs []error
	for _, s := range c.Effective() {
		is, there := ours.Get(s.Name)
		verifies := setup.Idle != "" && strings.EqualFold(s.Name, "Mode") && !strings.Contains(s.Value, "s")
		if verifies || syntax.IsReserved(s.Name) || there && sameSetting(is.Value, s.Value) {
			continue
		}
		if p := replacedFile(s.Value); p != "" {
			errs = append(errs, at(s.Place, "%s names %s, which mailsetup will write anew: give it a file of its own", s.Name, p))
			continue
		}
		line, err := syntax.OpenDKIMLine(strings.Join(strings.Fields(s.Name+" "+s.Value), " "))
		if err != nil {
			errs = append(errs, at(s.Place, "%s: %v", s.Name, err))
		}
		lines = append(lines, line)
	}
	for _, name := range signingSettings {
		if _, there := c.Get(name); !there && (setup.Idle == "" || name == "TrustAnchorFile") {
			lines = append(lines, name)
		}
	}
	return lines, errors.Join(errs...)
}

// sameSetting compares values of a setting; OpenDKIM accepts several words for yes and
// no.
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
	for _, p := range replaced() {
		if slices.ContainsFunc(strings.FieldsFunc(value, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }),
			func(w string) bool { return w == string(p) }) {
			return p
		}
	}
	return ""
}

// replaced returns the files of a set-up that mailsetup overwrites.
func replaced() []state.Path {
	return []state.Path{signer.ConfFile, signer.KeyTable, signer.SigningTable, signer.TrustedHosts}
}

// keptHosts returns the trusted hosts that mailsetup would not trust otherwise.
func keptHosts(hosts []opendkim.Host, f state.Facts) ([]string, error) {
	known, out := signer.TrustedNetworks(f), []netip.Prefix{}
	if f.Postfix != nil {
		out = f.Postfix.ExcludedNetworks
	}
	var kept []string
	var errs []error
	places := map[string]opendkim.Place{}
	for _, h := range hosts {
		name, err := syntax.Trusted(h.Name)
		if err != nil {
			errs = append(errs, at(h.Place, "%v", err))
		}
		if err == nil && name != "localhost" && (!covered(name, known) || covered(name, out)) && !slices.Contains(kept, name) {
			kept, places[name] = append(kept, name), h.Place
		}
	}
	for _, bad := range opendkim.OpenNetworks(kept) {
		errs = append(errs, &opendkim.Error{
			Place: places[bad], What: fmt.Sprintf("%s lets mail from anywhere be signed that says it is yours", bad),
			Hint: "name the networks of your own senders there instead",
		})
	}
	return kept, errors.Join(errs...)
}

// covered reports whether a host is in one of the networks.
func covered(host string, nets []netip.Prefix) bool {
	p, err := netip.ParsePrefix(host)
	if a, single := netip.ParseAddr(host); single == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	return err == nil && slices.ContainsFunc(nets, func(n netip.Prefix) bool {
		return n.Bits() <= p.Bits() && n.Contains(p.Addr())
	})
}

// ignoredNotes returns notes about rows and settings that are not taken over, since
// they have no effect or do harm.
func ignoredNotes(s opendkim.Setup) []state.Note {
	var notes []state.Note
	for i, l := range s.Ignored {
		if i == 10 {
			notes = append(notes, state.Note{Topic: "left out", Informational: true, Text: fmt.Sprintf("%d more rows that mean nothing", len(s.Ignored)-i)})
			break
		}
		notes = append(notes, state.Note{Topic: "left out", Informational: true, Text: l.Place.String() + ": " + l.Why})
	}
	if r, ok := s.Conf.Get("ResolverConfiguration"); ok {
		notes = append(notes, state.Note{
			Topic: "left out", Informational: true,
			Text: r.Place.String() + ": ResolverConfiguration " + r.Value + ", with which OpenDKIM dies of reloads; it is for verifying only",
		})
	}
	return notes
}
