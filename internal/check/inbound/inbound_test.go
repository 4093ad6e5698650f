package inbound_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/inbound"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// machine hands what a program prints to who wants it line by line.
type machine struct{ *detecttest.Machine }

func (m machine) Run(ctx context.Context, c system.Command) (system.Result, error) {
	res, err := m.Machine.Run(ctx, c)
	if c.Stdout != nil && err == nil {
		_, err = c.Stdout.Write(res.Stdout)
	}
	return res, err
}

// world is a server with everything on, on which all is well.
type world struct {
	m      *detecttest.Machine
	s      subject.Server
	p      *state.Postfix
	says   map[string]string // what DNS answers
	off    bool              // nothing runs: the files of an image
	policy bool              // every domain has a DMARC policy
}

const (
	dmarcConf = "AuthservID mail.lab.example\nIgnoreHosts /etc/opendmarc/ignore.hosts\nPublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat\n" +
		"RejectFailures false\nSPFIgnoreResults true\nSPFSelfValidate true\nSocket inet:8893@localhost\n"
	recipients = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, check_policy_service unix:private/policyd-spf, " +
		"reject_rbl_client bl.lab.example=127.0.0.[2..11]"
)

func newWorld() *world {
	w := &world{m: detecttest.New(), says: map[string]string{"2.0.0.127.bl.lab.example": "127.0.0.2"}}
	w.p = &state.Postfix{
		QueueDirectory: "/var/spool/postfix",
		Networks:       []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")},
		Value: map[string]string{
			"myhostname": "mail.lab.example", "mydestination": "mail.lab.example, lab.example, localhost", "mynetworks": "127.0.0.0/8 192.0.2.0/24",
			"smtpd_relay_restrictions":            "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
			"smtpd_recipient_restrictions":        recipients,
			"smtpd_sasl_auth_enable":              "yes",
			"smtpd_milters":                       "inet:127.0.0.1:8891, inet:127.0.0.1:8893",
			"milter_default_action":               "tempfail",
			"smtpd_policy_service_default_action": "451 4.3.5 Server configuration problem",
			"alias_maps":                          "hash:/etc/aliases",
		},
		Services: []state.Service{
			{Name: "smtp/inet", Command: "smtpd"},
			{Name: "policyd-spf/unix", Command: "spawn", Args: []string{"user=policyd-spf", "argv=/usr/bin/policyd-spf"}},
		},
	}
	w.s.Facts.Postfix = w.p
	w.s.Facts.Daemons = map[string]state.Daemon{"opendmarc.service": {Running: true}}
	w.m.PutFile("/usr/bin/policyd-spf", "#!/usr/bin/python3\n")
	w.m.PutFile("/etc/postfix/master.cf", "smtp inet n - y - - smtpd\n")
	w.m.PutFile("/etc/resolv.conf", "nameserver 127.0.0.1\n")
	w.m.PutFile("/var/spool/postfix/etc/resolv.conf", "nameserver 127.0.0.1\n")
	w.m.PutFile("/etc/postfix-policyd-spf-python/policyd-spf.conf", "HELO_reject = Fail\nMail_From_reject = Fail\n")
	w.m.PutFile("/etc/opendkim.conf", "Mode sv\nSocket inet:8891@localhost\n")
	w.m.PutFile("/etc/opendmarc.conf", dmarcConf)
	w.m.PutFile("/usr/share/publicsuffix/public_suffix_list.dat", "example\n")
	w.m.PutFile("/etc/aliases", "root: ann\nann: ann@lab.example\n")
	w.m.Units["opendmarc.service"] = system.UnitStatus{Load: "loaded", Active: "active", PID: 77}
	w.m.PutFile("/proc/77/stat", "77 (opendmarc) S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 6 0 1000 1 1")
	w.m.PutFile("/proc/uptime", "1000.00 900.00\n") // it runs for 990 seconds
	w.m.Says("stat", "1000000000\n")
	w.m.Says("journalctl", "")
	return w
}

