package restrictions_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/restrictions"
)

// client is who talks to port 25, and whom a message is for.
type client struct{ network, login, foreign bool }

// door evaluates restriction lists as smtpd_check.c does, word by word, and knows nothing of
// the package: the texts of both files, a seed for what tables and lists say, and what our
// policy service answers.
type door struct {
	main, options map[string]string
	seed          int
	answer        string
}

func newDoor(main, master, relay string, seed int, answer string) door {
	d := door{map[string]string{"smtpd_relay_restrictions": relay}, map[string]string{}, seed, answer}
	name := ""
	for line := range strings.SplitSeq(main, "\n") {
		switch {
		case line == "" || strings.HasPrefix(strings.TrimSpace(line), "#"):
		case line[0] == ' ' || line[0] == '\t':
			d.main[name] += " " + line
		default:
			var value string
			name, value, _ = strings.Cut(line, " =")
			d.main[name] = value
		}
	}
	// The generated service has its one option in braces, or without blanks.
	for word := range strings.SplitSeq(strings.ReplaceAll(master, "\n", " "), " -o ") {
		word = strings.Trim(word, " {}")
		if name, value, found := strings.Cut(word, "="); found {
			d.options[strings.TrimSpace(name)] = value
		}
	}
	return d
}

func (d door) words(name string) []string {
	value, own := d.options[name]
	if !own {
		value = d.main[name]
	}
	return strings.Fields(strings.ReplaceAll(value, ",", " "))
}

// run returns permit, reject or "" for the end of a list.
func (d door) run(words []string, c client) string {
	for i := 0; i < len(words); i++ {
		w := words[i]
		warn := w == "warn_if_reject"
		if warn {
			i++
			w = words[i]
		}
		verdict := ""
		switch {
		case strings.HasPrefix(w, "$"):
			verdict = d.run(d.words(w[1:]), c)
		case w == "first" || w == "second":
			verdict = d.run(d.words(w), c)
		case w == "permit", w == "permit_mynetworks" && c.network, w == "permit_sasl_authenticated" && c.login, w == "permit_auth_destination" && !c.foreign:
			verdict = "permit"
		case w == "reject", w == "defer", (w == "reject_unauth_destination" || w == "defer_unauth_destination") && c.foreign:
			verdict = "reject"
		case w == "check_policy_service" && words[i+1] == "unix:private/policyd-spf":
			i++
			verdict = d.answer
		case strings.HasPrefix(w, "check_") || strings.HasSuffix(w, "_client"):
			i++
			verdict = []string{"", "permit", "reject", ""}[d.draw(w+words[i])]
			if strings.HasPrefix(w, "reject_") && verdict == "permit" || strings.HasPrefix(w, "permit_") && verdict == "reject" {
				verdict = ""
			}
		case w == "reject_non_fqdn_recipient":
			verdict = []string{"", "", "", "reject"}[d.draw(w)]
		}
		if warn && verdict == "reject" {
			verdict = ""
		}
		if verdict != "" {
			return verdict
		}
	}
	return ""
}

// draw is what a table says in this world; in world 0 no table says anything.
func (d door) draw(what string) int {
	if d.seed == 0 {
		return 0
	}
	h := fnv.New32()
	fmt.Fprint(h, d.seed, what)
	return int(h.Sum32()>>3) % 4
}

// takes reports whether mail is taken: no list may refuse it.
func (d door) takes(c client) bool {
	for _, list := range []string{"smtpd_client_restrictions", "smtpd_relay_restrictions", "smtpd_recipient_restrictions"} {
		if d.run(d.words(list), c) == "reject" {
			return false
		}
	}
	return true
}

// random writes lists as people do, and worse.
type random struct{ *rand.Rand }

func (r random) list(n int, extra ...string) []string {
	vocabulary := append([]string{
		"permit_mynetworks", "permit_mynetworks", "permit_sasl_authenticated", "permit_sasl_authenticated",
		"reject_unauth_destination", "reject_unauth_destination", "defer_unauth_destination", "permit_auth_destination",
		"permit", "reject", "reject_non_fqdn_recipient", "reject_rbl_client one.example", "permit_dnswl_client two.example",
		"check_client_access hash:/a", "check_sender_access hash:/b", "check_recipient_access hash:/c", "check_policy_service inet:127.0.0.1:10023",
		"warn_if_reject reject_unauth_destination", "warn_if_reject reject_rbl_client three.example", "$own",
	}, extra...)
	var all []string
	if r.IntN(2) == 0 {
		all = append(all, "permit_mynetworks", "permit_sasl_authenticated")
	}
	for range r.IntN(n) {
		all = append(all, vocabulary[r.IntN(len(vocabulary))])
	}
	return all
}

