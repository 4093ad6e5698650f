package dkim_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailsetup/internal/check/dkim"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/keygen"
	"mailsetup/zonefile"
)

const keyFile = "/etc/dkimkeys/lab.example/s1.private"

// private is the key that signs in all tests; other is another one.
var private, other = sync.OnceValue(func() *keygen.Key { return generate(2048) }), sync.OnceValue(func() *keygen.Key { return generate(2048) })

func generate(bits int) *keygen.Key {
	k, err := keygen.Generate(bits)
	if err != nil {
		panic(err)
	}
	return k
}

// now is when everything is looked at.
var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func ago(days int) time.Time { return now.Add(-time.Duration(days) * 24 * time.Hour) }

// lab is a server that signs for lab.example with the key s1, and what its name servers
// and its resolver have.
type lab struct {
	server        subject.Server
	domain        subject.Domain
	files         *detecttest.Machine
	ns1, ns2, res []string // lines of the zone, beside SOA and NS
	// down: the second name server answers nobody.
	down bool
	// fetches is when the second one gets what the first one has; never.
	fetches time.Time
}

func newLab() *lab {
	d := spec.Domain{Name: "lab.example", Selector: "s1", KeyBits: 2048}
	k := keyring.Key{
		Selector: "s1", Bits: 2048, Public: private().Public(), File: keyFile, Stage: keyring.Active, Seen: ago(60),
		Since: map[keyring.Stage]time.Time{keyring.Staged: ago(60), keyring.Publishing: ago(60), keyring.Active: ago(60)},
	}
	l := &lab{files: detecttest.New()}
	l.files.PutFile(keyFile, string(private().PEM()))
	l.server = subject.Server{SetUp: true, Spec: spec.Spec{Host: spec.Host{DNS: spec.DNSBind}, Domains: []spec.Domain{d}}, Now: now, Ticks: true}
	l.domain = subject.Domain{Name: "lab.example", Wanted: &d, Keys: []keyring.Key{k}, Sends: true, Declared: true}
	l.publish(record(private()))
	return l
}

func record(k *keygen.Key) string { return keygen.Record(k.Public()) }

// txt is a TXT record in zone file syntax.
func txt(name, text string) string {
	var parts []string
	for _, s := range zonefile.SplitTXT(text) {
		parts = append(parts, `"`+zonefile.Escape(s)+`"`)
	}
	return name + ".lab.example. 60 IN TXT " + strings.Join(parts, " ")
}

// publish puts texts at the selector of the key that signs, on all servers.
func (l *lab) publish(texts ...string) {
	l.ns1 = nil
	for _, text := range texts {
		l.ns1 = append(l.ns1, txt("s1._domainkey", text))
	}
	l.ns2, l.res = l.ns1, l.ns1
}

// run checks the domain and returns what it found, one line each.
func (l *lab) run(t *testing.T) finding.Result {
	t.Helper()
	c := dnstest.Lab{Resolver: l.res, First: l.ns1, Second: l.ns2, SecondSilent: l.down, Transferred: l.fetches}.Client(t)
	from := dkim.Sources{DNS: c, Files: l.files, LastCheck: func(string) keyring.LastCheck { return keyring.LastCheck{} }}
	r := dkim.Check(t.Context(), from, l.server, l.domain)
	findingtest.Remedies(t, r.Findings)
	return r
}

// lines are findings in a form to compare; good ones are only the ID.
func lines(r finding.Result) string {
	var list []string
	for _, f := range r.Findings {
		if f.Severity == finding.OK {
			list = append(list, "ok "+f.ID)
			continue
		}
		line := strings.Join([]string{string(f.Severity), f.ID, f.Subject}, " ") + ": " + f.Seen
		if f.CausedBy != "" {
			line += " [" + f.CausedBy + "]"
		}
		list = append(list, line)
	}
	return strings.Join(list, "\n")
}

// wrong are the lines that are not ok.
func wrong(r finding.Result) string {
	list := strings.Split(lines(r), "\n")
	return strings.Join(slices.DeleteFunc(list, func(l string) bool { return strings.HasPrefix(l, "ok ") }), "\n")
}

