package inbound_test

import (
	"encoding/json"
	"errors"
	"testing"

	"mailsetup/internal/inbound"
)

func TestCompared(t *testing.T) {
	p := inbound.Policy{SPF: "mark"}
	const differs = "\nThat is asked for, and this server is not so yet: mailsetup inbound --dry-run\nshows what differs, and mailsetup inbound --yes puts it right.\n"
	if got := p.Compared(true, errors.New("changes")); got != differs {
		t.Error(got)
	}
	if got := p.Compared(false, errors.New("no root")); got != "\nThat is asked for; whether this server is so could not be found out: no root\n" {
		t.Error(got)
	}
	if got := p.Compared(false, nil); got != "" {
		t.Error(got)
	}
}

func TestDocument(t *testing.T) {
	p := inbound.Policy{SPF: "mark", DNSBL: []string{"abcdefghijklmnopqrstuvwxyz.zen.dq.spamhaus.net=127.0.0.[2..11]"}, Allow: []string{}}
	const policy = `{"spf":"mark","dmarc":"off","dnsbl":["zen.dq.spamhaus.net=127.0.0.[2..11]"],"allow":[],`
	for _, tt := range []struct {
		changes bool
		err     error
		want    string
	}{
		{true, errors.New("changes"), `"as_asked":false}`},
		{false, nil, `"as_asked":true}`},
		{false, errors.New("no root"), `"as_asked":null,"unknown":"no root"}`},
	} {
		if got, err := json.Marshal(p.Document(tt.changes, tt.err)); string(got) != policy+tt.want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, policy+tt.want)
		}
	}
}

func TestWhatIsInForce(t *testing.T) {
	const key = "abcdefghijklmnopqrstuvwxyz"
	for _, tt := range []struct {
		p                   inbound.Policy
		summary, text, data string
	}{
		{
			inbound.Policy{Allow: []string{}},
			"not checked for SPF, DMARC or block lists",
			"SPF          off: not checked\nDMARC        off: not checked\nBlock lists  none\nLet past     none\n",
			`{"spf":"off","dmarc":"off","dnsbl":[],"allow":[],"as_asked":true}`,
		},
		{
			inbound.Policy{Allow: []string{"192.0.2.7"}},
			"not checked for SPF, DMARC or block lists, which 1 would be let past",
			"SPF          off: not checked\nDMARC        off: not checked\nBlock lists  none\nLet past     192.0.2.7 (nothing is checked yet)\n",
			`{"spf":"off","dmarc":"off","dnsbl":[],"allow":["192.0.2.7"],"as_asked":true}`,
		},
		{
			inbound.Policy{SPF: "reject", DMARC: "quarantine", DNSBL: []string{key + ".zen.dq.spamhaus.net=127.0.0.[2..11]"}, Allow: []string{"192.0.2.7", "@shop.example"}},
			"SPF reject, DMARC quarantine, 1 block list, 2 let past",
			"SPF          reject: mail from servers that its domain forbids is refused\n" +
				"DMARC        quarantine: a header to file by what its domain wants in the spam folder\n" +
				"Block lists  zen.dq.spamhaus.net=127.0.0.[2..11]\nLet past     192.0.2.7 @shop.example\n",
			`{"spf":"reject","dmarc":"quarantine","dnsbl":["zen.dq.spamhaus.net=127.0.0.[2..11]"],"allow":["192.0.2.7","@shop.example"],"as_asked":true}`,
		},
		{
			inbound.Policy{SPF: "mark", DMARC: "reject", Allow: []string{}},
			"SPF mark, DMARC reject",
			"SPF          mark: a header says what failed, and nothing is refused\n" +
				"DMARC        reject: what the domain in From wants refused is refused\nBlock lists  none\nLet past     none\n",
			`{"spf":"mark","dmarc":"reject","dnsbl":[],"allow":[],"as_asked":true}`,
		},
	} {
		data, err := json.Marshal(tt.p.Document(false, nil))
		if got := tt.p.Summary(); got != tt.summary {
			t.Errorf("summary %q, want %q", got, tt.summary)
		}
		if got := tt.p.Text(); got != tt.text {
			t.Errorf("text\n%s\nwant\n%s", got, tt.text)
		}
		if string(data) != tt.data || err != nil {
			t.Errorf("data %s, %v, want %s", data, err, tt.data)
		}
	}
}
