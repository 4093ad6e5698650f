package check_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
)

// theKey is that of all domains here.
var theKey = sync.OnceValue(func() *keygen.Key {
	k, err := keygen.Generate(1024)
	if err != nil {
		panic(err)
	}
	return k
})

// world is a server with many domains, each of which is a zone with all that mail needs,
// and the name server of all of them, which counts.
type world struct {
	t *testing.T
	*detecttest.Machine
	domains int
	delay   time.Duration

	port      string
	asked     atomic.Int64
	now, most atomic.Int64 // questions on their way
	mu        sync.Mutex
	questions map[string]int // how often each was put
	parsed    map[string]dns.RR

	slow time.Duration // how long reading a private key takes
	hang chan struct{} // until it is closed, reading a file does not end
	of   state.Path    // which
}

// newWorld returns a server with domains beside lab.example.
func newWorld(t *testing.T, domains int) *world {
	return &world{
		t: t, Machine: debian("", hostFile+"dns = \"manual\"\n"), domains: domains,
		questions: map[string]int{}, parsed: map[string]dns.RR{}, hang: make(chan struct{}),
	}
}

// serve starts the name server, whose answers take a while.
func (w *world) serve(delay time.Duration) *world {
	w.delay = delay
	w.port = dnstest.ServeAll(w.t, map[string]func(*dns.Msg) *dns.Msg{"127.0.0.1": w.answer})
	return w
}

func name(i int) string { return fmt.Sprintf("d%05d.example", i) }

// List, Read and Stat have the files of the domains, which are made when they are read.
func (w *world) List(p state.Path) ([]string, error) {
	ending := map[state.Path]string{spec.DomainsDir(): ".toml", state.LedgerDir: ".json"}[p]
	if ending == "" {
		return w.Machine.List(p)
	}
	list := []string{"lab.example" + ending}
	for i := range w.domains {
		list = append(list, name(i)+ending)
	}
	return list, nil
}

func (w *world) Read(p state.Path) (state.Object, error) {
	if p == w.of {
		<-w.hang
	}
	domain := strings.TrimSuffix(strings.TrimSuffix(p.Base(), ".toml"), ".json")
	o := state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root}
	switch {
	case p == spec.DomainFile(domain):
		d := spec.Domain{Name: domain, Selector: "s1", KeyBits: 1024, TTL: 3600, SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: "none"}}
		o.Content = spec.MarshalDomain(d)
	case p == keyring.File(domain):
		since := map[keyring.Stage]time.Time{keyring.Staged: started, keyring.Publishing: started, keyring.Active: started}
		o.Content = keyring.MarshalDomain([]keyring.Key{{
			Selector: "s1", Bits: 1024, Public: theKey().Public(), Fingerprint: "SHA256:x", File: "/etc/dkimkeys/" + domain + "/s1.private", Stage: keyring.Active, Since: since,
		}})
	case strings.HasPrefix("/etc/dkimkeys/", string(p)+"/"), strings.HasPrefix(string(p), "/etc/dkimkeys/") && p.Base() != "s1.private":
		o.Kind, o.Mode = state.Directory, 0o755
	case p.Base() == "s1.private":
		time.Sleep(w.slow)
		o.Content = theKey().PEM()
	default:
		return w.Machine.Read(p)
	}
	return o, nil
}

var started = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func (w *world) Stat(p state.Path) (state.Object, error) {
	if strings.HasPrefix(string(p), "/etc/dkimkeys/") {
		return state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root}, nil
	}
	return w.Machine.Stat(p)
}

var _ system.System = (*world)(nil)

func (w *world) answer(r *dns.Msg) *dns.Msg {
	w.asked.Add(1)
	for n, was := w.now.Add(1), w.most.Load(); n > was && !w.most.CompareAndSwap(was, n); was = w.most.Load() {
	}
	defer w.now.Add(-1)
	q := r.Question[0]

	w.mu.Lock()
	w.questions[fmt.Sprintf("%s %s, recursion %v", q.Name, dns.TypeToString[q.Qtype], r.RecursionDesired)]++
	w.mu.Unlock()
	time.Sleep(w.delay)
	m := dnstest.Reply(w.t, r, dns.RcodeSuccess)
	if m.Answer = w.records(q); len(m.Answer) == 0 {
		if labels := dns.SplitDomainName(q.Name); len(labels) > 1 && labels[len(labels)-1] == "example" {
			zone := strings.Join(labels[len(labels)-2:], ".") + "."
			m.Ns = w.records(dns.Question{Name: zone, Qtype: dns.TypeSOA})
			if len(labels) > 2 && labels[0] != "_domainkey" {
				m.Rcode = dns.RcodeNameError
			}
		}
	}
	return m
}