func TestHealthy(t *testing.T) {
	r := newLab().run(t)
	const want = "ok dkim.match\nok dkim.record\nok dkim.one\nok dkim.paste\nok dkim.bits\nok dkim.tags\nok dkim.age"
	if got := lines(r); got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
	if len(r.Keys) != 1 || r.Keys[0].Selector != "s1" || !r.Keys[0].Active.Equal(ago(60)) || !r.Keys[0].Next.Equal(ago(60-180)) {
		t.Errorf("lives %+v", r.Keys)
	}
}

func TestDomainThatDoesNotSend(t *testing.T) {
	l := newLab()
	l.domain.Sends = false
	l.publish()
	if got := lines(l.run(t)); got != "" {
		t.Errorf("found %s", got)
	}
}

// TestRecords: what name servers have, and what is said of it.
func TestRecords(t *testing.T) {
	good, p := record(private()), private().Public()
	const at = "s1._domainkey.lab.example"
	for _, tt := range []struct {
		name string
		set  func(l *lab)
		want string
	}{
		{"missing", func(l *lab) { l.publish() }, "problem dkim.record " + at + ": ns1.lab.example (127.0.0.2), ns2.lab.example (127.0.0.3): missing"},
		{
			"missing on one server, with an old copy of the zone",
			func(l *lab) { l.ns2 = nil },
			"problem dkim.record " + at + ": ns2.lab.example (127.0.0.3): an old copy of the zone: its serial is 7, and ns1.lab.example has 8 (missing) [dns.same]",
		},
		{
			"an old copy, right after this program changed the zone",
			func(l *lab) {
				l.ns2, l.server.Transfers = nil, &subject.Transfers{Within: 50 * time.Millisecond, Begun: true}
			},
			"unknown dkim.record " + at + ": not there yet: ns2.lab.example (127.0.0.3): an old copy of the zone: its serial is 7, and ns1.lab.example has 8 (missing) [dns.same]",
		},
		{
			"an old copy for a moment",
			func(l *lab) {
				l.ns2, l.fetches, l.server.Transfers = nil, time.Now().Add(200*time.Millisecond), &subject.Transfers{Within: 5 * time.Second}
			},
			"",
		},
		{
			"a server that does not answer",
			func(l *lab) { l.down = true },
			"unknown dkim.record " + at + ": ns2.lab.example (127.0.0.3): it does not answer: nothing came within 300ms [dns.delegation]",
		},
		{
			"the resolver remembers that it was missing", func(l *lab) { l.res = nil },
			"warning dkim.record " + at + " at the resolver: the name servers have it right, the resolver of this machine: missing",
		},
		{
			"another key", func(l *lab) { l.publish(record(other())) },
			"problem dkim.match " + at + ": ns1.lab.example (127.0.0.2), ns2.lab.example (127.0.0.3): another key is there, so no signature of this server verifies",
		},
		{"two records", func(l *lab) { l.publish(good, record(other())) }, "problem dkim.one " + at + ": ns1"},
		{
			"cut at 255", func(l *lab) { l.publish(good[:255]) },
			"problem dkim.paste " + at + ": ns1.lab.example (127.0.0.2), ns2.lab.example (127.0.0.3): the value is cut after 255 of 420 octets",
		},
		{"in quotes", func(l *lab) { l.publish(`"` + good + `"`) }, "problem dkim.paste " + at + ": ns1"},
		{"a backslash before each semicolon", func(l *lab) { l.publish(strings.ReplaceAll(good, ";", `\;`)) }, "problem dkim.paste " + at + ": ns1"},
		{
			"at a doubled name",
			func(l *lab) {
				l.ns1 = []string{txt("s1._domainkey.lab.example", good)}
				l.ns2 = l.ns1
			},
			"problem dkim.paste " + at + ": ns1.lab.example (127.0.0.2), ns2.lab.example (127.0.0.3): nothing there, but s1._domainkey.lab.example.lab.example has it: " +
				"the domain was added to a name that had it already",
		},
		{"a blank in the key", func(l *lab) { l.publish(good[:100] + " " + good[100:]) }, "note dkim.paste " + at + ": ns1"},
		{"a line break in the key", func(l *lab) { l.publish(good[:100] + "\n" + good[100:]) }, "problem dkim.paste " + at + ": ns1"},
		{"revoked", func(l *lab) { l.publish("v=DKIM1; p=") }, "problem dkim.tags " + at + ": ns1"},
		{"no sha256", func(l *lab) { l.publish("v=DKIM1; h=sha1; p=" + p) }, "problem dkim.tags " + at + ": ns1"},
		{"not for mail", func(l *lab) { l.publish("v=DKIM1; s=tlsrpt; p=" + p) }, "problem dkim.tags " + at + ": ns1"},
		{"k=RSA", func(l *lab) { l.publish("v=DKIM1; k=RSA; p=" + p) }, "problem dkim.tags " + at + ": ns1"},
		{"a tag twice", func(l *lab) { l.publish("v=DKIM1; k=rsa; k=rsa; p=" + p) }, "problem dkim.tags " + at + ": ns1"},
		{
			"testing", func(l *lab) { l.publish("v=DKIM1; t=y; p=" + p) },
			"warning dkim.tags " + at + ": t=y says that the domain tests DKIM: receivers may treat its mail as unsigned",
		},
		{"no subdomains", func(l *lab) { l.publish("v=DKIM1; t=s; p=" + p) }, ""},
		{
			"no subdomains, which sign", func(l *lab) {
				l.publish("v=DKIM1; t=s; p=" + p)
				l.domain.Wanted.Identities = []string{"news.lab.example @news.lab.example"}
			},
			"problem dkim.tags " + at + ": t=s forbids signatures in the name of a subdomain (i=), which this server makes",
		},
		{"g=", func(l *lab) { l.publish("v=DKIM1; g=*; p=" + p) }, "note dkim.tags " + at + ": g= is of the time before RFC 6376, which ignores it"},
		{"the least of a record", func(l *lab) { l.publish("p=" + p) }, ""},
		{"further tags, another order", func(l *lab) { l.publish("v=DKIM1;n=note;x=y;p=" + p + ";s=email;k=rsa;") }, ""},
		{
			"ADSP", func(l *lab) {
				l.ns1 = append(l.ns1, txt("_adsp._domainkey", "dkim=all"))
				l.ns2 = l.ns1
			},
			"note dkim.adsp _adsp._domainkey.lab.example: dkim=all",
		},
		{
			"an alias that leads to the key", func(l *lab) {
				l.ns1 = []string{"s1._domainkey.lab.example. 60 IN CNAME k.lab.example."}
				l.ns2, l.res = l.ns1, append(l.res, txt("k", good))
			}, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab()
			tt.set(l)
			r := l.run(t)
			if got := wrong(r); got != tt.want && (!strings.HasSuffix(tt.want, ": ns1") || !strings.HasPrefix(got, tt.want) || strings.Contains(got, "\n")) {
				t.Errorf("found\n%s\nwant\n%s", got, tt.want)
			}
			for _, f := range r.Findings {
				if (f.Severity == finding.Problem || f.Severity == finding.Warning) && f.Remedy.String() == "" {
					t.Errorf("no remedy: %+v", f)
				}
			}
		})
	}
}

