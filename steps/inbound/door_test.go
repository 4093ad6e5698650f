package inbound_test

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/edits"
	policy "mailsetup/internal/inbound"
	"mailsetup/internal/mastercf"
	"mailsetup/internal/state"
	"mailsetup/steps/inbound"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

const (
	mainCF    state.Path = "/etc/postfix/main.cf"
	masterCF  state.Path = "/etc/postfix/master.cf"
	policydCF state.Path = "/etc/postfix-policyd-spf-python/policyd-spf.conf"

	debianMain = "compatibility_level = 3.6\n" +
		"smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination\nmyhostname = mail.lab.example\n"
	debianMaster = "smtp      inet  n       -       y       -       -       smtpd\npickup    unix  n       -       y       60      1       pickup\n"
	debianPolicy = "#  For a fully commented sample config file see policyd-spf.conf.commented\n\ndebugLevel = 1 \nTestOnly = 1\n\n" +
		"HELO_reject = Fail\nMail_From_reject = Fail\n\nPermError_reject = False\nTempError_Defer = False\n\n" +
		"skip_addresses = 127.0.0.0/8,::ffff:127.0.0.0/104,::1\n\n"

	service = "# mailsetup: SPF\npolicyd-spf unix - n n - 0 spawn\n  user=policyd-spf argv=/usr/bin/policyd-spf\n# mailsetup: end of SPF\n"
	limit   = "# mailsetup: SPF\npolicyd-spf_time_limit = 3600\n# mailsetup: end of SPF\n"
)

// machine has these files.
func machine(t *testing.T, main, master, conf string) step.Input {
	t.Helper()
	in := steptest.Installed()
	in.Facts.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}
	in.Facts.SMTPAddress = "127.0.0.1:25"
	in.Facts.Postfix.Value["mynetworks"] = "127.0.0.0/8"
	in.Facts.Files = map[state.Path][]byte{mainCF: []byte(main), masterCF: []byte(master), policydCF: []byte(conf)}
	reread(t, &in)
	return in
}

// reread reads the files as a further run does.
func reread(t *testing.T, in *step.Input) {
	t.Helper()
	services, err := mastercf.Parse(string(in.Facts.Files[masterCF]))
	if err != nil {
		t.Fatal(err)
	}
	in.Facts.Postfix.Services = services
	name := ""
	in.Facts.Postfix.Raw = map[string]string{}
	for line := range strings.Lines(string(in.Facts.Files[mainCF])) {
		key, value, found := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
		case line[0] == ' ', !found:
			in.Facts.Postfix.Raw[name] += " " + strings.TrimSpace(line)
		default:
			name = strings.TrimSpace(key)
			in.Facts.Postfix.Raw[name] = strings.TrimSpace(value)
		}
	}
	maps.Copy(in.Facts.Postfix.Value, in.Facts.Postfix.Raw)
}

// stages are in the order of a run.
var stages = []func(step.Input) (state.Stage, []state.Note, error){inbound.SPFService, inbound.Door, inbound.Retire}

// run carries the stages out and returns what they say.
func run(t *testing.T, in *step.Input) (notes []state.Note, questions []state.Question, changed bool) {
	t.Helper()
	for _, build := range stages {
		stage, told, err := build(*in)
		if err != nil {
			t.Fatal(err)
		}
		notes, questions = append(notes, told...), append(questions, stage.Questions...)
		for _, f := range stage.Files {
			changed = changed || string(in.Facts.Files[f.Path]) != string(f.Content)
			in.Facts.Files[f.Path] = f.Content
		}
		for _, e := range stage.Edits {
			out, handled, err := edits.Evaluate(e, in.Facts.Files[e.Target()])
			if err != nil || !handled {
				t.Fatalf("%+v: %v", e, err)
			}
			changed = changed || string(out) != string(in.Facts.Files[e.Target()])
			in.Facts.Files[e.Target()] = out
		}
		for _, p := range stage.Remove {
			changed = true
			delete(in.Facts.Files, p)
		}
	}
	reread(t, in)
	return notes, questions, changed
}

// stamps are the hashes of our lines.
var stamps = regexp.MustCompile(`(?m)^(# mailsetup: end of .*) [0-9a-f]{8}$`)

func block(lines ...string) string {
	return "# mailsetup: incoming mail\n" + strings.Join(lines, "\n") + "\n# mailsetup: end of incoming mail\n"
}