func (w *world) records(q dns.Question) (list []dns.RR) {
	labels := dns.SplitDomainName(q.Name)
	rr := func(data string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		of := dns.TypeToString[q.Qtype] + " " + data
		if w.parsed[of] == nil { // which takes longer than all else
			w.parsed[of] = dnstest.RRs(w.t, ". 60 IN "+of)[0]
		}
		one := dns.Copy(w.parsed[of])
		one.Header().Name = q.Name
		list = append(list, one)
	}
	const soa = "ns.lab.example. h.lab.example. 8 3600 900 1209600 60"
	domain := len(labels) == 2 && labels[1] == "example"
	switch {
	case q.Qtype == dns.TypeSOA && (domain || len(labels) == 1):
		rr(soa)
	case q.Qtype == dns.TypeNS && (domain || len(labels) == 1):
		rr("ns.lab.example.")
	case q.Qtype == dns.TypeMX && domain:
		rr("10 mail.lab.example.")
	case q.Qtype == dns.TypeA && q.Name == "ns.lab.example.":
		rr("127.0.0.1")
	case q.Qtype == dns.TypeA && q.Name == "mail.lab.example.":
		rr("192.0.2.25")
	case q.Qtype == dns.TypeTXT && domain:
		rr(`"v=spf1 ip4:192.0.2.25 ip4:192.0.2.10 mx ~all"`)
	case q.Qtype == dns.TypeTXT && labels[0] == "_dmarc" && len(labels) == 3:
		rr(`"v=DMARC1; p=none"`)
	case q.Qtype == dns.TypeTXT && labels[0] == "s1":
		rr(`"v=DKIM1; k=rsa; p=` + theKey().Public() + `"`)
	}
	return list
}

// machine returns the server for a check.
func (w *world) machine() *machine.Machine {
	c := dnsclient.New("127.0.0.1:" + w.port)
	c.Port, c.Timeout = w.port, 10*time.Second
	return machine.New(w, c, machine.Options{DryRun: true, Logf: w.t.Logf})
}

// dnsGroups are the groups that ask DNS about each domain.
const dnsGroups = "spf dkim dmarc dns zone mx"

// Look-ups overlap: of many domains, of all groups of a domain, and of a group. No question
// is put twice, and no more are on their way than sockets take.
func TestLookupsOverlap(t *testing.T) {
	const domains = 30
	w := newWorld(t, domains).serve(50 * time.Millisecond)
	o := check.Options{}
	o.Only = strings.Fields(dnsGroups)
	if _, err := check.On(t.Context(), w.machine(), o); err != nil {
		t.Fatal(err)
	}
	if most := w.most.Load(); most < 2*domains || most > 500 {
		t.Errorf("%d questions at a time about %d domains", most, domains)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	of := 0
	for q, n := range w.questions {
		if strings.Contains(q, "d00007.example. ") {
			of += n
		}
		tcp := strings.Contains(q, ".example. SOA, recursion false") // of one zone, since all have one server
		if n > 2 || n > 1 && !tcp {
			t.Errorf("%d times: %s", n, q)
		}
	}
	if of < 15 || of > 20 {
		t.Errorf("%d questions about a domain", of)
	}
}

// Of one domain, too.
func TestLookupsOfOneDomainOverlap(t *testing.T) {
	w := newWorld(t, 1).serve(100 * time.Millisecond)
	o := check.Options{Domains: []string{name(0)}}
	o.Only = strings.Fields(dnsGroups)
	if _, err := check.On(t.Context(), w.machine(), o); err != nil {
		t.Fatal(err)
	}
	if most := w.most.Load(); most < 6 {
		t.Errorf("%d questions at a time", most)
	}
}
