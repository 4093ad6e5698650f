package eximcheck_test

import (
	"strings"
	"testing"

	"mailsetup/internal/eximcheck"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
	"mailsetup/steps/exim"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// signing is a server on which exim4 signs, as mailsetup has set it up.
func signing(t *testing.T, split bool) (*systemtest.Mem, step.Input) {
	t.Helper()
	m := systemtest.NewMem()
	in := steptest.Exim(split)
	stage, _, err := exim.Configure(in)
	if err != nil {
		t.Fatal(err)
	}
	debconf := "dc_eximconfig_configtype='internet'\ndc_use_split_config='false'\n"
	if split {
		debconf = strings.Replace(debconf, "false", "true", 1)
	}
	m.PutFile(eximconf.DebconfFile, debconf)
	m.PutFile("/etc/mailname", string(in.Facts.Files["/etc/mailname"]))
	for _, f := range stage.Files {
		m.PutFile(f.Path, string(f.Content))
	}
	for _, e := range stage.Edits {
		text, err := m.Evaluate(t.Context(), e, state.Object{})
		if err != nil {
			t.Fatal(err)
		}
		m.PutFile(e.Target(), string(text))
	}
	m.PutFile(eximconf.Generated, "MAILSETUP_ROW = x\nbegin transports\nremote_smtp:\n.ifdef DKIM_DOMAIN\ndkim_domain = DKIM_DOMAIN\n.endif\n")
	m.OnRun = func(system.Command) (system.Result, error) { return system.Result{}, nil }
	in.Facts = state.Facts{} // the hourly run collects none
	return m, in
}

func replace(m *systemtest.Mem, p state.Path, old, now string) {
	o, _ := m.Read(p)
	m.PutFile(p, strings.Replace(string(o.Content), old, now, 1))
}

// What keeps exim4 from signing is named with what to type, and nothing where all is well.
func TestCause(t *testing.T) {
	const localmacros = eximconf.MacrosFile
	for name, tt := range map[string]struct {
		split       bool
		fault       func(m *systemtest.Mem)
		says, types string
	}{
		"nothing":        {false, func(*systemtest.Mem) {}, "", ""},
		"nothing, split": {true, func(*systemtest.Mem) {}, "", ""},
		"a line behind ours": {
			false, func(m *systemtest.Mem) {
				o, _ := m.Read(localmacros)
				m.PutFile(localmacros, string(o.Content)+"DKIM_DOMAIN == other.example\n")
			},
			"/etc/exim4/exim4.conf.localmacros:", "systemctl reload exim4",
		},
		"what changes no signature": {
			false, func(m *systemtest.Mem) {
				o, _ := m.Read(localmacros)
				m.PutFile(localmacros, string(o.Content)+"DKIM_TIMESTAMPS = 604800\nDKIM_STRICT = true\n")
			}, "", "",
		},
		"a line of ours": {
			false, func(m *systemtest.Mem) { replace(m, localmacros, "DKIM_CANON = relaxed", "DKIM_CANON = simple") },
			"were edited by hand", "mailsetup init --overwrite-drift",
		},
		"no lines of ours": {false, func(m *systemtest.Mem) { m.Delete(localmacros) }, "/etc/exim4/exim4.conf.localmacros does not have the settings", "mailsetup init"},
		"split since": {
			false, func(m *systemtest.Mem) { replace(m, eximconf.DebconfFile, "'false'", "'true'") },
			"/etc/exim4/conf.d/main/00_mailsetup is missing", "mailsetup init",
		},
		"a smarthost since": {
			true, func(m *systemtest.Mem) { replace(m, eximconf.DebconfFile, "internet", "smarthost") },
			"30_exim4-config_remote_smtp_smarthost_mailsetup is missing", "mailsetup init",
		},
		"a smarthost since, not split": {
			false, func(m *systemtest.Mem) { replace(m, eximconf.DebconfFile, "internet", "smarthost") },
			"remote_smtp_smarthost, which knows no DKIM", "dc_use_split_config='true'",
		},
		"no table":              {false, func(m *systemtest.Mem) { m.Delete(exim.Table) }, "/etc/exim4/mailsetup.dkim is missing", "mailsetup init"},
		"a row":                 {false, func(m *systemtest.Mem) { replace(m, exim.Table, "shop.example: shop", "shop.example: other") }, `has no row "shop.example: shop.example s1`, "mailsetup init"},
		"another mailname":      {false, func(m *systemtest.Mem) { m.PutFile("/etc/mailname", "new.lab.example\n") }, `has no row "new.lab.example: lab.example s1`, "mailsetup init"},
		"no reload":             {false, func(m *systemtest.Mem) { m.PutFile(eximconf.Generated, "begin transports\n") }, "was not made of the files that are there", "systemctl reload exim4"},
		"a transport of others": {false, func(m *systemtest.Mem) { replace(m, eximconf.Generated, "dkim_domain", "#") }, "no transport", "--force-confnew"},
		"another configuration": {false, func(m *systemtest.Mem) { m.PutFile(eximconf.WholeFile, "x\n") }, "/etc/exim4/exim4.conf is in the place", "conf.d"},
	} {
		m, in := signing(t, tt.split)
		tt.fault(m)
		err := eximcheck.Cause(t.Context(), m, in)
		if tt.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(strings.Join(hint.Of(err), "\n"), tt.types) {
			t.Errorf("%s: %v\n%q", name, err, hint.Of(err))
		}
	}
}

// A row that is gone is noticed, whichever of thousands it is, and keys that exim4 cannot read,
// whosever they are.
func TestFiles(t *testing.T) {
	m, in := signing(t, false)
	err := eximcheck.Files(m, in)
	if err == nil || !strings.Contains(err.Error(), "the private key of lab.example, is gone") || !strings.Contains(err.Error(), "and so it is with shop.example") {
		t.Error(err)
	}
	for name, keys := range in.Ledger {
		k, err := keygen.Generate(1024)
		if err != nil {
			t.Fatal(err)
		}
		m.Put(state.Path(keys[0].File), state.Object{Kind: state.Regular, Mode: 0o600, Owner: signer.EximOwner, Content: k.PEM()})
		keys[0].Public = k.Public()
		in.Ledger[name] = keys
	}
	replace(m, exim.Table, "\n", "\ngone.example: gone.example s1 /etc/exim4/dkim/gone.example/s1.private\n")
	if err := eximcheck.Files(m, in); err != nil {
		t.Errorf("with a row of a domain whose file is gone: %v", err)
	}
	replace(m, exim.Table, "shop.example: shop.example s1 /etc/exim4/dkim/shop.example/s1.private\n", "")
	if err := eximcheck.Files(m, in); err == nil || !strings.Contains(err.Error(), `/etc/exim4/mailsetup.dkim has no row "shop.example: `) {
		t.Error(err)
	}
}