// text writes a list: on one line or several, with commas, blanks and comments.
func (r random) text(name string, list []string) string {
	between := []string{", ", " ", ",\n    ", "\n\t", ",\n  # why\n  ", " ,\n\n    "}[r.IntN(6)]
	start := []string{" ", "\n    "}[r.IntN(2)]
	if len(list) == 0 {
		start = " "
	}
	end := ""
	if r.IntN(4) == 0 && len(list) > 0 {
		end = ","
	}
	return name + " =" + start + strings.Join(list, between) + end + "\n"
}

// Wherever the guards of a server stand, the check lets nobody relay who could not before,
// refuses nobody that the server trusts, and changes nothing while it has no objection. It is
// asked about a stranger's mail that is taken. Taken out again, it leaves the bytes.
func TestNoCheckOpensARelay(t *testing.T) {
	placed, effective := 0, 0
	for seed := range uint64(800) {
		r := random{rand.New(rand.NewPCG(seed, 15))}
		main := "# of somebody\nsmtpd_restriction_classes = first, second\n" + r.text("own", slices.DeleteFunc(r.list(3), func(w string) bool { return w == "$own" })) +
			r.text("first", r.list(4)) + r.text("second", r.list(4, "first"))
		relay := ""
		switch r.IntN(4) {
		case 0:
			relay = relayDefault
		case 1:
			main += "smtpd_relay_restrictions =\n"
		default:
			main += r.text("smtpd_relay_restrictions", r.list(5, "first", "second"))
		}
		if r.IntN(3) > 0 {
			main += r.text("smtpd_recipient_restrictions", r.list(7, "first", "second"))
		}
		master := plainMaster
		if r.IntN(4) == 0 {
			name := []string{"smtpd_relay_restrictions", "smtpd_recipient_restrictions"}[r.IntN(2)]
			master = "smtp inet n - y - - smtpd\n  -o " + name + "=" + strings.ReplaceAll(strings.Join(r.list(5), ","), " ", ",") + "\n"
			if r.IntN(2) == 0 {
				master = "smtp inet n - y - - smtpd\n  -o { " + name + " = " + strings.Join(r.list(5), ", ") + " }\n"
			}
		}
		main += "myhostname = mail\n"
		config, err := restrictions.Read(server(t, master, relay), main, check)
		if err != nil {
			t.Fatal(err)
		}
		places, err := config.Places()
		if err != nil {
			continue // nothing is changed
		}
		placed++
		if len(places) != 1 {
			t.Fatalf("seed %d: %v", seed, places)
		}
		newMain, newMaster, err := put(main, master, places)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s%s", seed, err, main, master)
		}
		for _, answer := range []string{"", "permit", "reject"} {
			for world := range 8 {
				was, is := newDoor(main, master, relay, world, ""), newDoor(newMain, newMaster, relay, world, answer)
				for bits := range 8 {
					c := client{bits&1 > 0, bits&2 > 0, bits&4 > 0}
					before := was.takes(c)
					after := is.takes(c)
					trusted := c.network || c.login
					switch {
					case before == after:
					case !c.foreign && !trusted && answer == "reject" && before:
						effective++
					case !c.foreign && !trusted && answer == "permit" && after: // what is behind it is not asked
					default:
						t.Fatalf("seed %d, world %d, answer %q, %+v: taken before %v, now %v\n%s%s\nbecame\n%s%s",
							seed, world, answer, c, before, after, main, master, newMain, newMaster)
					}
				}
			}
		}
		stranger := client{}
		if newDoor(main, master, relay, 0, "").takes(stranger) && newDoor(newMain, newMaster, relay, 0, "reject").takes(stranger) {
			t.Fatalf("seed %d: nothing asks the check\n%s%s\nbecame\n%s%s", seed, main, master, newMain, newMaster)
		}
		if a, b, err := back(newMain, newMaster, places); err != nil || a != main || b != master {
			t.Fatalf("seed %d: %v\n%s%s\nbecame\n%s%s\nand\n%s%s", seed, err, main, master, newMain, newMaster, a, b)
		}
	}
	if placed < 200 || effective < 1000 {
		t.Errorf("%d of the lists have a place, and %d messages were refused: the property is hardly tested", placed, effective)
	}
}
