package inbound_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	policy "mailsetup/internal/inbound"
	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/inbound"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// eximWants is a server with exim4-daemon-heavy that a policy is for.
func eximWants(split bool, p policy.Policy) step.Input {
	in := steptest.Exim(split)
	in.Facts.Installed = map[string]bool{"exim4-daemon-heavy": true, "bind9": true}
	in.Spec.Host.Inbound = p
	in.Spec.Host.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.10")}
	return in
}

// The file as exim4 4.96 and 4.98 read it (TestEximInbound).
func TestWhatEximAsks(t *testing.T) {
	in := eximWants(true, policy.Policy{
		SPF:   policy.Reject,
		DNSBL: []string{"key0123456789abcdef012345.zen.dq.spamhaus.net=127.0.0.[2..4]", "dbl.spamhaus.org=127.0.1.2"},
		Allow: []string{"198.51.100.0/24", "mail.friend.example", ".friend.example", "@ally.example", "ann+x@ally.example"},
	})
	const want = `# Written by mailsetup: see [inbound] of /etc/mailsetup/host.toml. Debian's acl_check_rcpt
# includes this behind what lets your own users pass, and what refuses to relay.
  accept
    local_parts = postmaster : abuse
  accept
    hosts = <; @[] ; \
      192.0.2.10 ; \
      198.51.100.0/24
  accept
    hosts = +ignore_unknown : \
      +ignore_defer : \
      \N^(?i)mail\.friend\.example$\N : \
      \N^(?i).*\.friend\.example$\N
  accept
    senders = \N^(?i).*@ally\.example$\N : \
      \N^(?i)ann\+x@ally\.example$\N
  deny
    !acl = acl_local_deny_exceptions
    dnslists = key0123456789abcdef012345.zen.dq.spamhaus.net=127.0.0.2,127.0.0.3,127.0.0.4
    message = 550 5.7.1 Service unavailable; client [$sender_host_address] is blocked using zen.dq.spamhaus.net
    log_message = blocked using zen.dq.spamhaus.net
  deny
    !acl = acl_local_deny_exceptions
    !senders = :
    dnslists = dbl.spamhaus.org=127.0.1.2/$sender_address_domain
    message = 550 5.7.1 Service unavailable; sender domain is blocked using dbl.spamhaus.org
    log_message = blocked using dbl.spamhaus.org
.ifdef _HAVE_SPF
  warn
    spf = pass:fail:softfail:neutral:none:permerror:temperror
    add_header = :at_start:$spf_received
  deny
    !acl = acl_local_deny_exceptions
    spf = fail
    message = 550 5.7.23 $sender_host_address is not allowed to send mail from ${if def:sender_address_domain{$sender_address_domain}{$sender_helo_name}} (SPF)
    log_message = SPF fail
.endif
`
	if got := steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "Checks"), "/etc/exim4/mailsetup.rcpt"); got != want {
		t.Errorf("got\n%s", got)
	}
	in.Spec.Host.Inbound = policy.Policy{SPF: policy.Mark}
	if got := steptest.Content(t, steptest.Stage(t, steptest.Build(t, in), "Checks"), "/etc/exim4/mailsetup.rcpt"); strings.Contains(got, "deny") || !strings.Contains(got, "add_header") {
		t.Errorf("mark:\n%s", got)
	}
	in.Spec.Host.Inbound = policy.Policy{DNSBL: []string{"bl.example=127.1.[0..1].[0..255]"}}
	if _, err := steps.Build(steps.All(), in); err == nil || !strings.Contains(err.Error(), "more than 256") {
		t.Errorf("512 answers: %v", err)
	}
}

