package inbound_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	policy "mailsetup/internal/inbound"
	"mailsetup/internal/state"
	"mailsetup/steps/inbound"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// guarded is a server at whose door rspamd stands.
func guarded(p policy.Policy) step.Input {
	in := marking(debianConf)
	in.Facts.Rspamd, in.Spec.Host.Inbound = true, p
	in.Facts.Postfix.Raw["smtpd_milters"] = "inet:localhost:11332"
	in.Facts.Postfix.Services = []state.Service{steptest.Service("smtp/inet smtpd")}
	in.Facts.Daemons["rspamd.service"] = state.Daemon{Running: true}
	return in
}

const ours = "# Made by mailsetup: see [inbound] of /etc/mailsetup/host.toml.\n"

func TestRspamdIsTold(t *testing.T) {
	in := guarded(policy.Policy{
		SPF: policy.Reject, DMARC: policy.Reject, DNSBL: []string{"abcdefghijklmnopqrstuvwxyz.zen.dq.spamhaus.net=127.0.0.[2..4]"},
		Allow: []string{"198.51.100.0/24", ".relay.example", "fax.example.com", "@shop.example", "ann+x/y@list.example", "/bob@list.example"},
	})
	if got := inbound.Packages(in); len(got) > 0 {
		t.Errorf("installs %v", got)
	}
	stage, _, err := inbound.DMARC(in)
	if err != nil || len(stage.Edits) > 0 {
		t.Fatalf("%+v, %v", stage, err)
	}
	const names = `"FORCE_ACTION_MAILSETUP_SPF", "FORCE_ACTION_MAILSETUP_DMARC", "FORCE_ACTION_MAILSETUP_QUARANTINE", "FORCE_ACTION_MAILSETUP_LIST_1"`
	want := map[state.Path]string{
		"/etc/rspamd/local.d/milter_headers.conf": ours + "use = [\"authentication-results\"];\n",
		"/etc/rspamd/local.d/rbl.conf": ours + `rbls {
  mailsetup_list_1 {
    symbol = "MAILSETUP_LIST_1";
    rbl = "abcdefghijklmnopqrstuvwxyz.zen.dq.spamhaus.net";
    checks = ["from"];
    ignore_whitelist = true;
    returncodes {
      MAILSETUP_LIST_1_LISTED = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    }
  }
}
`,
		"/etc/rspamd/local.d/force_actions.conf": ours + `rules {
  MAILSETUP_SPF {
    action = "reject";
    expression = "R_SPF_FAIL";
    message = "SPF: the domain of the sender forbids this server";
  }
  MAILSETUP_DMARC {
    action = "reject";
    expression = "DMARC_POLICY_REJECT";
    message = "DMARC: the domain in From wants this refused";
  }
  MAILSETUP_QUARANTINE {
    action = "add header";
    expression = "DMARC_POLICY_QUARANTINE";
  }
  MAILSETUP_LIST_1 {
    action = "reject";
    expression = "MAILSETUP_LIST_1_LISTED";
    message = "Service unavailable; client blocked using zen.dq.spamhaus.net";
  }
}
`,
		"/etc/rspamd/local.d/settings.conf": ours + `mailsetup_ip {
  priority = "high";
  ip = ["127.0.0.0/8", "::1/128", "192.0.2.10/32", "198.51.100.0/24"];
  apply { symbols_disabled = [` + names + `]; }
}
mailsetup_hostname {
  priority = "high";
  hostname = ["/^.*\\.relay\\.example$/i", "/^fax\\.example\\.com$/i"];
  apply { symbols_disabled = [` + names + `]; }
}
mailsetup_from {
  priority = "high";
  from = ["@shop.example", "ann+x/y@list.example", "/^\\/bob@list\\.example$/i"];
  apply { symbols_disabled = [` + names + `]; }
}
`,
	}
	for _, f := range stage.Files {
		if string(f.Content) != want[f.Path] {
			t.Errorf("%s\n%s", f.Path, f.Content)
		}
		delete(want, f.Path)
	}
	if len(want) > 0 {
		t.Errorf("not made: %v", want)
	}
	u := stage.Units[0]
	if u.Name != "rspamd.service" || u.Action != state.Reload || u.Always || u.Probes[0].Kind != state.ProbeFilters || u.Probes[0].Address != "localhost:11332" || u.Probes[0].Name != "mail.lab.example" {
		t.Errorf("%+v", u)
	}
}

