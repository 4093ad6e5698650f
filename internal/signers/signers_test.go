package signers

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// The lines are those of ss(8) of iproute2 6.15 and of rspamd, opendkim.
func TestWhoListens(t *testing.T) {
	var list []listener
	for _, line := range []string{
		`tcp   LISTEN 0      4096  127.0.0.1:11332      0.0.0.0:*    users:(("rspamd",pid=1090,fd=8),("rspamd",pid=604,fd=8))`,
		`tcp   LISTEN 0      100   0.0.0.0:8891         0.0.0.0:*    users:(("opendkim",pid=98,fd=4))`,
		`u_str LISTEN 0      50    /run/sign/sock 31170            * 0    users:(("opendkim",pid=77,fd=3))`,
		`tcp   LISTEN 0      100   0.0.0.0:25         0.0.0.0:*`,
	} {
		if l, ok := listening(line); ok {
			list = append(list, l)
		}
	}
	for address, want := range map[string]listener{
		"localhost:11332": {"127.0.0.1:11332", "rspamd", "1090"},
		"127.0.0.1:8891":  {"0.0.0.0:8891", "opendkim", "98"},
		"/run/sign/sock":  {"/run/sign/sock", "opendkim", "77"},
		"localhost:1133":  {},
		"localhost:25":    {},
	} {
		if got, _ := programAt(list, address); got != want {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

func TestProgram(t *testing.T) {
	files := systemtest.NewMem()
	files.PutFile("/proc/77/cmdline", "/usr/sbin/opendkim\x00-f\x00-x\x00/etc/opendkim-sign.conf\x00")
	files.PutFile("/proc/77/cgroup", "0::/system.slice/opendkim-sign.service\n")
	files.PutFile("/proc/78/cmdline", "/usr/bin/python3\x00/usr/bin/dkimpy-milter\x00/etc/dkimpy.conf\x00-P\x00/run/x.pid\x00")
	files.PutFile("/proc/78/cgroup", "0::/system.slice/dkimpy-milter.service\n")
	list := []listener{
		{"127.0.0.1:8892", "opendkim", "77"},
		{"127.0.0.1:8893", "dkimpy-milter", "78"},
		{"127.0.0.1:11332", "rspamd", "79"},
		{"127.0.0.1:7777", "perl", "80"},
	}
	for address, want := range map[string]state.Program{
		"localhost:8892":  {Kind: state.OtherOpenDKIM, Conf: "/etc/opendkim-sign.conf", Unit: "opendkim-sign.service"},
		"localhost:8893":  {Kind: state.DKIMPyMilter, Conf: "/etc/dkimpy.conf", Unit: "dkimpy-milter.service"},
		"localhost:11332": {Kind: state.RspamdProgram},
		"localhost:7777":  {},
	} {
		if got := program(files, list, address); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

// The text is what rspamadm configdump -j dkim_signing of rspamd 3.12 printed.
func TestRspamdSettings(t *testing.T) {
	got := rspamdSettings([]byte(`{
    "selector": "mail",
    "sign_local": true,
    "path": "/var/lib/rspamd/dkim/$domain.$selector.key",
    "domain": {
        "lab.example": {"selectors": [{"path": "/var/lib/rspamd/dkim/lab.example.mail.key", "selector": "mail"}]},
        "shop.example": {"path": "/x/$domain.key", "selector": "y"}
    },
    "sign_networks": ["127.2.4.7"]
}`))
	want := settings{pattern: "/var/lib/rspamd/dkim/$domain.$selector.key", selector: "mail", keys: []keyFile{
		{"lab.example", "mail", "/var/lib/rspamd/dkim/lab.example.mail.key"}, {"shop.example", "y", "/x/shop.example.key"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := want.others([]string{"lab.example"}); !slices.Equal(got, []string{"shop.example"}) {
		t.Errorf("others %q", got)
	}
	for sig, file := range map[state.Signature]string{
		{Domain: "lab.example", Selector: "mail"}: "/var/lib/rspamd/dkim/lab.example.mail.key",
		{Domain: "b.example", Selector: "mail"}:   "/var/lib/rspamd/dkim/b.example.mail.key",
	} {
		if got := want.candidate(sig); got != file {
			t.Errorf("%+v: %q", sig, got)
		}
	}
	if got := rspamdSettings([]byte("no JSON")); got.keys != nil || got.pattern != "" {
		t.Errorf("%+v", got)
	}
}

func TestDKIMPySettings(t *testing.T) {
	got := dkimpy("Domain\tlab.example, b.example # two\nKeyFile /etc/dkimkeys/py.key\nSelector Py\n")
	want := []keyFile{{"lab.example", "py", "/etc/dkimkeys/py.key"}, {"b.example", "py", "/etc/dkimkeys/py.key"}}
	if !slices.Equal(got.keys, want) {
		t.Errorf("%+v", got.keys)
	}
}

// The line is what amavisd showkeys of amavis 2.13 printed.
func TestAmavisKeys(t *testing.T) {
	got := amavisKeys("; key#1 2048 bits, s=am, d=lab.example, /var/lib/amavis/dkim/lab.pem\nam._domainkey.lab.example.\t3600 TXT (\n  \"v=DKIM1; p=\"\n  \"MIIB\")\n\n")
	if want := []keyFile{{"lab.example", "am", "/var/lib/amavis/dkim/lab.pem"}}; !slices.Equal(got.keys, want) {
		t.Errorf("%+v", got.keys)
	}
}

// amavis signs if the last file that speaks of it says so.
func TestAmavisSigns(t *testing.T) {
	for text, want := range map[string]bool{
		"$enable_dkim_signing = 1;\n":                                true,
		"$enable_dkim_signing = 1;\n$enable_dkim_signing = 0;\n":     false,
		"# $enable_dkim_signing = 1;\n":                              false,
		"$enable_dkim_verification = 1;\ndkim_key('a', 'b', 'c');\n": false,
	} {
		files := systemtest.NewMem()
		files.PutFile("/etc/amavis/conf.d/50-user", text)
		if got := amavisSigns(files); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A milter is asked about each domain until a message was signed; one that fails
// is told of and no longer asked; OpenDMARC is not asked at all; and what signs
// for further domains is named.
func TestAsk(t *testing.T) {
	files := systemtest.NewMem()
	files.OnRun = func(c system.Command) (system.Result, error) {
		if slices.Contains(c.Argv, "-t") {
			return system.Result{Stdout: []byte(`tcp LISTEN 0 9 127.0.0.1:8893 0.0.0.0:* users:(("opendmarc",pid=1,fd=4))` + "\n")}, nil
		}
		return system.Result{}, nil
	}
	var asked []string
	ask := func(_ context.Context, address, from string, c state.Client, _ func(string) ([]string, error)) ([]state.Signature, error) {
		asked = append(asked, address+" "+from+" "+string(c.Kind))
		if address == "localhost:2" {
			return nil, errors.New("no answer within 15s")
		}
		_, domain, _ := strings.Cut(from, "@")
		if c.Kind == state.BySMTP || domain == "b.example" {
			return nil, nil
		}
		return []state.Signature{{Domain: domain, Selector: "s", From: from}, {Domain: "esp.example", Selector: "x"}}, nil
	}
	both := []state.Client{{Kind: state.BySMTP}, {Kind: state.ByLogin}}
	got := Ask(t.Context(), files, ask, []state.Milter{
		{Endpoint: "one", Addresses: []string{"localhost:1"}, Clients: both},
		{Endpoint: "two", Addresses: []string{"localhost:2"}, Clients: both},
		{Endpoint: "dmarc", Addresses: []string{"localhost:8893"}, Clients: both},
		{Endpoint: "elsewhere", Clients: both},
	}, []string{"a.example", "b.example"}, []string{"c.example"}, nil)
	want := []string{
		"localhost:1 postmaster@a.example smtp", "localhost:1 postmaster@a.example login",
		"localhost:1 postmaster@b.example smtp", "localhost:1 postmaster@b.example login",
		"localhost:1 postmaster@c.example smtp", "localhost:1 postmaster@c.example login",
		"localhost:2 postmaster@a.example smtp",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	if m := got[0]; !m.Asked || len(m.Signatures) != 1 || m.Signatures[0].Domain != "a.example" || !slices.Equal(m.Program.Others, []string{"c.example"}) {
		t.Errorf("%+v", m)
	}
	if m := got[1]; m.Asked || m.Problem != "asked about a.example: no answer within 15s" {
		t.Errorf("%+v", m)
	}
	if m := got[2]; !m.Asked || len(m.Signatures) > 0 || m.Program.Kind != state.OpenDMARC {
		t.Errorf("%+v", m)
	}
	if m := got[3]; m.Asked || m.Problem != "" || m.AskedAt != "" {
		t.Errorf("%+v", m)
	}
}