// The file is there before exim4 includes it, and goes once it does no more.
func TestWhereEximAsks(t *testing.T) {
	on := policy.Policy{SPF: policy.Mark}
	want := steptest.Build(t, eximWants(true, on))
	if st := steptest.Stage(t, want, "Checks"); len(st.Units) > 0 {
		t.Errorf("a reload for a file that nobody includes: %+v", st.Units)
	}
	door := steptest.Stage(t, want, "Door")
	if text := steptest.Content(t, door, "/etc/exim4/conf.d/main/00_mailsetup_inbound"); !strings.HasSuffix(text, "\nCHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mailsetup.rcpt\n") {
		t.Errorf("split: %s", text)
	}
	if p := door.Units[0].Probes[len(door.Units[0].Probes)-1]; p.Kind != state.ProbeEximDoor || p.Name != "" || p.Recipients[0] != "root@mail.lab.example" {
		t.Errorf("%+v", p)
	}
	for _, st := range want.Stages {
		if st.Name == "Retired" && len(st.Remove) > 0 {
			t.Errorf("removes %v", st.Remove)
		}
	}
	in := eximWants(false, on)
	edit, ok := steptest.Stage(t, steptest.Build(t, in), "Door").Edits[0].(state.BlockEdit)
	if !ok || edit.Path != "/etc/exim4/exim4.conf.localmacros" || edit.Drop || edit.Lines[0] != "CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mailsetup.rcpt" {
		t.Errorf("unsplit: %+v", edit)
	}
	in.Facts.Files["/etc/exim4/exim4.conf.localmacros"] = []byte("X = y\n# mailsetup: incoming mail\nCHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mailsetup.rcpt\n# mailsetup: end of incoming mail\n")
	if st := steptest.Stage(t, steptest.Build(t, in), "Checks"); len(st.Units) != 1 {
		t.Errorf("--allow counts after a reload: %+v", st.Units)
	}
	in.Spec.Host.Inbound = policy.Policy{}
	off := steptest.Build(t, in)
	if st := steptest.Stage(t, off, "Retired"); len(st.Remove) != 1 || st.Remove[0] != "/etc/exim4/mailsetup.rcpt" {
		t.Errorf("off: %+v", st)
	}
	if edit, ok := steptest.Stage(t, off, "Door").Edits[0].(state.BlockEdit); !ok || !edit.Drop {
		t.Errorf("off: %+v", edit)
	}
}

// What the administrator has stays, and one file of theirs can include ours.
func TestEximThatIsSetUpByHand(t *testing.T) {
	in := eximWants(true, policy.Policy{SPF: policy.Reject})
	in.Facts.Exim.Checks = map[string]state.EximMacro{"CHECK_RCPT_SPF": {Value: "true", At: "/etc/exim4/conf.d/main/00_local:1"}}
	stage, notes, err := inbound.EximChecks(in)
	if err != nil || strings.Contains(string(stage.Files[0].Content), "spf =") || len(notes) != 1 || !strings.Contains(notes[0].Text, "00_local:1 has Debian's ACL check SPF already") {
		t.Errorf("%v %+v\n%s", err, notes, stage.Files[0].Content)
	}
	in.Facts.Exim.Checks = map[string]state.EximMacro{"CHECK_RCPT_LOCAL_ACL_FILE": {Value: "CONFDIR/mine", At: "/etc/exim4/conf.d/main/00_local:2"}}
	_, _, err = inbound.EximDoor(in)
	var refused *step.Refusal
	if !errors.As(err, &refused) || refused.Hint != "echo '.include_if_exists /etc/exim4/mailsetup.rcpt' >>/etc/exim4/mine, then run this again" {
		t.Errorf("%+v", refused)
	}
	in.Facts.Exim.Checks["CHECK_RCPT_LOCAL_ACL_FILE"] = state.EximMacro{Value: "CONFDIR/mine", Includes: true}
	if stage, _, err = inbound.EximDoor(in); err != nil || len(stage.Files)+len(stage.Edits) > 0 {
		t.Errorf("%v %+v", err, stage)
	}
}

// SPF needs the heavy daemon, with a yes where it takes the place of the light one.
func TestTheDaemonThatChecksSPF(t *testing.T) {
	in := eximWants(false, policy.Policy{SPF: policy.Mark})
	in.Facts.Installed = map[string]bool{"exim4-daemon-light": true, "bind9": true}
	st := steptest.Stage(t, steptest.Build(t, in), "Packages")
	if len(st.Packages) != 1 || st.Packages[0].Name != "exim4-daemon-heavy" || len(st.Questions) != 1 || st.Questions[0].Kind != state.AskMTA {
		t.Errorf("%+v", st)
	}
	in.Spec.Host.Inbound = policy.Policy{DNSBL: []string{"bl.example=127.0.0.2"}}
	if st := steptest.Stage(t, steptest.Build(t, in), "Packages"); len(st.Packages)+len(st.Questions) > 0 {
		t.Errorf("block lists: %+v", st)
	}
	in.Spec.Host.Inbound = policy.Policy{DMARC: policy.Mark}
	var refused *step.Refusal
	if _, err := steps.Build(steps.All(), in); !errors.As(err, &refused) || !strings.Contains(refused.What, "no exim4 of Debian can check DMARC") || !strings.Contains(strings.Join(refused.Hints(), "\n"), "variant=rspamd") {
		t.Errorf("DMARC: %v", err)
	}
}