// Its own checker reads what will stand there, with the administrator's files beside ours.
func TestRspamdIsChecked(t *testing.T) {
	in := guarded(policy.Policy{SPF: policy.Mark})
	in.Facts.Files["/etc/rspamd/local.d/groups.conf"] = []byte("group {}\n")
	in.Facts.Files["/etc/rspamd/override.d/actions.conf"] = []byte("reject = 20;\n")
	in.Facts.Files["/etc/rspamd/local.d/dmarc.conf"] = []byte(ours + "actions {}\n") // of an earlier policy
	stage, _, err := inbound.DMARC(in)
	if err != nil || len(stage.Validators) != 1 || fmt.Sprint(stage.Remove) != "[/etc/rspamd/local.d/dmarc.conf]" {
		t.Fatalf("%+v, %v", stage, err)
	}
	v := stage.Validators[0]
	if got := fmt.Sprint(v.Needs); got != "[/etc/rspamd/local.d/groups.conf /etc/rspamd/override.d/actions.conf]" {
		t.Errorf("beside: %s", got)
	}
	argv := strings.Join(v.Argv(func(p state.Path) string { return "/s" + string(p) }), " ")
	if argv != "rspamadm --var=LOCAL_CONFDIR=/s/etc/rspamd --var=DBDIR=/s/etc/rspamd configtest" {
		t.Error(argv)
	}
}

func TestRspamdFilesOfTheAdministratorStay(t *testing.T) {
	in := guarded(policy.Policy{DMARC: policy.Quarantine})
	stage, _, err := inbound.DMARC(in)
	if err != nil || len(stage.Files) != 3 || !strings.Contains(string(stage.Files[1].Content), "    action = \"add header\";\n    expression = \"DMARC_POLICY_REJECT | DMARC_POLICY_QUARANTINE\";\n  }") {
		t.Fatalf("%+v, %v", stage, err)
	}
	for _, f := range stage.Files {
		in.Facts.Files[f.Path] = f.Content
	}
	in.Facts.Files["/etc/rspamd/local.d/milter_headers.conf"] = []byte("# mine\nuse = [ \"authentication-results\" ];\nuse =\n  [\"authentication-results\"];\n")
	in.Spec.Host.Inbound = policy.Policy{DMARC: policy.Mark}
	const both = "[/etc/rspamd/local.d/force_actions.conf /etc/rspamd/local.d/settings.conf]"
	if stage, _, err = inbound.DMARC(in); err != nil || len(stage.Files) > 0 || fmt.Sprint(stage.Remove) != both {
		t.Errorf("mark: %+v, %v", stage, err)
	}
	// Off, and where rspamd no longer stands at the door.
	in.Spec.Host.Inbound = policy.Policy{}
	if stage, _, err = inbound.DMARC(in); err != nil || fmt.Sprint(stage.Remove) != both || stage.Units[0].Probes[0].Kind != state.ProbeMilter {
		t.Errorf("off: %+v, %v", stage, err)
	}
	in.Facts.Rspamd = false
	stage, _, err = inbound.Retire(in)
	reloads := slices.ContainsFunc(stage.Units, func(u state.Unit) bool { return u.Name == "rspamd.service" && u.Action == state.Reload })
	if err != nil || fmt.Sprint(stage.Remove) != both || !reloads {
		t.Errorf("rspamd gone: %+v, %v", stage, err)
	}
}
