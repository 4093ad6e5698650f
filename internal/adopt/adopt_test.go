package adopt_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/adopt"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
)

var opendkimUser = state.Owner{User: "opendkim", Group: "opendkim"}

// byHand is a server on which somebody set OpenDKIM up for two domains, as the
// tutorials do, and the facts about it.
func byHand(t *testing.T) (*systemtest.Mem, state.Facts, *keygen.Key) {
	t.Helper()
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	for name, text := range map[state.Path]string{
		"/etc/opendkim.conf":         "Syslog yes\nUserID opendkim\nKeyTable file:/etc/opendkim/KeyTable\nSigningTable refile:/etc/opendkim/SigningTable\n",
		"/etc/opendkim/KeyTable":     "a lab.example:Mail:/etc/dkimkeys/mail.private\nb news.example:mail:/etc/dkimkeys/mail.private\n",
		"/etc/opendkim/SigningTable": "*@lab.example a\n*@news.example b\n",
		"/etc/passwd":                "root:x:0:0::/root:/bin/sh\nopendkim:x:110:115::/run/opendkim:/usr/sbin/nologin\n",
		"/etc/group":                 "root:x:0:\nopendkim:x:115:\n",
	} {
		files.PutFile(name, text)
	}
	for _, dir := range []state.Path{"/", "/etc"} {
		files.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	}
	files.Put("/etc/dkimkeys", state.Object{Kind: state.Directory, Mode: 0o700, Owner: opendkimUser})
	files.Put("/etc/dkimkeys/mail.private", state.Object{Kind: state.Regular, Mode: 0o600, Owner: opendkimUser, Content: key.PEM()})
	conf, _ := files.Read("/etc/opendkim.conf")
	return files, state.Facts{OpenDKIM: &state.OpenDKIM{}, Files: map[state.Path][]byte{"/etc/opendkim.conf": conf.Content}}, key
}

func detected(t *testing.T, files *systemtest.Mem, f state.Facts) *adopt.Setup {
	t.Helper()
	found, err := adopt.Detect(files, f, adopt.Options{Now: now})
	if err != nil || found == nil {
		t.Fatalf("%v, %v", found, err)
	}
	return found
}

func texts(notes []state.Note) string {
	var all []string
	for _, n := range notes {
		all = append(all, n.Topic+": "+n.Text)
	}
	return strings.Join(all, "\n")
}

// A key that opendkim can read stays where it is, with the selector that it has.
func TestDetect(t *testing.T) {
	files, f, key := byHand(t)
	found := detected(t, files, f)
	if d := cmp.Diff([]string{"lab.example", "news.example"}, found.Names()); d != "" {
		t.Error(d)
	}
	k := found.Keys["lab.example"]
	if k.Selector != "Mail" || k.Public != key.Public() || k.Bits != 1024 || k.File != "/etc/dkimkeys/mail.private" || !k.Adopted || k.Stage != keyring.Active {
		t.Errorf("%+v", k)
	}
	if found.Domain("lab.example").KeyBits != 1024 || found.Domain("other.example") != nil {
		t.Errorf("%+v", found.Domains)
	}
	if len(found.Permissions) != 0 || len(found.Copies) != 0 {
		t.Errorf("a key is changed: %v, %v", found.Permissions, found.Copies)
	}
	want := "taken over: lab.example signs mail of @lab.example with selector Mail, the 1024 bits in /etc/dkimkeys/mail.private: no signature changes\n" +
		"taken over: news.example signs mail of @news.example with selector mail, the 1024 bits in /etc/dkimkeys/mail.private: no signature changes"
	if d := cmp.Diff(want, texts(found.Notes)); d != "" {
		t.Error(d)
	}
	for _, p := range []state.Path{"/etc/opendkim.conf", "/etc/opendkim/KeyTable", "/etc/opendkim/SigningTable"} {
		o, _ := files.Read(p)
		if found.Hashes[p] != plan.Hash(o.Content) {
			t.Errorf("%s would be drift", p)
		}
	}
	if len(found.Hashes) != 3 {
		t.Errorf("hashes of %v", found.Hashes)
	}
}

