package outside_test

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/outside/outsidetest"
	"mailsetup/internal/dnsclient/dnstest"
)

// everywhere is a resolver that has all names on this machine.
func everywhere(t *testing.T) outside.World {
	t.Helper()
	return outsidetest.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		if r.Question[0].Qtype == dns.TypeA {
			return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+" 60 IN A 127.0.0.1")
		}
		return dnstest.Reply(t, r, dns.RcodeSuccess)
	}))
}

func TestJSON(t *testing.T) {
	w := everywhere(t)
	outsidetest.Web(t, &w, []string{"one.example"}, map[string]string{
		"one.example/right?x=1": `{"a":"b"}`, "one.example/wrong": "<html>", "other.example/": `{}`, "one.example/long": `{"a":"` + strings.Repeat("x", 3<<20) + `"}`,
	})
	for url, want := range map[string]string{
		"https://one.example/right?x=1": "",
		"https://one.example/gone":      "the web server answers 404",
		"https://one.example/wrong":     "invalid character '<'",
		"https://one.example/long":      "more than 2097152 octets",
		"https://other.example/":        "certificate",
		"http://one.example/right?x=1":  "no HTTPS address",
	} {
		var into struct {
			A string `json:"a"`
		}
		err := w.JSON(t.Context(), url, &into)
		if want == "" && (err != nil || into.A != "b") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, %+v; want %q", url, err, into, want)
		}
	}
}

func TestClockOffset(t *testing.T) {
	for _, ahead := range []time.Duration{0, 90 * time.Second, -time.Hour} {
		w := everywhere(t)
		outsidetest.Clock(t, &w, ahead)
		if got, err := w.ClockOffset(t.Context(), "time.example"); err != nil || (got-ahead).Abs() > time.Second {
			t.Errorf("%v, %v; want %v", got, err, ahead)
		}
	}
}

func TestGreets(t *testing.T) {
	for greeting, want := range map[string]string{
		"220 mx.example ESMTP\r\n": "", "554 no\r\n": "", "": "it takes the connection and says nothing", "HTTP/1.1 400\r\n": "what answers there is no mail server",
	} {
		w := everywhere(t)
		outsidetest.Mail(t, &w, greeting)
		got := ""
		if err := w.Greets(t.Context(), "tcp4", "mx.example"); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", greeting, got, want)
		}
	}
	w := everywhere(t)
	w.SMTP = "1"
	if err := w.Greets(t.Context(), "tcp4", "mx.example"); err == nil {
		t.Error("a port that is closed")
	}
}