func (w *world) check(t *testing.T) []finding.Finding {
	t.Helper()
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		answer := w.says[strings.TrimSuffix(strings.ToLower(r.Question[0].Name), ".")]
		switch {
		case w.policy && r.Question[0].Qtype == dns.TypeTXT:
			m := dnstest.Reply(t, r, dns.RcodeSuccess)
			m.Answer = dnstest.RRs(t, r.Question[0].Name+` 60 IN TXT "v=DMARC1; p=none"`)
			return m
		case answer == "SERVFAIL":
			return dnstest.Reply(t, r, dns.RcodeServerFailure)
		case answer == "" || r.Question[0].Qtype != dns.TypeA:
			return dnstest.Reply(t, r, dns.RcodeNameError)
		}
		m := dnstest.Reply(t, r, dns.RcodeSuccess)
		m.Answer = dnstest.RRs(t, r.Question[0].Name+" 60 IN A "+answer)
		return m
	}))
	found := inbound.Check(t.Context(), machine{w.m}, c, w.s, !w.off).Findings
	findingtest.Remedies(t, found)
	return found
}

// bad are the findings that are not OK, a line each.
func bad(list []finding.Finding) (lines []string) {
	for _, f := range list {
		if f.Severity != finding.OK {
			lines = append(lines, fmt.Sprintf("%s %s %s: %s", f.Severity, f.ID, f.Subject, f.Seen))
		}
	}
	return lines
}

