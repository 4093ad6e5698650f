package facts_test

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/facts"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
)

// lists is a resolver through which block lists answer: their names and what they say.
func lists(t *testing.T, says map[string]string) *dnsclient.Client {
	t.Helper()
	return dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		answer := says[strings.TrimSuffix(strings.ToLower(r.Question[0].Name), ".")]
		switch {
		case answer == "SERVFAIL":
			return dnstest.Reply(t, r, dns.RcodeServerFailure)
		case answer == "" || r.Question[0].Qtype != dns.TypeA:
			return dnstest.Reply(t, r, dns.RcodeNameError)
		}
		m := dnstest.Reply(t, r, dns.RcodeSuccess)
		m.Answer = dnstest.RRs(t, r.Question[0].Name+" 60 IN A "+answer)
		return m
	}))
}

// A list proves itself through the resolver of this machine before anything is written:
// what is said of one that does not is what can be done about it here.
func TestBlockListsProveThemselves(t *testing.T) {
	const four, clear = "2.0.0.127.", "1.0.0.127."
	for _, tt := range []struct {
		name, list string
		says       map[string]string
		resolv     string
		fault      string
		hints      string
	}{
		{name: "in service", list: "bl.lab.example", says: map[string]string{four + "bl.lab.example": "127.0.0.2"}},
		{
			name: "dead", list: "bl.lab.example", fault: "block list bl.lab.example cannot be used here: it lacks its test entry: it is dead, or does not answer this resolver",
			hints: "dig +short 2.0.0.127.bl.lab.example has an answer where a list is in service\nleave it out, or name another list",
		},
		{
			name: "lists everything", list: "bl.lab.example", says: map[string]string{four + "bl.lab.example": "127.0.0.2", clear + "bl.lab.example": "127.0.0.2"},
			fault: "block list bl.lab.example cannot be used here: it lists everything, even what no list has",
			hints: "leave it out, or name another list",
		},
		{
			name: "of domains", list: "bl.lab.example", says: map[string]string{"test.bl.lab.example": "127.0.0.2"},
			fault: "block list bl.lab.example cannot be used here: it lists domains, and Postfix would ask it about addresses",
			hints: "leave it out, or name another list",
		},
		{
			name: "refuses a resolver of others", list: "zen.spamhaus.org", says: map[string]string{four + "zen.spamhaus.org": "127.255.255.254"}, resolv: "nameserver 192.0.2.53\n",
			fault: "block list zen.spamhaus.org cannot be used here: it does not answer this resolver: it is a public one, or has no name of its own",
			hints: "it wants to be asked by a resolver of your own on this server:\napt-get install unbound\nsed -i '1i nameserver 127.0.0.1' /etc/resolv.conf\nsystemctl restart postfix\n" +
				"with a key of its operator any resolver may ask: KEY.zen.dq.spamhaus.net\nleave it out, or name another list",
		},
		{
			name: "asked with a key that is wrong", list: "secretkey123.zen.dq.spamhaus.net", says: map[string]string{four + "secretkey123.zen.dq.spamhaus.net": "SERVFAIL"},
			fault: "block list zen.dq.spamhaus.net cannot be used here: it does not answer: look up 2.0.0.127.zen.dq.spamhaus.net. A: ",
			hints: "dig +short 2.0.0.127.zen.dq.spamhaus.net has an answer where a list is in service\nleave it out, or name another list",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.Machine = machine.New(s.Mem, lists(t, tt.says), machine.Options{Command: "init"})
			if tt.resolv != "" {
				s.PutFile("/etc/resolv.conf", tt.resolv)
			}
			sp := hosting(t, 1)
			sp.Host.Inbound.DNSBL = []string{tt.list}
			c := facts.New(s.Machine)
			defer c.Close()
			_, err := c.Gather(t.Context(), facts.Request{Spec: sp})
			switch {
			case tt.fault == "" && err != nil:
				t.Fatal(err)
			case tt.fault != "" && (err == nil || !hint.IsUsage(err) || !strings.HasPrefix(err.Error(), tt.fault) || strings.Contains(err.Error(), "secret")):
				t.Fatalf("%v\nwant %s", err, tt.fault)
			}
			if got := strings.Join(hint.Of(err), "\n"); got != tt.hints {
				t.Errorf("%s\nwant\n%s", got, tt.hints)
			}
		})
	}
}
