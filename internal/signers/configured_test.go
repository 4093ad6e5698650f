package signers_test

import (
	"reflect"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/signers"
	"mailsetup/internal/state"
)

// TestConfiguredKeys: which key signs for a domain, as files and tools of the programs
// say.
func TestConfiguredKeys(t *testing.T) {
	m := detecttest.New()
	m.PutFile("/etc/other.conf", "KeyTable /etc/dkim/keys\nSigningTable refile:/etc/dkim/signing\nSignatureAlgorithm ed25519-sha256\n")
	m.PutFile("/etc/dkim/keys", "k1 lab.example:S1:/etc/dkim/lab.pem\nk2 example.net:net:/etc/dkim/net.pem\n")
	m.PutFile("/etc/dkim/signing", "*@lab.example k1\n*@*.lab.example k1\n*@shop.example k2\n")
	m.Says("rspamadm configdump -j dkim_signing", `{"selector": "dkim", "path": "/var/lib/rspamd/dkim/$domain.$selector.key"}`)
	m.PutFile("/var/lib/rspamd/dkim/spam.example.dkim.key", "x")
	m.PutFile("/etc/amavis/conf.d/50-user", "$enable_dkim_signing = 1;\n")
	m.Says("amavisd showkeys", "; key#1 2048 bits, s=am, d=vis.example, /var/lib/amavis/dkim/vis.pem\n")
	f := state.Facts{
		OpenDKIM: &state.OpenDKIM{Args: []string{"/usr/sbin/opendkim", "-x", "/etc/other.conf"}}, Rspamd: true,
		Installed: map[string]bool{"amavisd-new": true},
	}
	got := signers.ConfiguredKeys(t.Context(), m, f, []string{"lab.example", "sub.lab.example", "shop.example", "spam.example", "vis.example", "none.example"})
	lab := []signers.Key{{Domain: "lab.example", Selector: "s1", File: "/etc/dkim/lab.pem", Program: "OpenDKIM"}}
	want := map[string][]signers.Key{
		"lab.example": lab, "sub.lab.example": lab,
		"shop.example": {{Domain: "example.net", Selector: "net", File: "/etc/dkim/net.pem", Program: "OpenDKIM"}},
		"spam.example": {{Domain: "spam.example", Selector: "dkim", File: "/var/lib/rspamd/dkim/spam.example.dkim.key", Program: "rspamd"}},
		"vis.example":  {{Domain: "vis.example", Selector: "am", File: "/var/lib/amavis/dkim/vis.pem", Program: "amavis"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := signers.ConfiguredKeys(t.Context(), m, state.Facts{}, []string{"lab.example"}); len(got) > 0 {
		t.Errorf("without any signer: %+v", got)
	}
}