const spfClass = "mailsetup_inbound =\n    check_policy_service unix:private/policyd-spf"

// Each option on and off again leaves the bytes, and a second run has nothing to do.
func TestDoor(t *testing.T) {
	marked := debianPolicy + "# mailsetup: SPF\nHELO_reject = False\nMail_From_reject = False\n" +
		"skip_addresses = 127.0.0.0/8,::ffff:127.0.0.0/104,::1,192.0.2.10,2001:db8::10\n# mailsetup: end of SPF\n"
	refused := strings.Replace(marked, "HELO_reject = False\nMail_From_reject = False\n", "", 1)
	guarded := strings.Replace(debianMain, "defer_unauth_destination", "defer_unauth_destination mailsetup_inbound", 1)
	for name, c := range map[string]struct {
		policy                       policy.Policy
		main, master, conf           string
		wantMain, wantMaster, wantCF string
		files                        map[state.Path]string
		notes                        string
	}{
		"marked": {
			policy: policy.Policy{SPF: policy.Mark}, main: debianMain, master: debianMaster, conf: debianPolicy,
			wantMain: guarded + limit + block("smtpd_restriction_classes = mailsetup_inbound", spfClass), wantMaster: debianMaster + service, wantCF: marked,
		},
		"refused": {
			policy: policy.Policy{SPF: policy.Reject}, main: debianMain, master: debianMaster, conf: debianPolicy,
			wantMain: guarded + limit + block("smtpd_restriction_classes = mailsetup_inbound", spfClass), wantMaster: debianMaster + service, wantCF: refused,
		},
		"no final newline": {
			policy: policy.Policy{SPF: policy.Mark}, main: strings.TrimSuffix(debianMain, "\n"), master: strings.TrimSuffix(debianMaster, "\n"), conf: debianPolicy,
			wantMain:   strings.TrimSuffix(guarded+limit+block("smtpd_restriction_classes = mailsetup_inbound", spfClass), "\n"),
			wantMaster: strings.TrimSuffix(debianMaster+service, "\n"), wantCF: marked,
		},
		"block lists alone": {
			policy: policy.Policy{DNSBL: []string{"bl.example=127.0.0.[2..11]", "dnsbl.example=127.0.0.2"}}, main: debianMain, master: debianMaster, conf: debianPolicy,
			wantMain: guarded + block("smtpd_restriction_classes = mailsetup_inbound", "mailsetup_inbound =\n    reject_rbl_client bl.example=127.0.0.[2..11],\n"+
				"    reject_rbl_client dnsbl.example=127.0.0.2"), wantMaster: debianMaster, wantCF: debianPolicy,
		},
		"a block list with its price, and one with a key": {
			policy: policy.Policy{DNSBL: []string{"bl.spamcop.net=127.0.0.2", "secretkey123.zen.dq.spamhaus.net=127.0.0.[2..11]"}}, main: debianMain, master: debianMaster, conf: debianPolicy,
			wantMain: guarded + block("smtpd_restriction_classes = mailsetup_inbound", "mailsetup_inbound =\n    reject_rbl_client bl.spamcop.net=127.0.0.2,\n"+
				"    reject_rbl_client secretkey123.zen.dq.spamhaus.net=127.0.0.[2..11]\n"+
				`rbl_reply_maps = regexp:{ { /^secretkey123\.zen\.dq\.spamhaus\.net/ $$$$rbl_code Service unavailable; $$$$rbl_class [$$$$rbl_what] blocked using zen.dq.spamhaus.net } }`),
			wantMaster: debianMaster, wantCF: debianPolicy,
			notes: "[dnsbl: bl.spamcop.net is free; by reports of users, so big providers are listed for hours now and then, and their mail is refused " +
				"dnsbl: zen.dq.spamhaus.net is asked with a key, by any resolver; the key stands in the configuration of the mail server, which everybody here can read]",
		},
		"who passes": {
			policy: policy.Policy{SPF: policy.Reject, Allow: []string{
				"198.51.100.7", "203.0.113.0/24", "mx.example.org", ".lists.example.org", "@example.net", "b+c@example.com",
			}},
			main: debianMain, master: debianMaster, conf: debianPolicy,
			wantMain: guarded + limit + block("smtpd_restriction_classes = mailsetup_inbound", "mailsetup_inbound =\n"+
				"    check_client_access cidr:/etc/postfix/mailsetup-networks.cidr,\n    check_client_access regexp:/etc/postfix/mailsetup-hosts.regexp,\n"+
				"    check_sender_access regexp:/etc/postfix/mailsetup-senders.regexp,\n    check_policy_service unix:private/policyd-spf"),
			wantMaster: debianMaster + service,
			wantCF:     strings.Replace(refused, "2001:db8::10\n", "2001:db8::10\nWhitelist = 198.51.100.7,203.0.113.0/24\n", 1),
			files: map[state.Path]string{
				"/etc/postfix/mailsetup-networks.cidr":  "198.51.100.7/32 OK\n203.0.113.0/24 OK\n",
				"/etc/postfix/mailsetup-hosts.regexp":   "/^mx\\.example\\.org$/ OK\n/\\.lists\\.example\\.org$/ OK\n",
				"/etc/postfix/mailsetup-senders.regexp": "/@example\\.net$/ OK\n/^b\\+c@example\\.com$/ OK\n",
			},
		},
		"classes of the administrator's, and lists of a service": {
			policy:     policy.Policy{SPF: policy.Mark},
			main:       "smtpd_restriction_classes = strict,\n  lax\nstrict = reject_non_fqdn_sender\nlax = permit\n" + debianMain,
			master:     "smtp inet n - y - - smtpd\n  -o smtpd_recipient_restrictions=permit_mynetworks,reject_unauth_destination,permit\n",
			conf:       debianPolicy,
			wantMain:   "smtpd_restriction_classes = strict,\n  lax\n  mailsetup_inbound\nstrict = reject_non_fqdn_sender\nlax = permit\n" + debianMain + limit + block(spfClass),
			wantMaster: "smtp inet n - y - - smtpd\n  -o smtpd_recipient_restrictions=permit_mynetworks,reject_unauth_destination,mailsetup_inbound,permit\n" + service,
			wantCF:     marked,
		},
		"no list in main.cf": {
			policy: policy.Policy{SPF: policy.Mark}, main: "myhostname = mail\n", master: debianMaster, conf: debianPolicy,
			wantMain: "myhostname = mail\n" + limit + block("smtpd_restriction_classes = mailsetup_inbound", spfClass,
				"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination, mailsetup_inbound"),
			wantMaster: debianMaster + service, wantCF: marked,
		},
		"policyd-spf by hand": {
			policy: policy.Policy{SPF: policy.Reject}, conf: debianPolicy,
			main:       strings.Replace(debianMain, "defer_unauth_destination", "reject_unauth_destination, check_policy_service unix:private/spfcheck", 1),
			master:     debianMaster + "spfcheck unix - n n - - spawn user=nobody\n  argv=/usr/bin/policyd-spf\n",
			wantMain:   strings.Replace(debianMain, "defer_unauth_destination", "reject_unauth_destination, check_policy_service unix:private/spfcheck", 1),
			wantMaster: debianMaster + "spfcheck unix - n n - - spawn user=nobody\n  argv=/usr/bin/policyd-spf\n", wantCF: refused,
			notes: "[spf: /etc/postfix/main.cf:2: smtpd_relay_restrictions asks policyd-spf already and stays as it is]",
		},
		"policyd-spf by hand, and who passes": {
			policy: policy.Policy{SPF: policy.Reject, Allow: []string{"ann@example.org"}}, conf: debianPolicy,
			main:       strings.Replace(debianMain, "defer_unauth_destination", "reject_unauth_destination, check_policy_service unix:private/policyd-spf", 1),
			master:     debianMaster + "policyd-spf unix - n n - - spawn user=nobody\n  argv=/usr/bin/policyd-spf\n",
			wantMaster: debianMaster + "policyd-spf unix - n n - - spawn user=nobody\n  argv=/usr/bin/policyd-spf\n", wantCF: refused,
			wantMain: strings.Replace(debianMain, "defer_unauth_destination", "reject_unauth_destination, mailsetup_inbound, check_policy_service unix:private/policyd-spf", 1) +
				block("smtpd_restriction_classes = mailsetup_inbound", "mailsetup_inbound =\n    check_sender_access regexp:/etc/postfix/mailsetup-senders.regexp"),
			files: map[state.Path]string{"/etc/postfix/mailsetup-senders.regexp": "/^ann@example\\.org$/ OK\n"},
			notes: "[spf: /etc/postfix/main.cf:2: smtpd_relay_restrictions asks policyd-spf already and stays as it is " +
				"allow: who is let past passes at mailsetup_inbound: what you have in front of it, or in another list, still judges them (/etc/postfix/main.cf:2: smtpd_relay_restrictions)]",
		},
		"a block list of the administrator's": {
			policy: policy.Policy{DNSBL: []string{"bl.example=127.0.0.[2..11]"}}, master: debianMaster, conf: debianPolicy,
			main:     debianMain + "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client BL.example\n",
			wantMain: debianMain + "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client BL.example\n", wantMaster: debianMaster, wantCF: debianPolicy,
			notes: "[dnsbl: /etc/postfix/main.cf:4: smtpd_client_restrictions asks bl.example=127.0.0.[2..11] already and stays as it is]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := machine(t, c.main, c.master, c.conf)
			if !strings.Contains(c.main, "smtpd_relay") {
				in.Facts.Postfix.Value["smtpd_relay_restrictions"] = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"
			}
			in.Spec.Host.Inbound = c.policy
			notes, questions, _ := run(t, &in)
			compare := func(when string, want map[state.Path]string) {
				t.Helper()
				for _, p := range slices.Sorted(maps.Keys(want)) {
					if got := stamps.ReplaceAllString(string(in.Facts.Files[p]), "$1"); got != want[p] {
						t.Errorf("%s: %s\ngot\n%s\nwant\n%s", when, p, got, want[p])
					}
				}
				if len(in.Facts.Files) != len(want) {
					t.Errorf("%s: files %v", when, slices.Sorted(maps.Keys(in.Facts.Files)))
				}
			}
			want := map[state.Path]string{mainCF: c.wantMain, masterCF: c.wantMaster, policydCF: c.wantCF}
			for p, rows := range c.files {
				want[p] = "# Written by mailsetup: allow in /etc/mailsetup/host.toml\n" + rows
			}
			compare("on", want)
			var told []string
			for _, n := range notes {
				told = append(told, n.Topic+": "+n.Text)
			}
			if got := fmt.Sprint(told); len(questions) > 0 || c.notes == "" && got != "[]" || c.notes != "" && got != c.notes {
				t.Errorf("says %s, asks %v", got, questions)
			}
			if _, _, changed := run(t, &in); changed {
				t.Errorf("a second run changes something:\n%s", in.Facts.Files[mainCF])
			}
			in.Spec.Host.Inbound = policy.Policy{}
			run(t, &in)
			compare("off", map[state.Path]string{mainCF: c.main, masterCF: c.master, policydCF: c.conf})
		})
	}
}

