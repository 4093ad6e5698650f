package rollback_test

import (
	"net/netip"
	"strings"
	"testing"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// byHand are the files of a server whose records somebody publishes elsewhere.
func byHand(policy string) (host, domain state.Object) {
	h := spec.Host{
		Version: 1, Hostname: "mail.lab.example", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")},
		Domain: "lab.example", DNS: spec.DNSManual, MilterDefaultAction: "tempfail",
	}
	d := spec.Domain{
		Name: "lab.example", Selector: "s1", KeyBits: 2048, TTL: 600, Receive: true, SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: policy},
	}
	return file(string(spec.MarshalHost(h))), file(string(spec.MarshalDomain(d)))
}

// dnsNotes are those about DNS, with the records on one line.
func dnsNotes(notes []state.Note) string {
	var all []string
	for _, n := range notes {
		if n.Topic == "dns" {
			all = append(all, n.Text+": "+strings.Join(strings.Fields(n.Action), " "))
		}
	}
	return strings.Join(all, "\n")
}

// Where somebody else publishes the records, a rollback says which of them go, and
// which are needed again.
func TestRecordsOfOthersAfterARollback(t *testing.T) {
	h := newHost(t)
	h.Put(spec.DomainsDir(), state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	host, domain := byHand("none")
	h.run("a", change{spec.HostFile, host}, change{spec.DomainFile("lab.example"), domain}, change{labLedger, ledger(key("s1", keyring.Active))})
	_, stricter := byHand("reject")
	h.run("b", change{spec.DomainFile("lab.example"), stricter})

	const out = "take these records out of the DNS of lab.example, but for those that stood there before, or that something else needs: name type value "
	want := out + "_dmarc TXT v=DMARC1; p=reject\npublish these records of lab.example again: name type value _dmarc TXT v=DMARC1; p=none"
	if got := dnsNotes(h.back("b").Plan.Notes); got != want {
		t.Errorf("of a policy:\n%s\nwant\n%s", got, want)
	}
	want = strings.Replace(out, "type value", "type priority value", 1) + "mail A 192.0.2.10 @ MX 10 mail.lab.example. @ TXT v=spf1 ip4:192.0.2.10 mx ~all mail TXT v=spf1 ip4:192.0.2.10 ~all " +
		"s1._domainkey TXT v=DKIM1; h=sha256; k=rsa; p=PUBLICs1 _dmarc TXT v=DMARC1; p=none"
	if got := dnsNotes(h.back("a").Plan.Notes); got != want {
		t.Errorf("of all:\n%s\nwant\n%s", got, want)
	}
}