// TestReceiversDiffer: the finding says who does what.
func TestReceiversDiffer(t *testing.T) {
	good, p := record(private()), private().Public()
	for _, tt := range []struct{ text, second, want string }{
		{good, record(other()), "Mail::DKIM tries both."},
		{"v=DKIM1; k=RSA; p=" + p, "", "opendkim-testkey takes k=RSA, dkimpy, Mail::DKIM and go-msgauth refuse it."},
		{"v=DKIM1; h=SHA256; p=" + p, "", "opendkim-testkey and dkimpy take h=SHA256, Mail::DKIM and go-msgauth refuse it."},
		{good[:100] + "\t" + good[100:], "", "opendkim-testkey, dkimpy and Mail::DKIM read it, go-msgauth does not."},
		{"v=DKIM1; g=; p=" + p, "", "Mail::DKIM refuses a key whose g= does not have the sender (RFC 4871), all others ignore it."},
		{"v=DKIM1; s=email:tlsrpt; p=" + p, "", "dkimpy refuses the key then."},
		{"v=DKIM1; s=*; p=" + p, "", "mox 0.0.17 takes such a record for broken."},
		{"p=" + p + "; v=DKIM1", "", "opendkim-testkey, dkimpy and Mail::DKIM read the record all the same."},
		{good[:100] + "\n" + good[100:], "", "opendkim-testkey, dkimpy and Mail::DKIM read it all the same."},
		{`"` + good + `"`, "", "Mail::DKIM reads it in spite of the quotes, opendkim-testkey, dkimpy and go-msgauth do not."},
		{good, "", ""},
	} {
		l := newLab()
		if l.publish(tt.text); tt.second != "" {
			l.publish(tt.text, tt.second)
		}
		why := ""
		for _, f := range l.run(t).Findings {
			if f.Severity != finding.OK {
				why = f.Why
			}
		}
		if !strings.HasSuffix(why, tt.want) || tt.want == "" && why != "" {
			t.Errorf("%.60s: why %q, want …%s", tt.text, why, tt.want)
		}
	}
}