func TestAllIsWell(t *testing.T) {
	list := newWorld().check(t)
	if lines := bad(list); lines != nil {
		t.Error(strings.Join(lines, "\n"))
	}
	var ids []string
	for _, f := range list {
		if !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	if got, want := strings.Join(ids, " "), "in.service in.place in.policyd in.milters in.dmarc in.stale in.codes in.lists in.resolver in.open"; got != want {
		t.Errorf("looked at %s, want %s", got, want)
	}
}

// What is not used is not looked at, and neither is a server that takes no mail.
func TestNothingIsAskedFor(t *testing.T) {
	w := newWorld()
	w.p.Value["smtpd_recipient_restrictions"], w.p.Value["smtpd_milters"] = "", ""
	if list := w.check(t); len(list) != 1 || list[0].ID != "in.resolver" {
		t.Errorf("%+v", list)
	}
	w.p.Services = nil
	if list := w.check(t); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	w.s.Facts.Postfix = nil
	if list := w.check(t); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// Each fault alone is told once, and nothing else with it.
func TestFaults(t *testing.T) {
	set := func(name, value string) func(*world) { return func(w *world) { w.p.Value[name] = value } }
	file := func(p state.Path, text string) func(*world) { return func(w *world) { w.m.PutFile(p, text) } }
	list := func(text string) func(*world) {
		return set("smtpd_recipient_restrictions", "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, "+text)
	}
	dmarc := func(old, text string) func(*world) {
		return file("/etc/opendmarc.conf", strings.Replace(dmarcConf, old, text, 1))
	}
	const spfFile = "/etc/postfix-policyd-spf-python/policyd-spf.conf"
	for name, tt := range map[string]struct {
		fault  func(*world)
		want   string // the beginning of the only line
		remedy string // in its remedy
	}{
		"no service": {
			func(w *world) { w.p.Services = w.p.Services[:1] },
			"problem in.service unix:private/policyd-spf: smtpd_recipient_restrictions asks it, and master.cf has no service policyd-spf: all mail is put off (451 4.3.5)",
			"postconf -M policyd-spf/unix='policyd-spf unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf'",
		},
		"no program": {
			func(w *world) { w.m.Delete("/usr/bin/policyd-spf") },
			"problem in.service unix:private/policyd-spf: smtpd_recipient_restrictions asks it, and there is no /usr/bin/policyd-spf", "take check_policy_service unix:private/policyd-spf out",
		},
		"no service, and mail passes": {
			func(w *world) {
				w.p.Services = w.p.Services[:1]
				w.p.Value["smtpd_policy_service_default_action"] = "DUNNO"
			},
			"warning in.service unix:private/policyd-spf: smtpd_recipient_restrictions asks it, and master.cf has no service policyd-spf: all mail passes without it", "postconf -M",
		},
		"SPF before users": {
			set("smtpd_recipient_restrictions", "permit_mynetworks, check_policy_service unix:private/policyd-spf, permit_sasl_authenticated, reject_unauth_destination"),
			"warning in.place smtpd_recipient_restrictions of smtp/inet: SPF is checked before permit_sasl_authenticated: mail of your own users is judged by it, and refused", "behind them",
		},
		"SPF before networks": {
			set("smtpd_sender_restrictions", "check_policy_service unix:private/policyd-spf"),
			"warning in.place smtpd_sender_restrictions of smtp/inet: SPF is checked before permit_sasl_authenticated and permit_mynetworks", "",
		},
		"SPF where an OK lets relay": {
			set("smtpd_relay_restrictions", "permit_mynetworks, permit_sasl_authenticated, check_policy_service unix:private/policyd-spf, reject_unauth_destination"),
			"warning in.place smtpd_relay_restrictions of smtp/inet: the policy server is asked before reject_unauth_destination", "",
		},
		"a word in small letters": {
			file(spfFile, "Mail_From_reject = fail\n"), "warning in.policyd " + spfFile + `:1: Mail_From_reject: "fail" means nothing: the case counts, it is Fail`, "correct line 1",
		},
		"a blank that cancels the list": {
			file(spfFile, "Whitelist = 198.51.100.7, 203.0.113.0/24\n"), "warning in.policyd " + spfFile + `:1: Whitelist: " 203.0.113.0/24" has a blank beside it: it and all entries behind it count for nothing`, "",
		},
		"no number": {file(spfFile, "debugLevel = x\n"), "problem in.policyd " + spfFile + `:1: debugLevel: "x" is no number`, ""},
		"TestOnly":  {file(spfFile, "TestOnly = 0\n"), "warning in.policyd " + spfFile + ":1: TestOnly = 0: mail that fails SPF gets no header", "HELO_reject = False"},
		"OpenDMARC down": {
			func(w *world) { w.s.Facts.Daemons["opendmarc.service"] = state.Daemon{} },
			"problem in.service inet:127.0.0.1:8893: OpenDMARC: it does not run: all mail is put off (default_action = tempfail)", "systemctl start opendmarc",
		},
		"OpenDMARC down, and mail passes": {
			func(w *world) {
				w.s.Facts.Daemons["opendmarc.service"] = state.Daemon{}
				w.p.Value["smtpd_milters"] = "inet:127.0.0.1:8891, { inet:127.0.0.1:8893, default_action=accept }"
			},
			"warning in.service inet:127.0.0.1:8893: OpenDMARC: it does not run: mail comes in unjudged (default_action = accept)", "",
		},
		"OpenDMARC first":     {set("smtpd_milters", "inet:127.0.0.1:8893, inet:127.0.0.1:8891"), "warning in.milters smtp/inet: OpenDMARC is asked before OpenDKIM", ""},
		"no OpenDKIM":         {set("smtpd_milters", "inet:127.0.0.1:8893"), "warning in.milters smtp/inet: OpenDMARC is asked, and nothing before it verifies DKIM", ""},
		"another case":        {dmarc("mail.lab.example", "Mail.lab.example"), `warning in.dmarc /etc/opendmarc.conf AuthservID: OpenDKIM signs its results with "mail.lab.example", and OpenDMARC trusts "Mail.lab.example"`, "AuthservID mail.lab.example in /etc/opendmarc.conf"},
		"HOSTNAME":            {dmarc("mail.lab.example", "HOSTNAME"), `warning in.dmarc /etc/opendmarc.conf AuthservID: OpenDKIM signs its results with "mail.lab.example", and OpenDMARC trusts ""`, ""},
		"trusted by list":     {dmarc("AuthservID mail.lab.example", "AuthservID other\nTrustedAuthservIDs a.example,mail.lab.example"), "", ""},
		"it refuses":          {dmarc("RejectFailures false", "rejectfailures Yes"), "warning in.dmarc /etc/opendmarc.conf RejectFailures: OpenDMARC refuses mail, and OpenDKIM says nothing of a signature while DNS", "RejectFailures false"},
		"no list of suffixes": {func(w *world) { w.m.Delete("/usr/share/publicsuffix/public_suffix_list.dat") }, "warning in.dmarc /etc/opendmarc.conf PublicSuffixList: there is no list of public suffixes", "publicsuffix"},
		"headers of the sender count": {
			func(w *world) {
				list("reject_rbl_client bl.lab.example=127.0.0.[2..11]")(w)
				dmarc("SPFSelfValidate true", "SPFSelfValidate false")(w)
			},
			"warning in.dmarc /etc/opendmarc.conf SPFSelfValidate: OpenDMARC takes the result of SPF from headers of the message", "SPFSelfValidate true",
		},
		"it does not know itself": {
			file("/etc/opendmarc/ignore.hosts", "192.0.2.10\n"), "warning in.dmarc /etc/opendmarc.conf IgnoreHosts: IgnoreHosts takes the place of 127.0.0.1", "127.0.0.1",
		},
		"it knows itself":      {file("/etc/opendmarc/ignore.hosts", "192.0.2.10\n127.0.0.0/8\n"), "", ""},
		"OpenDKIM signs alone": {file("/etc/opendkim.conf", "Mode s\n"), "warning in.milters /etc/opendkim.conf: OpenDKIM signs and does not verify (Mode s)", "Mode sv"},
		"changed after it was started": {
			func(w *world) { w.m.Says("stat -L -c %Y -- /etc/opendmarc.conf", "32503680000\n") },
			"warning in.stale opendmarc.service: /etc/opendmarc.conf changed since OpenDMARC was started", "systemctl restart opendmarc",
		},
		"no answers named":  {list("reject_rbl_client bl.lab.example"), "warning in.codes bl.lab.example in smtpd_recipient_restrictions: any answer counts for a listing", "bl.lab.example=127.0.0.[2..11]"},
		"a slip in them":    {list("reject_rbl_client bl.lab.example=127.0.0.[2-11]"), `problem in.codes bl.lab.example in smtpd_recipient_restrictions: its answers are written 127.0.0.[2-11], and "2-11" is no number`, "bl.lab.example=127.0.0.[2..11]"},
		"all answers named": {list("reject_rbl_client bl.lab.example=127.[0..255].[0..255].[0..255]"), "warning in.codes bl.lab.example in smtpd_recipient_restrictions: 127.[0..255].[0..255].[0..255] has answers that are no listing", ""},
		"a dead list":       {list("reject_rbl_client dnsbl.sorbs.net=127.0.0.[2..11]"), "warning in.lists dnsbl.sorbs.net: it is dead: SORBS was closed in June 2024", ""},
		"refuses this resolver": {
			func(w *world) { w.says["2.0.0.127.bl.lab.example"] = "127.255.255.254" },
			"warning in.lists bl.lab.example: it does not answer this resolver: it is a public one, or has no name of its own: it refuses no mail", "",
		},
		"lists everything": {
			func(w *world) { w.says["1.0.0.127.bl.lab.example"] = "127.0.0.2" },
			"problem in.lists bl.lab.example: it lists everything, even what no list has: mail is refused by it", "take bl.lab.example out",
		},
		"nobody answers": {
			func(w *world) { w.says["2.0.0.127.bl.lab.example"] = "SERVFAIL" },
			"unknown in.lists bl.lab.example: it does not answer: ", "",
		},
		"nothing in it": {func(w *world) { w.says = nil }, "warning in.lists bl.lab.example: it lacks its test entry: it is dead, or does not answer this resolver: it refuses no mail", ""},
		"another copy": {
			file("/var/spool/postfix/etc/resolv.conf", "nameserver 192.0.2.53\n"),
			"warning in.resolver /var/spool/postfix/etc/resolv.conf: names other resolvers than /etc/resolv.conf", "systemctl restart postfix",
		},
		"aliases that lead elsewhere": {
			file("/etc/aliases", "# ann: x@other.example\nroot: ops@third.example\nann: ann@lab.example, Ann@Mail.Other.example\nbob: |\"/bin/x y@z.example\"\n"),
			"note in.srs /etc/aliases: aliases pass mail on to mail.other.example under the sender that it came with", "SRS",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tt.fault(w)
			found := w.check(t)
			lines := bad(found)
			switch {
			case tt.want == "" && len(lines) == 0:
				return
			case len(lines) != 1 || tt.want == "" || !strings.HasPrefix(lines[0], tt.want):
				t.Fatalf("%s\nwant %s", strings.Join(lines, "\n"), tt.want)
			}
			i := slices.IndexFunc(found, func(f finding.Finding) bool { return f.Severity != finding.OK })
			if !strings.Contains(found[i].Remedy.String(), tt.remedy) || len(found[i].Remedy) == 0 {
				t.Errorf("remedy %s", found[i].Remedy)
			}
		})
	}
}

// A list whose answers are not named refuses all mail if it refuses to answer, and one with
// a key is shown without it.
func TestListsThatRefuse(t *testing.T) {
	w := newWorld()
	w.p.Value["smtpd_recipient_restrictions"] = "reject_rbl_client secretkey123.zen.dq.spamhaus.net"
	w.says = map[string]string{"2.0.0.127.secretkey123.zen.dq.spamhaus.net": "127.255.255.255"}
	lines := strings.Join(bad(w.check(t)), "\n")
	const want = `warning in.codes zen.dq.spamhaus.net in smtpd_recipient_restrictions: any answer counts for a listing: should the list refuse this resolver (127.255.255.254), all mail is refused
problem in.lists zen.dq.spamhaus.net: it was asked too often: all mail is refused by it, since its answers are not named`
	if lines != want {
		t.Errorf("%s\nwant\n%s", lines, want)
	}
}

// postscreen is behind port 25, and its lists are looked at as well.
func TestPostscreen(t *testing.T) {
	w := newWorld()
	w.p.Services[0] = state.Service{Name: "smtpd/pass", Command: "smtpd"}
	w.p.Services = append(w.p.Services, state.Service{Name: "smtp/inet", Command: "postscreen"})
	w.p.Value["postscreen_dnsbl_sites"] = "bl.lab.example=127.0.0.*"
	lines := bad(w.check(t))
	if len(lines) != 1 || !strings.HasPrefix(lines[0], `problem in.codes bl.lab.example in postscreen_dnsbl_sites: its answers are written 127.0.0.*, and "*" is no number`) &&
		!strings.Contains(lines[0], "postscreen") {
		t.Error(strings.Join(lines, "\n"))
	}
}

// What passed without a check is in the log, and told of checks alone that let it.
func TestChecksThatWereLeftOut(t *testing.T) {
	const log = `warning: 5.100.51.198.bl.lab.example: RBL lookup error: Host or domain name not found. Name service error for name=5.100.51.198.bl.lab.example type=A: Host not found, try again
warning: connect to Milter service inet:127.0.0.1:8893: Connection refused
warning: problem talking to server private/policyd-spf: Connection timed out
`
	for _, tt := range []struct {
		name string
		make func(w *world)
		want []string
	}{
		{"closed", func(*world) {}, []string{"note in.open bl.lab.example: within a day it did not answer, and mail passed without it: once"}},
		{"open", func(w *world) {
			w.p.Value["milter_default_action"], w.p.Value["smtpd_policy_service_default_action"] = "accept", "dunno"
			w.m.Says("journalctl", strings.Repeat(log, 10))
		}, []string{
			"warning in.open bl.lab.example: within a day it did not answer, and mail passed without it: 10 times",
			"warning in.open inet:127.0.0.1:8893: within a day it did not answer, and mail passed without it: 10 times",
			"warning in.open unix:private/policyd-spf: within a day it did not answer, and mail passed without it: 10 times",
		}},
	} {
		w := newWorld()
		w.m.Says("journalctl", log)
		tt.make(w)
		if lines := bad(w.check(t)); !slices.Equal(lines, tt.want) {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, strings.Join(lines, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// Aliases are found in tables of every kind that can be asked without harm.
func TestAliasesThatLeadElsewhere(t *testing.T) {
	const passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
	for name, tt := range map[string]struct {
		maps, program, says string // virtual_alias_maps, and what a program answers
		text                string // of /etc/postfix/table
		want                string // in the only line, "" for none
	}{
		"compiled":             {"lmdb:/etc/postfix/table", "postmap -s lmdb:/etc/postfix/table", "bob@lab.example\tbob@far.example, ann\n", "bob@lab.example ann\n", "/etc/postfix/table: aliases pass mail on to far.example under"},
		"not compiled":         {"proxy:cdb:/etc/postfix/table", "", "", "bob@lab.example\n  bob@far.example\n", "/etc/postfix/table: aliases pass mail on to far.example under"},
		"not any more":         {"hash:/etc/postfix/table", "postmap -s hash:/etc/postfix/table", "", "bob@lab.example bob@far.example\n", ""},
		"roles":                {"inline:{root=ops@far.example, {postmaster@lab.example = ops@far.example}}", "", "", "", ""},
		"inline":               {"inline:{ {bob@lab.example = ann@lab.example, bob@far.example} }", "", "", "", "inline:{ {bob@lab.example = ann@lab.example, bob@far.example} }: aliases pass mail on to far.example under"},
		"the rest of a domain": {"static:all@far.example", "", "", "", "static:all@far.example: aliases pass mail on to far.example under"},
		"patterns":             {"pcre:/etc/postfix/table", "", "", "# all\nif /lab/\n/^(.*)@old\\/lab\\.example$/i $1@far.example\n/^x@(.*)$/ x@$1\n/^(postmaster|abuse)@/ ops@third.example\nendif\n", "/etc/postfix/table: aliases pass mail on to far.example under"},
		"tables of tables":     {"unionmap:{static:ann@lab.example,inline:{b=b@far.example}}", "", "", "", "unionmap:{static:ann@lab.example,inline:{b=b@far.example}}: aliases pass mail on to far.example under"},
		"a database":           {"mysql:/etc/postfix/table", "postmap -q - mysql:/etc/postfix/table", "ann@lab.example\tann@far.example\n", "", "/etc/postfix/table: aliases pass mail on to far.example under"},
		"a program":            {"tcp:127.0.0.1:10001", "postmap -q", "ann@lab.example\tann@far.example\n", "", ""},
	} {
		w := newWorld()
		w.p.Value["virtual_alias_maps"] = tt.maps
		w.m.PutFile("/etc/passwd", passwd)
		w.m.PutFile("/etc/postfix/table", tt.text)
		if tt.program != "" {
			w.m.Says(tt.program, tt.says)
		}
		lines := bad(w.check(t))
		if tt.want == "" && len(lines) == 0 {
			continue
		}
		if len(lines) != 1 || tt.want == "" || !strings.HasPrefix(lines[0], "note in.srs "+tt.want) {
			t.Errorf("%s: %s\nwant %s", name, strings.Join(lines, "\n"), tt.want)
		}
	}
}

// A list with an owner is no forward under the sender of its mail.
func TestListsWithAnOwner(t *testing.T) {
	w := newWorld()
	w.m.Says("postmap -s hash:/etc/aliases", "team\tann@far.example,bob@third.example\nowner-team\tann@far.example\n")
	if lines := bad(w.check(t)); lines != nil {
		t.Error(strings.Join(lines, "\n"))
	}
}

// Mail that SPF and DMARC did not judge, since DNS did not answer, is told of where it is
// more than a few senders with broken name servers.
func TestMailThatWasNotJudged(t *testing.T) {
	spf := func(result, domain string, n int) string {
		return strings.Repeat("prepend Received-SPF: "+result+" (mailfrom) identity=mailfrom; client-ip=198.51.100.7; helo=client.example; envelope-from=x@"+domain+"; receiver=lab.example \n", n)
	}
	dmarc := func(domain, result string, n int) string { return strings.Repeat("4fXy12: "+domain+" "+result+"\n", n) }
	many := func(line func(domain string) string) (all string) {
		for i := range 10 {
			all += line(fmt.Sprintf("d%d.example", i))
		}
		return all
	}
	const (
		spfTold   = "warning in.open SPF: within a day 10 of 50 messages passed unjudged, since DNS did not answer: those of d0.example, d1.example, d2.example and 7 more"
		dmarcTold = "warning in.open DMARC: within a day 10 of 50 messages passed unjudged, since DNS did not answer: those of d0.example, d1.example, d2.example and 7 more"
	)
	unsure := many(func(d string) string { return spf("Temperror", d, 1) })
	none := many(func(d string) string { return dmarc(d, "none", 1) })
	for name, tt := range map[string]struct {
		log  string
		make func(w *world)
		want string
	}{
		"nothing": {"", nil, ""},
		"many":    {unsure + spf("Pass", "good.example", 40), nil, spfTold},
		"in another header": {many(func(d string) string {
			return "prepend Authentication-Results: mail; spf=temperror (x) smtp.mailfrom=" + d + " (client-ip=1; helo=h; envelope-from=x@" + d + "; receiver=r)\n"
		}) + spf("None", "good.example", 40), nil, spfTold},
		"of a few senders":  {spf("Temperror", "spam.example", 900) + spf("Pass", "good.example", 40), nil, ""},
		"few of all":        {unsure + spf("Pass", "good.example", 41), nil, ""},
		"refused is judged": {unsure + strings.Repeat("550 5.7.23 Message rejected due to: SPF fail - not authorized. Please see http://x\n", 41), nil, ""},
		"deferred": {unsure, func(w *world) {
			w.m.PutFile("/etc/postfix-policyd-spf-python/policyd-spf.conf", "TempError_Defer = True\n")
		}, ""},
		"has no policy": {none + dmarc("good.example", "pass", 40), nil, ""},
		"has one now":   {none + dmarc("good.example", "pass", 40), func(w *world) { w.policy = true }, dmarcTold},
		"had one":       {none + many(func(d string) string { return dmarc(d, "fail", 1) }) + dmarc("good.example", "pass", 30), nil, dmarcTold},
	} {
		w := newWorld()
		w.m.Says("journalctl", tt.log)
		if tt.make != nil {
			tt.make(w)
		}
		if lines := strings.Join(bad(w.check(t)), "\n"); lines != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, lines, tt.want)
		}
	}
}
