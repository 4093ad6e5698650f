package check_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/miekg/dns"

	"mailsetup/internal/check"
	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/machine"
	"mailsetup/internal/text"
)

// rr is a record of a question's name and type, as a hostile zone would have it.
func rr(q dns.Question, n int) string {
	switch q.Qtype {
	case dns.TypeTXT:
		return fmt.Sprintf(`"v=spf1 include:i%d.%s ~all"`, n, strings.TrimSuffix(q.Name, "."))
	case dns.TypeMX:
		return fmt.Sprintf("%d mx%d.%s", n%65536, n, q.Name)
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR:
		return fmt.Sprintf("n%d.%s", n, q.Name)
	case dns.TypeA:
		return fmt.Sprintf("198.51.%d.%d", n/256%256, n%256)
	case dns.TypeAAAA:
		return fmt.Sprintf("2001:db8::%x", n%65536)
	case dns.TypeSOA:
		return "ns.hostile.example. h.hostile.example. 1 2 3 4 5"
	}
	return ""
}

func answerOf(t *testing.T, r *dns.Msg, n int) *dns.Msg {
	var list []string
	for i := range n {
		if data := rr(r.Question[0], i); data != "" {
			list = append(list, fmt.Sprintf("%s 1 IN %s %s", r.Question[0].Name, dns.TypeToString[r.Question[0].Qtype], data))
		}
	}
	return dnstest.Reply(t, r, dns.RcodeSuccess, list...)
}

// patience is how long an answer is waited for: a tenth of the usual time, so that the
// same number of waits takes a tenth of it.
const patience = 200 * time.Millisecond

// hostile are name servers that answer as nobody should.
var hostile = map[string]func(t *testing.T, r *dns.Msg) *dns.Msg{
	"sixty kilobytes of text": func(t *testing.T, r *dns.Msg) *dns.Msg {
		m := dnstest.Reply(t, r, dns.RcodeSuccess)
		if r.Question[0].Qtype == dns.TypeTXT {
			txt := &dns.TXT{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}, Txt: []string{"v=spf1 "}}
			for range 235 {
				txt.Txt = append(txt.Txt, strings.Repeat("a ip4:192.0.2.1 ", 15))
			}
			m.Answer = []dns.RR{txt}
		}
		return m
	},
	"thousands of records": func(t *testing.T, r *dns.Msg) *dns.Msg { return answerOf(t, r, 1500) },
	"an alias of itself": func(t *testing.T, r *dns.Msg) *dns.Msg {
		return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+" 1 IN CNAME "+r.Question[0].Name)
	},
	"aliases without end": func(t *testing.T, r *dns.Msg) *dns.Msg {
		return dnstest.Reply(t, r, dns.RcodeSuccess, fmt.Sprintf("%s 1 IN CNAME x%d.hostile.example.", r.Question[0].Name, rand.IntN(1<<30)))
	},
	"includes without end": func(t *testing.T, r *dns.Msg) *dns.Msg { return answerOf(t, r, 1) },
	"answers for other names": func(t *testing.T, r *dns.Msg) *dns.Msg {
		m := answerOf(t, r, 3)
		for _, a := range m.Answer {
			a.Header().Name = "other.example."
		}
		return m
	},
	"terminal escapes": func(t *testing.T, r *dns.Msg) *dns.Msg {
		evil := `"v=spf1 \027[2J\027]0;owned\007 \226\128\174 \155[31m ip4:1 "`
		switch r.Question[0].Qtype {
		case dns.TypeTXT:
			return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+" 1 IN TXT "+evil, r.Question[0].Name+` 1 IN TXT "v=DMARC1; p=\027[5m; rua=mailto:a\010@b"`)
		case dns.TypeMX:
			return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 1 IN MX 1 \027\091\050J\010.hostile.example.`)
		case dns.TypePTR, dns.TypeNS:
			return dnstest.Reply(t, r, dns.RcodeSuccess, r.Question[0].Name+` 1 IN `+dns.TypeToString[r.Question[0].Qtype]+` \027\091\050J.hostile.example.`)
		}
		return answerOf(t, r, 1)
	},
	"drops by drops": func(t *testing.T, r *dns.Msg) *dns.Msg {
		time.Sleep(patience * 3 / 4)
		return answerOf(t, r, 2)
	},
	"failures of all kinds": func(t *testing.T, r *dns.Msg) *dns.Msg {
		return dnstest.Reply(t, r, []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers}[rand.IntN(5)])
	},
	"no answer at all": func(t *testing.T, _ *dns.Msg) *dns.Msg { <-t.Context().Done(); return nil },
}

// TestHostileNameServers: whatever comes from DNS, a check ends soon, with little memory,
// and prints nothing that a terminal would obey.
func TestHostileNameServers(t *testing.T) {
	for name, answer := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			server := dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
				asked.Add(1)
				return answer(t, r)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			begun := time.Now()
			dns := dnsclient.New(server)
			dns.Timeout = patience
			m := machine.New(debian(""), dns, machine.Options{DryRun: true, Command: "check", Logf: t.Logf})
			r, err := check.On(ctx, m, check.Options{Domains: []string{"hostile.example"}, Selection: finding.Selection{Skip: []string{"live"}}})
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(begun)
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			t.Logf("%d questions, %v, heap %d MB, %+v", asked.Load(), took.Round(10*time.Millisecond), memory.HeapSys>>20, r.Summary)
			if asked.Load() > 2000 {
				t.Errorf("%d questions", asked.Load())
			}
			within := time.Minute // for the work
			if name == "no answer at all" || name == "drops by drops" {
				within = 60 * patience
			}
			if took > within {
				t.Errorf("took %v", took)
			}
			if memory.HeapSys > 300<<20 {
				t.Errorf("%d MB", memory.HeapSys>>20)
			}
			var out, data bytes.Buffer
			if err := r.WriteJSON(&data); err != nil || !json.Valid(data.Bytes()) {
				t.Errorf("no JSON: %v", err)
			}
			if out.Len()+data.Len() > 2<<20 {
				t.Errorf("%d octets of report", out.Len()+data.Len())
			}
			if err := r.WriteText(text.NewSafeWriter(&out), report.TextOptions{Width: 80}); err != nil {
				t.Error(err)
			}
			for _, c := range out.String() {
				if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
					t.Fatalf("a terminal would obey %q:\n%.500q", c, out.String())
				}
			}
			for _, f := range r.Findings {
				if f.Domain == "hostile.example" && f.Severity != finding.Unknown && (name == "failures of all kinds" || name == "no answer at all") {
					t.Errorf("nothing is known: %s %s %s %s", f.Severity, f.ID, f.Subject, f.Seen)
				}
			}
		})
	}
}