// A key that everybody can read is given to opendkim; one of another user is copied,
// and the original stays for the OpenDKIM that still runs.
func TestDetectKeysOfOthers(t *testing.T) {
	files, f, key := byHand(t)
	files.Put("/etc/dkimkeys/mail.private", state.Object{Kind: state.Regular, Mode: 0o644, Owner: opendkimUser, Content: key.PEM()})
	found := detected(t, files, f)
	if len(found.Permissions) != 1 || found.Permissions[0].Path != "/etc/dkimkeys/mail.private" || found.Permissions[0].Mode != 0o600 || found.Permissions[0].Owner != opendkimUser {
		t.Errorf("%+v", found.Permissions)
	}

	files, f, key = byHand(t)
	other := state.Owner{User: "dkimsign", Group: "dkimsign"}
	f.OpenDKIM.User = "dkimsign"
	files.Put("/etc/dkimkeys", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	files.Put("/etc/dkimkeys/mail.private", state.Object{Kind: state.Regular, Mode: 0o600, Owner: other, Content: key.PEM()})
	found = detected(t, files, f)
	const copied = "/etc/dkimkeys/adopted/Mail._domainkey.lab.example.private"
	if string(found.Copies[copied]) != string(key.PEM()) || len(found.Copies) != 1 || !found.MakesCopy(copied) || found.MakesCopy("/etc/dkimkeys/mail.private") {
		t.Errorf("copies %d, keys %+v", len(found.Copies), found.Keys)
	}
	if found.Keys["news.example"].File != copied {
		t.Errorf("two domains share a key: %+v", found.Keys)
	}
	if got := texts(found.Notes); !strings.Contains(got, "/etc/dkimkeys/mail.private (opendkim gets a copy, "+copied+")") ||
		!strings.Contains(got, "it runs as the user dkimsign now, and as opendkim from then on") {
		t.Errorf("notes\n%s", got)
	}

	files.Put("/etc/dkimkeys/adopted", state.Object{Kind: state.Directory, Mode: 0o700, Owner: opendkimUser})
	files.Put(copied, state.Object{Kind: state.Regular, Mode: 0o600, Owner: opendkimUser, Content: key.PEM()})
	if again := detected(t, files, f); len(again.Copies) != 0 || again.Keys["lab.example"].File != copied {
		t.Errorf("a copy that is there is made again: %+v", again.Keys)
	}
}

// Where OpenDKIM was told not to mind, a key that others can read stays, and is told of.
func TestDetectUnsafeKeys(t *testing.T) {
	files, f, key := byHand(t)
	conf, _ := files.Read("/etc/opendkim.conf")
	files.PutFile("/etc/opendkim.conf", string(conf.Content)+"RequireSafeKeys no\n")
	files.Put("/etc/dkimkeys/mail.private", state.Object{Kind: state.Regular, Mode: 0o644, Owner: opendkimUser, Content: key.PEM()})
	found := detected(t, files, f)
	if len(found.Permissions) != 0 || !strings.Contains(texts(found.Notes), "RequireSafeKeys: ") {
		t.Errorf("%v\n%s", found.Permissions, texts(found.Notes))
	}
	for _, n := range found.Notes {
		if n.Topic == "RequireSafeKeys" && n.Action != "if nothing else reads it: chown opendkim: /etc/dkimkeys/mail.private && chmod 600 /etc/dkimkeys/mail.private" {
			t.Errorf("advice %q", n.Action)
		}
	}
}

// Every line that cannot be taken over is told, and no error of another kind hides
// behind them.
func TestDetectRefuses(t *testing.T) {
	files, f, _ := byHand(t)
	files.PutFile("/etc/opendkim/SigningTable", "*@lab.example a\n*@host b\n")
	files.PutFile("/etc/opendkim/KeyTable", "a lab.example:Mail:/etc/dkimkeys/gone\nb news.example:mail:/etc/../k\n")
	_, err := adopt.Detect(files, f, adopt.Options{Now: now})
	if list, ok := errors.AsType[syntax.Findings](err); !ok || len(list) != 1 || !strings.HasPrefix(list[0].Field, "/etc/opendkim/SigningTable:2") {
		t.Errorf("%v", err)
	}
	files.PutFile("/etc/opendkim/SigningTable", "*@lab.example a\n*@news.example b\n")
	_, err = adopt.Detect(files, f, adopt.Options{Now: now})
	list, ok := errors.AsType[syntax.Findings](err)
	if !ok || len(list) != 2 || list[0].Field != "/etc/opendkim/KeyTable:1" || list[0].Hint != "put the file back, or take the row out" ||
		list[1].Field != "/etc/opendkim/KeyTable:2" || list[1].Hint != "correct the path\nagain, with --overwrite-drift sets OpenDKIM up anew instead, with other keys" {
		t.Errorf("%+v", list)
	}
	_, err = adopt.Detect(files, f, adopt.Options{Now: now, Unprivileged: true})
	if err == nil || err.Error() != "/etc/dkimkeys/gone: only root can look at the key of lab.example" {
		t.Errorf("not root: %v", err)
	}
}

// A key that the daemon cannot use signs nothing; who wrote the table must not get
// root's file by it.
func TestDetectRefusesAKeyOfRoots(t *testing.T) {
	files, f, key := byHand(t)
	files.Put("/etc/dkimkeys/mail.private", state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: key.PEM()})
	_, err := adopt.Detect(files, f, adopt.Options{Now: now})
	list, _ := errors.AsType[syntax.Findings](err)
	if len(list) == 0 || list[0].Hint != "name another file, or if this is its key: chown opendkim: /etc/dkimkeys/mail.private" ||
		!strings.Contains(list[0].Text, "the key of lab.example: OpenDKIM runs as opendkim and cannot use it: ") {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestNothingIsDetected(t *testing.T) {
	files, f, _ := byHand(t)
	conf, _ := files.Read("/etc/opendkim.conf")
	ours := plan.FileHashes{"/etc/opendkim.conf": plan.Hash(conf.Content)}
	if found, err := adopt.Detect(files, f, adopt.Options{Hashes: ours, Now: now}); found != nil || err != nil {
		t.Errorf("of ours: %v, %v", found, err)
	}
	var none *adopt.Setup
	if none.Names() != nil || none.Domain("lab.example") != nil || none.Data() != nil || none.MakesCopy("/k") || none.SignsNothing() {
		t.Error("a set-up that is none has something")
	}
}

// A unit may name another configuration than the one that is ours, or as shipped:
// what that says is what signs.
func TestIsForeign(t *testing.T) {
	for _, c := range []struct {
		name, args string
		ours       bool
		want       bool
	}{
		{"ours or as shipped", "opendkim", true, false},
		{"named as well", "opendkim -x /etc/opendkim.conf", true, false},
		{"named another way", "opendkim -x/etc/a/../opendkim.conf", true, false},
		{"edited", "opendkim", false, true},
		{"another one", "opendkim -x /etc/opendkim/my.conf", true, true},
		{"another one, beside an edited one", "opendkim -x /etc/opendkim/my.conf", false, true},
	} {
		f := state.Facts{
			Files:    map[state.Path][]byte{"/etc/opendkim.conf": []byte("Syslog yes\n")},
			OpenDKIM: &state.OpenDKIM{Args: strings.Fields(c.args)},
		}
		record := plan.FileHashes{}
		if c.ours {
			record["/etc/opendkim.conf"] = "a digest"
		}
		if got := adopt.IsForeign(f, record); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if adopt.IsForeign(state.Facts{}, nil) {
		t.Error("without OpenDKIM")
	}
}

func TestDetectReadsTheConfigurationOfTheProcess(t *testing.T) {
	files, f, _ := byHand(t)
	conf, _ := files.Read("/etc/opendkim.conf")
	files.PutFile("/etc/mail/dkim.conf", strings.Replace(string(conf.Content), "SigningTable refile:/etc/opendkim/SigningTable", "SigningTable refile:/etc/mail/one", 1))
	files.PutFile("/etc/mail/one", "*@lab.example a\n")
	for args, want := range map[string]string{
		"": "lab.example news.example", "opendkim -P /run/x": "lab.example news.example",
		"opendkim -x /etc/mail/dkim.conf -P /x": "lab.example", "opendkim -x/etc/a/../mail/dkim.conf": "lab.example",
	} {
		f.OpenDKIM.Args = strings.Fields(args)
		if got := strings.Join(detected(t, files, f).Names(), " "); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

// Keys that signed before drain, and one that is in the ledger already is no other.
func TestEnter(t *testing.T) {
	files, f, key := byHand(t)
	found := detected(t, files, f)
	before := keyring.Ledger{
		"lab.example":   {{Selector: "202610", Stage: keyring.Active}},
		"news.example":  {{Selector: "mail", Public: key.Public(), Stage: keyring.Active, Seen: now}},
		"other.example": {{Selector: "202610", Stage: keyring.Active}},
	}
	after := found.AddKeys(before, now)
	if list := after["lab.example"]; len(list) != 2 || list[0].Stage != keyring.Draining || list[1].Selector != "Mail" || list[1].Stage != keyring.Active {
		t.Errorf("%+v", list)
	}
	if d := cmp.Diff(before["news.example"], after["news.example"]); d != "" {
		t.Error(d)
	}
	if before["lab.example"][0].Stage != keyring.Active || len(after["other.example"]) != 1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestDataOfFiles(t *testing.T) {
	files, f, _ := byHand(t)
	files.PutFile("/etc/opendkim/SigningTable", "# rows\n*@lab.example a:@lab.example\n")
	want := []jsondoc.Domain{{
		Domain: "lab.example", Keys: []jsondoc.Key{{Domain: "lab.example", Selector: "Mail", Bits: 1024, File: "/etc/dkimkeys/mail.private"}},
		Rows: []jsondoc.Row{{Pattern: "*@lab.example", Identity: "@lab.example", At: "/etc/opendkim/SigningTable:2"}},
	}}
	if diff := cmp.Diff(want, detected(t, files, f).Data()); diff != "" {
		t.Error(diff)
	}
}

func TestNothingFound(t *testing.T) {
	err := adopt.NothingFound(t.Context(), systemtest.NewMem(), nil)
	if err == nil || !hint.IsUsage(err) || err.Error() != "there is no OpenDKIM here that was set up by hand and signs mail" {
		t.Errorf("%v", err)
	}
}

// Another signer among the milters of Postfix is named, with the domains that it is
// configured for and the command that takes its place.
func TestNothingFoundBesideAnotherSigner(t *testing.T) {
	files := systemtest.NewMem()
	files.PutFile("/proc/77/cmdline", "/usr/sbin/opendkim\x00-f\x00-x\x00/etc/opendkim-sign.conf\x00")
	files.PutFile("/proc/77/cgroup", "0::/system.slice/opendkim-sign.service\n")
	files.PutFile("/etc/opendkim-sign.conf", "KeyTable file:/k\nSigningTable refile:/s\n")
	files.PutFile("/k", "a lab.example:s1:/k/a\n")
	files.PutFile("/s", "*@lab.example a\n")
	files.OnRun = func(c system.Command) (system.Result, error) {
		if slices.Contains(c.Argv, "-t") {
			return system.Result{Stdout: []byte(`tcp LISTEN 0 9 127.0.0.1:8892 0.0.0.0:* users:(("opendkim",pid=77,fd=4))` + "\n")}, nil
		}
		return system.Result{}, nil
	}
	list := []state.Milter{
		{Endpoint: "inet:far.example:8891", Lists: []string{"smtpd_milters"}}, // on another machine
		{Endpoint: "inet:localhost:8892", Addresses: []string{"localhost:8892"}, Lists: []string{"smtpd_milters", "non_smtpd_milters"}},
	}
	err := adopt.NothingFound(t.Context(), files, list)
	if err == nil || !strings.HasSuffix(err.Error(), "signs mail here: opendkim-sign.service at inet:localhost:8892 (smtpd_milters, non_smtpd_milters), "+
		"configured by /etc/opendkim-sign.conf for lab.example") {
		t.Errorf("%v", err)
	}
	if h := hint.Of(err); len(h) != 1 || !strings.HasPrefix(h[0], "mailsetup init --domain lab.example --other-signer replace") {
		t.Errorf("hints %q", h)
	}
}

// Of a domain with many senders some are named.
func TestNotesNameSomeSenders(t *testing.T) {
	files, f, _ := byHand(t)
	rows := "*@lab.example a\n*@*.lab.example a\n"
	for _, user := range []string{"ann", "bob", "cat", "dan", "eve"} {
		rows += user + "@shop.example a\n"
	}
	files.PutFile("/etc/opendkim/SigningTable", rows+"*@news.example b\n* b\n")
	found := detected(t, files, f)
	for _, want := range []string{
		"lab.example signs mail of @lab.example, @.lab.example, ann@shop.example, bob@shop.example, cat@shop.example and 2 more with selector Mail",
		"news.example signs mail of @news.example and * with selector mail",
	} {
		if got := texts(found.Notes); !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// A key that another one could replace, since its directory is open, is told of where
// OpenDKIM does not mind.
func TestDetectAnOpenDirectory(t *testing.T) {
	files, f, _ := byHand(t)
	conf, _ := files.Read("/etc/opendkim.conf")
	files.PutFile("/etc/opendkim.conf", string(conf.Content)+"RequireSafeKeys no\n")
	files.Put("/etc/dkimkeys", state.Object{Kind: state.Directory, Mode: 0o777, Owner: opendkimUser})
	found := detected(t, files, f)
	i := slices.IndexFunc(found.Notes, func(n state.Note) bool { return n.Topic == "RequireSafeKeys" })
	if i < 0 || found.Notes[i].Action != "chmod go-w /etc/dkimkeys" {
		t.Errorf("%+v", found.Notes)
	}
}

// someSetup signs for names with keys of 1024 bits.
func someSetup(names ...string) *adopt.Setup {
	s := &adopt.Setup{Keys: map[string]keyring.Key{}}
	for _, n := range names {
		s.Domains = append(s.Domains, spec.Domain{Name: n, Selector: "s1", KeyBits: 1024})
		s.Signers = append(s.Signers, opendkim.Signer{Domain: n, Selector: "S1"})
		s.Keys[n] = keyring.Key{Selector: "S1"}
	}
	return s
}

func TestAnswer(t *testing.T) {
	found := someSetup("b.example", "lab.example", "mail.lab.example")
	for host, want := range map[string]string{
		"mail.lab.example": "mail.lab.example", "mx1.eu.lab.example": "lab.example", "mx.other.example": "b.example", "": "b.example",
	} {
		if a, err := found.Answer(spec.Answers{}, host); err != nil || a.Domain != want || a.Selector != "s1" || a.KeyBits != "1024" {
			t.Errorf("%s: %+v, %v; want %s", host, a, err, want)
		}
	}
	if a, err := found.Answer(spec.Answers{Domain: "new.example"}, ""); err != nil || a.Selector != "" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := found.Answer(spec.Answers{Domain: "lab.example", KeyBits: "2048"}, ""); err != nil || a.KeyBits != "2048" {
		t.Errorf("%+v, %v", a, err)
	}
	found.Domains[1].Also = []string{"ann@new.example", "shop.example"}
	_, err := found.Answer(spec.Answers{Domain: "shop.example"}, "")
	if err == nil || !hint.IsUsage(err) || !strings.Contains(err.Error(), "mail of shop.example is signed with the key of lab.example already") {
		t.Errorf("%v", err)
	}
	_, err = found.Answer(spec.Answers{Domain: "LAB.example", Selector: "2026"}, "")
	if err == nil || !hint.IsUsage(err) || !strings.Contains(err.Error(), "lab.example signs with selector S1 already") {
		t.Errorf("%v", err)
	}
}

func wish(t *testing.T, domain, hostname string) spec.Spec {
	t.Helper()
	want, findings := spec.Answers{
		Domain: domain, Hostname: hostname, Addresses: []string{"192.0.2.10"}, DNS: "manual", Receive: "no", Selector: "s1", RootAlias: "ann@far.example",
	}.Spec(nil, now)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return want
}

// Which domain signs the host's own mail: receivers compare it with the host's name.
func TestAddDomainsChoosesThePrimary(t *testing.T) {
	for _, c := range []struct {
		host, domain string
		old          *spec.Spec
		want         string
	}{
		{"mail.lab.example", "new.example", nil, "mail.lab.example"},
		{"mx.lab.example", "new.example", nil, "lab.example"},
		{"mx.new.example", "new.example", nil, "new.example"},
		{"mx.lab.example", "new.example", &spec.Spec{}, "new.example"},
		{"mx.other.example", "new.example", nil, "new.example"},
	} {
		found := someSetup("b.example", "lab.example", "mail.lab.example")
		var list []spec.Answers
		for _, name := range found.Names() {
			list = append(list, spec.Answers{Domain: name, Selector: "s1", Receive: "no", DNS: "manual"})
		}
		got, err := found.AddDomains(wish(t, c.domain, c.host), c.old, list, now)
		if err != nil || got.Host.Domain != c.want || len(got.Domains) != 4 {
			t.Errorf("%s, asked for %s: %s, want %s (%v)", c.host, c.domain, got.Host.Domain, c.want, err)
		}
	}
}

// Who is signed for, and with which settings, comes along; defaults for new domains
// are not for domains that were there.
func TestAddDomains(t *testing.T) {
	found := someSetup("lab.example", "news.example")
	found.Trusted, found.OpenDKIM = []string{"10.20.0.0/16"}, []string{"Mode s"}
	found.Domains[1].Also, found.Domains[1].Partial, found.Domains[1].Subdomains = []string{"ann@news.example"}, true, true
	want := wish(t, "lab.example", "mail.lab.example")
	want.Host.Trusted = []string{"10.20.0.0/16", "10.30.0.0/16"}
	want.Host.Defaults = spec.Defaults{KeyBits: 4096, DMARC: spec.DMARC{Policy: "reject"}}
	got, err := found.AddDomains(want, nil, []spec.Answers{
		{Domain: "lab.example", Selector: "s1", Receive: "no", DNS: "manual"}, {Domain: "news.example", Selector: "s1", Receive: "no", DNS: "manual"},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	news := got.Domains[1]
	if news.Name != "news.example" || news.KeyBits != 1024 || news.DMARC.Policy != "none" || !news.Partial || !news.Subdomains || len(news.Also) != 1 {
		t.Errorf("%+v", news)
	}
	if d := cmp.Diff([]string{"10.20.0.0/16", "10.30.0.0/16"}, got.Host.Trusted); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"Mode s"}, got.Host.OpenDKIM); d != "" || got.Host.Defaults.KeyBits != 4096 {
		t.Error(d, got.Host.Defaults)
	}
	if _, err := found.AddDomains(want, nil, []spec.Answers{{Domain: "news", Receive: "no"}}, now); err == nil {
		t.Error("a domain that makes no sense is added")
	}
}

// What a run does beside keeping signatures is said, and nothing where all of that is
// so already.
func TestAdditions(t *testing.T) {
	found := someSetup("lab.example")
	want := wish(t, "lab.example", "mail.lab.example")
	want.Host.DNS, want.Domains[0].DNS = spec.DNSBind, ""
	txt := func(name, value string) state.Record {
		return state.Record{Name: name, Type: "TXT", Value: value}
	}
	zone := state.Zone{Origin: "lab.example.", Kind: "primary", Records: []state.Record{
		{Name: "mail.lab.example.", Type: "A", Value: "192.0.2.10"}, txt("lab.example.", "v=spf1 mx -all"),
	}}
	f := state.Facts{Postfix: &state.Postfix{Value: map[string]string{"myhostname": "mail.lab.example"}}, Zones: []state.Zone{zone}}
	keys := keyring.Ledger{"lab.example": {{Selector: "s1", Stage: keyring.Active}}}
	const all = "new: mail of @mail.lab.example, as root, cron and bounces have it, gets signed, too, with the key of lab.example\n" +
		"new: bounces that this server writes get signed (internal_mail_filter_classes = bounce)\n" +
		"new: DNS gets the records that it does not have: SPF of mail.lab.example, DMARC of lab.example"
	if d := cmp.Diff(all, texts(found.Additions(want, f, keys))); d != "" {
		t.Error(d)
	}
	f.Zones[0].Records = append(zone.Records, txt("mail.lab.example.", "v=spf1 a -all"), txt("_dmarc.lab.example.", "v=DMARC1; p=none"))
	f.Postfix.Value["internal_mail_filter_classes"] = "bounce"
	found.Domains[0].Subdomains = true
	if got := found.Additions(want, f, keys); len(got) != 0 {
		t.Errorf("says %q", texts(got))
	}
}