// TestPublicKeyInAnotherEncoding: RFC 6376 has RSAPublicKey in p=, everybody publishes
// SubjectPublicKeyInfo (erratum 3017).
func TestPublicKeyInAnotherEncoding(t *testing.T) {
	l := newLab()
	l.publish("v=DKIM1; p=" + pkcs1(t, private()))
	const want = "warning dkim.tags s1._domainkey.lab.example: p= has the right key as RSAPublicKey: opendkim-testkey and Mail::DKIM (SpamAssassin, amavis) do not read that"
	if got := wrong(l.run(t)); got != want {
		t.Errorf("found %s", got)
	}
}

func TestPrivateKey(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(l *lab)
		want string
	}{
		{"another one", func(l *lab) { l.files.PutFile(keyFile, string(other().PEM())) }, "problem dkim.match " + keyFile + ": " + keyFile + " is not the private key of the record s1 in DNS"},
		{"none", func(l *lab) { l.files.PutFile(keyFile, "x") }, "problem dkim.match " + keyFile + ": " + keyFile + " is no private key: parse private key: no PEM block"},
		{"gone", func(l *lab) { l.files.Remove(keyFile) }, "problem dkim.match " + keyFile + ": the private key is gone [live.keys]"},
		{
			"an ordinary user", func(l *lab) { l.server.Unprivileged, l.domain.Keys = true, nil },
			"unknown dkim.match : only root may read private keys",
		},
		{
			"an ordinary user, after a rotation", func(l *lab) {
				l.server.Unprivileged, l.domain.Keys = true, nil
				l.publish()
			},
			"unknown dkim.match : only root may read private keys\n" +
				"unknown dkim.record s1._domainkey.lab.example: ns1.lab.example (127.0.0.2), ns2.lab.example (127.0.0.3): missing; which selector signs now only root may know",
		},
	} {
		l := newLab()
		tt.set(l)
		if got := wrong(l.run(t)); got != tt.want {
			t.Errorf("%s: found\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestStages: a record matters as much as what its key does.
func TestStages(t *testing.T) {
	second := func(stage keyring.Stage, days int, more ...func(*keyring.Key)) func(l *lab) {
		return func(l *lab) {
			k := keyring.Key{
				Selector: "s2", Bits: 2048, Public: other().Public(), Stage: stage,
				Since: map[keyring.Stage]time.Time{keyring.Publishing: ago(days), stage: ago(days)},
			}
			for _, set := range more {
				set(&k)
			}
			l.domain.Keys = append(l.domain.Keys, k)
		}
	}
	byHand := func(l *lab) { l.server.Spec.Host.DNS = spec.DNSManual }
	has := func(text string) func(l *lab) {
		return func(l *lab) {
			l.ns1 = append(l.ns1, txt("s2._domainkey", text))
			l.ns2, l.res = l.ns1, l.ns1
		}
	}
	const at = "dkim.record s2._domainkey.lab.example: "
	const both = "ns1.lab.example (127.0.0.2), ns2.lab.example (127.0.0.3): "
	for _, tt := range []struct {
		name string
		set  []func(l *lab)
		want string
	}{
		{"draining, there", []func(*lab){second(keyring.Draining, 3), has(keygen.Record(other().Public()))}, ""},
		{"draining, missing", []func(*lab){second(keyring.Draining, 3)}, "warning " + at + both + "missing"},
		{"revoked", []func(*lab){second(keyring.Revoked, 3), has("v=DKIM1; p=")}, ""},
		{"revoked, and gone already", []func(*lab){second(keyring.Revoked, 3)}, "note " + at + both + "missing"},
		{"revoked, and the key still there", []func(*lab){second(keyring.Revoked, 3), has(keygen.Record(other().Public()))}, "warning " + at + both + "the key is still there instead of an empty p="},
		{"just made", []func(*lab){second(keyring.Publishing, 0)}, "note " + at + both + "missing"},
		{"made days ago", []func(*lab){second(keyring.Publishing, 3)}, "warning " + at + both + "missing"},
		{"for somebody to publish", []func(*lab){byHand, second(keyring.Publishing, 3)}, "note " + at + "waits for you to publish it: " + both + "missing"},
		{"for somebody to publish, who does not", []func(*lab){byHand, second(keyring.Publishing, 30)}, "warning " + at + "waits for you to publish it: " + both + "missing"},
		{"gone", []func(*lab){second(keyring.Gone, 30)}, ""},
		{"gone, its record is not", []func(*lab){second(keyring.Gone, 30), has(keygen.Record(other().Public()))}, "note dkim.stray s2._domainkey.lab.example: still there, of a key that is gone"},
		{"gone, a wildcard answers", []func(*lab){second(keyring.Gone, 30), has("v=spf1 -all")}, ""},
		{"drained long ago", []func(*lab){
			second(keyring.Draining, 20), has(keygen.Record(other().Public())), func(l *lab) { l.elapsed("s2", keyring.Draining, 20) },
		}, "warning dkim.due : s2 should be withdrawn since 6 days"},
		{"drained long ago by a clock that somebody set", []func(*lab){second(keyring.Draining, 20), has(keygen.Record(other().Public()))}, ""},
		{"drained long ago, and nothing ticks", []func(*lab){
			second(keyring.Draining, 80), has(keygen.Record(other().Public())), func(l *lab) { l.server.Ticks = false },
		}, "warning dkim.due : s2 should be withdrawn since 38 days"},
		{"old", []func(*lab){func(l *lab) { l.domain.Keys[0].Since[keyring.Active] = ago(200) }}, "warning dkim.age s1: 200 days old, of 180 days"},
		{"old, never rotated", []func(*lab){func(l *lab) {
			l.domain.Keys[0].Since[keyring.Active], l.domain.Wanted.Every = ago(2000), spec.Never
		}}, ""},
	} {
		l := newLab()
		for _, set := range tt.set {
			set(l)
		}
		if got := wrong(l.run(t)); got != tt.want {
			t.Errorf("%s: found\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// elapsed says how long a key has certainly been in its stage.
func (l *lab) elapsed(selector string, stage keyring.Stage, days int) {
	l.server.Elapsed.Keys = map[string]keyring.StageTime{
		"lab.example " + selector: {Stage: stage, Since: ago(days), Elapsed: time.Duration(days) * 24 * time.Hour},
	}
}

// TestFirstKeyByHand: the record of a key that signs already waits for somebody.
func TestFirstKeyByHand(t *testing.T) {
	for days, want := range map[int]string{0: "note", 1: "note", 5: "problem"} {
		l := newLab()
		l.publish()
		l.server.Spec.Host.DNS = spec.DNSManual
		l.domain.Keys[0].Seen = time.Time{}
		l.domain.Keys[0].Since = map[keyring.Stage]time.Time{keyring.Publishing: ago(days), keyring.Active: ago(days)}
		if got := wrong(l.run(t)); !strings.HasPrefix(got, want+" dkim.record s1._domainkey.lab.example: waits for you") || strings.Contains(got, "\n") {
			t.Errorf("after %d days: %s", days, got)
		}
	}
}

func TestBits(t *testing.T) {
	small := generate(1024)
	for _, tt := range []struct {
		name   string
		wanted int
		want   string
	}{
		{"2048 wanted", 2048, "warning dkim.bits s1._domainkey.lab.example: 1024 bits"},
		{"1024 wanted, where a panel takes no more", 1024, "note dkim.bits s1._domainkey.lab.example: 1024 bits"},
	} {
		l := newLab()
		l.publish(record(small))
		l.domain.Keys[0].Public, l.domain.Keys[0].Bits, l.domain.Wanted.KeyBits = small.Public(), 1024, tt.wanted
		l.files.PutFile(keyFile, string(small.PEM()))
		if got := wrong(l.run(t)); got != tt.want {
			t.Errorf("%s: found\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestOtherSigner: what a signer is configured with that mailsetup has not set up.
func TestOtherSigner(t *testing.T) {
	edPEM, edPublic := ed25519Key(t)
	for _, tt := range []struct {
		name string
		set  func(l *lab)
		want string
	}{
		{"its record is right", func(*lab) {}, ""},
		{"it signs with another key", func(l *lab) { l.files.PutFile(keyFile, string(other().PEM())) }, "problem dkim.match s1._domainkey.lab.example: " + servers + "another key is there, so no signature of this server verifies"},
		{"no record", func(l *lab) { l.publish() }, "problem dkim.record s1._domainkey.lab.example: " + servers + "missing"},
		{"its key cannot be read", func(l *lab) { l.files.Remove(keyFile) }, "unknown dkim.match " + keyFile + ": OpenDKIM names it as the private key; it cannot be read"},
		{"no signer is known", func(l *lab) { l.domain.Selectors = nil }, "unknown dkim.record : which key signs its mail is not known: no configuration of a signer here names one"},
		{"a smarthost signs", func(l *lab) { l.domain.Selectors, l.server.Smarthost = nil, "[smtp.example.net]:587" }, ""},
		{"with the key of another domain", func(l *lab) { l.domain.Selectors[0].Domain = "example.net" }, ""},
		{"Ed25519 alone", func(l *lab) {
			l.files.PutFile(keyFile, edPEM)
			l.publish("v=DKIM1; k=ed25519; p=" + edPublic)
		}, "problem dkim.ed25519 s1._domainkey.lab.example: Ed25519 alone: large receivers do not verify it"},
		{"Ed25519 beside RSA", func(l *lab) {
			l.domain.Selectors = append(l.domain.Selectors, subject.Selector{Name: "ed", Domain: "lab.example", KeyFile: "/ed", Program: "rspamd"})
			l.files.PutFile("/ed", edPEM)
			l.ns1 = append(l.ns1, txt("ed._domainkey", "v=DKIM1; k=ed25519; p="+edPublic))
			l.ns2, l.res = l.ns1, l.ns1
		}, "note dkim.ed25519 ed._domainkey.lab.example: Ed25519, beside an RSA key"},
	} {
		l := newLab()
		l.server.SetUp, l.server.Spec = false, spec.Spec{}
		l.domain = subject.Domain{Name: "lab.example", Sends: true, Selectors: []subject.Selector{{Name: "s1", Domain: "lab.example", KeyFile: keyFile, Program: "OpenDKIM"}}}
		tt.set(l)
		if got := wrong(l.run(t)); got != tt.want {
			t.Errorf("%s: found\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

const servers = "ns1.lab.example (127.0.0.2), ns2.lab.example (127.0.0.3): "

func TestSharing(t *testing.T) {
	key := func(public string) []keyring.Key {
		return []keyring.Key{{Selector: "s1", Public: public, Stage: keyring.Active}}
	}
	for _, tt := range []struct {
		domains []subject.Domain
		want    string
	}{
		{[]subject.Domain{{Name: "a.example", Keys: key("A")}}, ""},
		{[]subject.Domain{{Name: "a.example", Keys: key("A")}, {Name: "b.example", Keys: key("B")}}, "ok dkim.sharing"},
		{
			[]subject.Domain{{Name: "a.example", Keys: key("A")}, {Name: "b.example", Keys: key("A")}},
			"note dkim.sharing s1._domainkey.a.example: 2 domains have one key: a.example, b.example",
		},
	} {
		if got := lines(dkim.CheckServer(tt.domains)); got != tt.want {
			t.Errorf("found %q, want %q", got, tt.want)
		}
	}
}

// TestOffline: what needs no DNS is judged all the same.
func TestOffline(t *testing.T) {
	l := newLab()
	r := dkim.Check(t.Context(), dkim.Sources{Files: l.files}, l.server, l.domain)
	if got := lines(r); got != "ok dkim.match\nok dkim.bits\nok dkim.age" {
		t.Errorf("found %s", got)
	}
}

// TestHostileAnswers: nothing that a server says makes a finding that cannot be read.
func TestHostileAnswers(t *testing.T) {
	l := newLab()
	for range 40 {
		l.ns1 = append(l.ns1, txt("s1._domainkey", "v=DKIM1; p="+strings.Repeat("\x1b[31mA", 300)))
	}
	for _, f := range l.run(t).Findings {
		if len(f.Seen) > 250 {
			t.Errorf("%s has %d octets", f.ID, len(f.Seen))
		}
	}
}