// The service answers before Postfix asks it, and the door is asked by RCPT.
func TestProbes(t *testing.T) {
	in := machine(t, debianMain, debianMaster, debianPolicy)
	in.Spec.Host.Inbound = policy.Policy{SPF: policy.Mark}
	for i, want := range []string{
		"[postfix smtp 127.0.0.1:25 policy /var/spool/postfix/private/policyd-spf]", "[postfix smtp 127.0.0.1:25 door 127.0.0.1:25 postmaster@mail.lab.example]", "[]",
	} {
		stage, _, err := stages[i](in)
		var got []string
		for _, u := range stage.Units {
			for _, p := range u.Probes {
				got = append(got, strings.TrimSpace(strings.Join(append([]string{string(p.Kind), p.Address}, p.Recipients...), " ")))
			}
		}
		if fmt.Sprint(got) != want || err != nil {
			t.Errorf("%d: %v, %v; want %s", i, got, err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ main, master, conf, want string }{
		"a value that means nothing": {
			debianMain, debianMaster, "TestOnly = 1\nMail_From_reject = fail\n",
			`/etc/postfix-policyd-spf-python/policyd-spf.conf:2: Mail_From_reject: "fail" means nothing: the case counts, it is Fail`,
		},
		"policyd-spf-perl": {
			debianMain, debianMaster + "policy unix - n n - 0 spawn user=nobody argv=/usr/sbin/policyd-spf-perl\n", debianPolicy,
			"/etc/postfix/master.cf:3: service policy/unix: policyd-spf-perl checks SPF already",
		},
		"another program of that name": {
			debianMain, debianMaster + "policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/local/bin/check\n", debianPolicy,
			"/etc/postfix/master.cf:3: service policyd-spf/unix: runs something else than policyd-spf",
		},
		"a configuration elsewhere": {
			debianMain, debianMaster + "policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf /etc/spf.conf\n", debianPolicy,
			"/etc/postfix/master.cf:3: service policyd-spf/unix: has a configuration of its own, /etc/spf.conf",
		},
		"a list that is not understood": {
			"smtpd_relay_restrictions =\n  permit_mynetworks,\n  $guard\n", debianMaster, debianPolicy,
			"/etc/postfix/main.cf:1: smtpd_relay_restrictions: guard is not set",
		},
		"nothing listens": {
			debianMain, "pickup unix n - y 60 1 pickup\n", debianPolicy, "/etc/postfix/master.cf: no smtpd listens on port 25 for others, so no mail comes in",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := machine(t, c.main, c.master, c.conf)
			in.Spec.Host.Inbound = policy.Policy{SPF: policy.Mark}
			var got error
			for _, build := range stages[:2] {
				if _, _, err := build(in); got == nil {
					got = err
				}
			}
			refusal, ok := got.(*step.Refusal)
			if !ok || got.Error() != c.want || len(refusal.Hints()) == 0 {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

// What the administrator decided of SPF is asked about, and nothing else.
func TestConsent(t *testing.T) {
	in := machine(t, debianMain, debianMaster, strings.Replace(debianPolicy, "Mail_From_reject = Fail", "Mail_From_reject = Softfail", 1))
	in.Spec.Host.Inbound = policy.Policy{SPF: policy.Mark}
	stage, _, err := inbound.SPFService(in)
	if err != nil || len(stage.Questions) != 1 {
		t.Fatalf("%v, %v", stage.Questions, err)
	}
	if q := stage.Questions[0]; q.Kind != state.AskChecks || q.Line != 7 || q.Before != "Mail_From_reject = Softfail" || q.After != "Mail_From_reject = False" {
		t.Errorf("%+v", q)
	}
	in.Consents = map[string]bool{stage.Questions[0].ID: true}
	if stage, _, _ = inbound.SPFService(in); len(stage.Questions) > 0 {
		t.Errorf("asked again: %+v", stage.Questions)
	}
}

// What somebody wrote into our lines is not overwritten, nor taken out.
func TestEditedByHand(t *testing.T) {
	in := machine(t, debianMain, debianMaster, debianPolicy)
	in.Spec.Host.Inbound = policy.Policy{SPF: policy.Mark}
	run(t, &in)
	main := strings.Replace(string(in.Facts.Files[mainCF]), "    check_policy_service", "    reject_unknown_sender_domain,\n    check_policy_service", 1)
	for _, p := range []policy.Policy{{SPF: policy.Mark}, {}} {
		in.Spec.Host.Inbound = p
		stage, _, err := inbound.Door(in)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = edits.Evaluate(stage.Edits[len(stage.Edits)-1], []byte(main))
		if err == nil || err.Error() != "/etc/postfix/main.cf:7: lines of mailsetup (incoming mail) were edited by hand" {
			t.Errorf("%v: %v", p, err)
		}
	}
}

// Without a Postfix the lists are those of Debian's main.cf.
func TestBare(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Inbound = policy.Policy{SPF: policy.Mark}
	var got []string
	for _, build := range stages {
		stage, _, err := build(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range stage.Edits {
			got = append(got, string(e.Target())+": "+strings.Join(e.Settings(), "; "))
		}
	}
	want := []string{
		string(policydCF) + ": HELO_reject = False; Mail_From_reject = False; skip_addresses = 127.0.0.0/8,::ffff:127.0.0.0/104,::1,192.0.2.10",
		string(masterCF) + ": policyd-spf unix - n n - 0 spawn;   user=policyd-spf argv=/usr/bin/policyd-spf",
		string(mainCF) + ": policyd-spf_time_limit = 3600",
		string(mainCF) + ": smtpd_relay_restrictions with mailsetup_inbound",
		string(mainCF) + ": smtpd_restriction_classes = mailsetup_inbound; mailsetup_inbound =;     check_policy_service unix:private/policyd-spf",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
