package inbound_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/edits"
	policy "mailsetup/internal/inbound"
	"mailsetup/internal/state"
	"mailsetup/steps/inbound"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

const debianConf = "PidFile /run/opendmarc/opendmarc.pid\nPublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat\n" +
	"Socket local:/run/opendmarc/opendmarc.sock\nUMask 0002\nUserID opendmarc\n"

// marking is a server that is to mark mail by DMARC, OpenDMARC there as Debian has it.
func marking(conf string) step.Input {
	in := steptest.Installed()
	in.Spec.Host.Inbound.DMARC = policy.Mark
	in.Facts.Installed["opendmarc"], in.Facts.Installed["rspamd"] = true, true
	in.Facts.Files = map[state.Path][]byte{
		"/etc/opendmarc.conf": []byte(conf), "/usr/share/publicsuffix/public_suffix_list.dat": []byte("com\nexample\n"),
	}
	in.Facts.Daemons = map[string]state.Daemon{"opendmarc.service": {Running: true}}
	return in
}

func TestOpenDMARCMarks(t *testing.T) {
	in := marking(debianConf)
	in.Facts.Postfix.Networks = steptest.Networks("10.1.0.0/16")
	in.Spec.Host.Inbound.Allow = []string{"198.51.100.0/24", ".relay.example", "@shop.example", "ann@list.example"}
	in.Facts.Addresses = []netip.Addr{netip.MustParseAddr("2001:db8::10")}
	stage, notes, err := inbound.DMARC(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := edits.Block(stage.Edits[0].(state.BlockEdit), []byte(debianConf))
	const want = debianConf + `# mailsetup: DMARC
SPFSelfValidate true
SPFIgnoreResults true
IgnoreAuthenticatedClients true
IgnoreHosts /etc/opendmarc/IgnoreHosts
Socket local:/var/spool/postfix/opendmarc/opendmarc.sock
IgnoreMailFrom shop.example
# mailsetup: end of DMARC c6839753
`
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
	hosts := string(stage.Files[0].Content)
	for _, line := range []string{"127.0.0.1", "::1", "127.0.0.0/8", "192.0.2.10", "2001:db8::10", "10.1.0.0/16", "198.51.100.0/24", ".relay.example"} {
		if !strings.Contains(hosts, "\n"+line+"\n") {
			t.Errorf("%s is judged:\n%s", line, hosts)
		}
	}
	u := stage.Units[0]
	if u.Name != "opendmarc.service" || u.Action != state.Restart || u.Probes[0].Kind != state.ProbeDMARC || u.Probes[0].Name != "mail.lab.example" ||
		u.Probes[0].Address != "local:/var/spool/postfix/opendmarc/opendmarc.sock" {
		t.Errorf("%+v", u)
	}
	if d := stage.Dirs[1]; d.Path != "/var/spool/postfix/opendmarc" || d.Owner.String() != "opendmarc:postfix" || d.Mode != fs.ModeSetgid|0o750 {
		t.Errorf("%+v", d)
	}
	if len(notes) != 1 || !strings.Contains(notes[0].Text, "mail from ann@list.example is marked like that of others") {
		t.Errorf("%+v", notes)
	}

	in.Facts.Files["/etc/opendmarc.conf"] = text
	again, _, err := inbound.DMARC(in)
	if err != nil || fmt.Sprint(again.Edits) != fmt.Sprint(stage.Edits) {
		t.Errorf("%v, %v", again.Edits, err)
	}
	in.Spec.Host.Inbound.DMARC = policy.Off
	if stage, _, err := inbound.DMARC(in); err != nil || len(stage.Edits)+len(stage.Units) > 0 {
		t.Errorf("off: %+v, %v", stage, err)
	}
	gone, _, err := inbound.Retire(in)
	if err != nil || len(gone.Edits) != 1 {
		t.Fatalf("%+v, %v", gone, err)
	}
	if back, err := edits.Block(gone.Edits[0].(state.BlockEdit), text); err != nil || string(back) != debianConf {
		t.Errorf("%v\n%s", err, back)
	}
	in.Facts.Files["/etc/opendmarc.conf"] = []byte(debianConf)
	if gone, _, err := inbound.Retire(in); err != nil || len(gone.Edits)+len(gone.Units) > 0 {
		t.Errorf("off already: %+v, %v", gone, err)
	}
}

func TestOpenDMARCKeepsItsPort(t *testing.T) {
	in := marking(debianConf + "Socket inet:8893@localhost\n")
	stage, _, err := inbound.DMARC(in)
	if err != nil || len(stage.Dirs) != 1 || stage.Units[0].Probes[0].Address != "inet:8893@localhost" {
		t.Errorf("%+v, %v", stage, err)
	}
}

func TestDMARCRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*step.Input)
		says   string
	}{
		"reject":     {func(in *step.Input) { in.Spec.Host.Inbound.DMARC = policy.Reject }, "--dmarc reject would lose good mail: OpenDKIM says nothing at all"},
		"quarantine": {func(in *step.Input) { in.Spec.Host.Inbound.DMARC = policy.Quarantine }, "--dmarc quarantine would lose good mail"},
		"nobody verifies": {func(in *step.Input) {
			in.Spec.Domains[0].SignedBy, in.Ledger = "other", nil
		}, "nothing verifies DKIM here: mail is signed by another program"},
		"OpenDKIM only signs": {func(in *step.Input) { in.Spec.Host.OpenDKIM = []string{"Mode s"} }, "OpenDKIM runs with Mode s"},
		"another name":        {func(in *step.Input) { in.Spec.Host.OpenDKIM = []string{"AuthservID mx.example"} }, "OpenDKIM writes its results under the name mx.example, and OpenDMARC reads those of mail.lab.example"},
		"masked":              {func(in *step.Input) { in.Facts.Daemons["opendmarc.service"] = state.Daemon{Masked: true} }, "opendmarc.service is masked"},
		"an override": {func(in *step.Input) {
			in.Facts.Files["/etc/systemd/system/opendmarc.service.d/override.conf"] = []byte("[Service]\nExecStart=\nExecStart=/usr/sbin/opendmarc -p x\n")
		}, "starts OpenDMARC with options of its own"},
		"the administrator's": {func(in *step.Input) {
			in.Facts.Files["/etc/opendmarc.conf"] = []byte(debianConf + "ChangeRootDirectory /srv\n")
		}, "/etc/opendmarc.conf:6: ChangeRootDirectory /srv: it makes OpenDMARC see other files"},
		"rspamd elsewhere": {func(in *step.Input) { in.Facts.Rspamd, in.Facts.Installed["rspamd"] = true, false }, "its package is not installed here"},
		"rspamd and domains": {func(in *step.Input) {
			in.Facts.Rspamd, in.Spec.Host.Inbound.DNSBL = true, []string{"dbl.spamhaus.org=127.0.1.[2..99]"}
		}, "rspamd judges incoming mail here, and dbl.spamhaus.org lists domains of senders"},
		"rspamd and many answers": {func(in *step.Input) {
			in.Facts.Rspamd, in.Spec.Host.Inbound.DNSBL = true, []string{"bl.example=127.0.[0..9].[2..99]"}
		}, "takes no more than 256 answers of a list for a listing: bl.example=127.0.[0..9].[2..99] has more"},
		"rspamd overridden": {func(in *step.Input) {
			in.Facts.Rspamd, in.Facts.Files["/etc/rspamd/override.d/milter_headers.conf"] = true, []byte("use = [];\n")
		}, "/etc/rspamd/override.d/milter_headers.conf takes the place of what it would be told"},
		"rspamd with own file": {func(in *step.Input) {
			in.Facts.Rspamd, in.Facts.Files["/etc/rspamd/local.d/milter_headers.conf"] = true, []byte("use = [\"x-spam-level\"];\n")
		}, "milter_headers.conf is yours and does not say what is asked for"},
	} {
		in := marking(debianConf)
		tt.change(&in)
		_, _, err := inbound.DMARC(in)
		if refusal, ok := errors.AsType[*step.Refusal](err); !ok || !strings.Contains(refusal.What, tt.says) || refusal.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenDMARCOfTheAdministratorIsAskedAbout(t *testing.T) {
	in := marking(debianConf + "RejectFailures true\n")
	stage, _, err := inbound.DMARC(in)
	if err != nil || len(stage.Questions) != 1 {
		t.Fatalf("%+v, %v", stage.Questions, err)
	}
	q := stage.Questions[0]
	if q.Kind != state.AskChecks || q.Line != 6 || q.Before != "RejectFailures true" || q.After != "RejectFailures false" ||
		q.Text != "OpenDMARC was set up with RejectFailures true, which refuses well signed mail for good while a key cannot be looked up." {
		t.Errorf("%+v", q)
	}
	in.Consents = map[string]bool{q.ID: true}
	if stage, _, err := inbound.DMARC(in); err != nil || len(stage.Questions) > 0 || !slices.Contains(stage.Edits[0].Settings(), "RejectFailures false") {
		t.Errorf("%+v, %v", stage, err)
	}
}

func TestDMARCOfADaemonThatIsDown(t *testing.T) {
	in := marking(debianConf)
	in.Facts.Daemons["opendmarc.service"] = state.Daemon{Disabled: true}
	stage, _, err := inbound.DMARC(in)
	if err != nil || len(stage.Units) != 3 || !stage.Units[0].Always || stage.Units[1].Action != state.Enable {
		t.Errorf("%+v, %v", stage.Units, err)
	}
}

func TestPublicSuffixes(t *testing.T) {
	in := marking(debianConf)
	delete(in.Facts.Files, "/usr/share/publicsuffix/public_suffix_list.dat")
	if _, notes, err := inbound.DMARC(in); err != nil || len(notes) != 1 || notes[0].Action != "apt-get install --reinstall publicsuffix && systemctl restart opendmarc" {
		t.Errorf("gone: %+v, %v", notes, err)
	}
	in.Facts.Files["/usr/share/publicsuffix/public_suffix_list.dat"] = []byte("com\n")
	if _, notes, err := inbound.DMARC(in); err != nil || len(notes) != 1 || !strings.Contains(notes[0].Text, "does not have .example:") {
		t.Errorf("unknown: %+v, %v", notes, err)
	}
	delete(in.Facts.Installed, "opendmarc")
	if _, notes, err := inbound.DMARC(in); err != nil || len(notes) > 0 {
		t.Errorf("not yet installed: %+v, %v", notes, err)
	}
}
