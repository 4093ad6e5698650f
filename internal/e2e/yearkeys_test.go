//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-milter"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"

	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/e2e/year"
	"mailsetup/internal/keyring"
)

// ledgerOf is what the program has written down of keys, read again where it changed.
type ledgerOf struct {
	box     *lab.Box
	stamps  map[string]time.Time // of files
	keys    map[string][]keyring.Key
	table   map[string]string // the selector of a domain in OpenDKIM's table
	changed []string          // domains whose keys, records or zone are not as they were
}

// read reads what changed: of all files, or where a directory has another file.
func (l *ledgerOf) read(t *testing.T, all bool) {
	l.changed = nil
	for dir, domain := range map[string]func(name string) (string, bool){
		"/var/lib/mailsetup/keyring": func(name string) (string, bool) { return strings.CutSuffix(name, ".json") },
		"/etc/bind/mailsetup":        func(name string) (string, bool) { return strings.CutSuffix(name, ".zone") },
		"/etc/bind/year":             func(name string) (string, bool) { return strings.CutPrefix(name, "db.") },
		"/etc/opendkim":              func(name string) (string, bool) { return "", name == "SigningTable" },
	} {
		stamp, err := os.Stat(l.box.Inside(dir))
		if err != nil {
			t.Fatal(err)
		}
		if !all && l.stamps[dir].Equal(stamp.ModTime()) {
			continue
		}
		l.stamps[dir] = stamp.ModTime()
		entries, err := os.ReadDir(l.box.Inside(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			d, ours := domain(e.Name())
			info, err := e.Info()
			if !ours || err != nil {
				continue
			}
			path := filepath.Join(dir, e.Name())
			if l.stamps[path].Equal(info.ModTime()) {
				continue
			}
			l.stamps[path] = info.ModTime()
			switch dir {
			case "/etc/opendkim":
				l.readTable(t)
			case "/var/lib/mailsetup/keyring":
				l.readKeys(t, d)
				l.changed = append(l.changed, d)
			default:
				l.changed = append(l.changed, d)
			}
		}
	}
	slices.Sort(l.changed)
	l.changed = slices.Compact(l.changed)
}

func (l *ledgerOf) readKeys(t *testing.T, domain string) {
	text, err := os.ReadFile(l.box.Inside(string(keyring.File(domain))))
	if err != nil {
		t.Fatal(err)
	}
	if l.keys[domain], err = keyring.ParseDomain(text); err != nil {
		t.Fatalf("%s: %v", domain, err)
	}
}

func (l *ledgerOf) readTable(t *testing.T) {
	text, err := os.ReadFile(l.box.Inside("/etc/opendkim/SigningTable"))
	if err != nil {
		t.Fatal(err)
	}
	l.table = map[string]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 {
			l.table[f[0]], _, _ = strings.Cut(f[1], "._domainkey.")
		}
	}
}

// stages counts keys.
func (l *ledgerOf) stages() map[string]int {
	n := map[string]int{}
	for _, keys := range l.keys {
		for _, k := range keys {
			n[string(k.Stage)]++
		}
	}
	return n
}

// begin meets the keys of all domains, and has each sign.
func (y *yearOf) begin() {
	y.start = time.Now()
	y.began = y.start
	y.servers.dial(y.t)
	y.ledger.read(y.t, true)
	y.meetKeys(0)
	all := slices.Sorted(maps.Keys(y.of))
	for range 600 {
		y.ask(all)
		if all = slices.DeleteFunc(all, y.agreed); len(all) == 0 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if len(all) > 0 {
		y.t.Fatalf("servers disagree about %d domains, %s first", len(all), all[0])
	}
	// What they said until they agreed is no part of the year.
	clear(y.keys)
	y.meetKeys(0)
	y.ask(slices.Collect(maps.Keys(y.of)))
	for _, d := range slices.Sorted(maps.Keys(y.of)) {
		selector, message, err := y.signed(d)
		if err != nil || selector != y.ledger.table[d] {
			y.t.Fatalf("%s: signed with %q: %v", d, selector, err)
		}
		y.signer[d], y.letters[d+" "+selector] = selector, message
		k := y.keys[d][selector]
		k.Signs, k.From = true, y.now()
		y.verify(d, selector, message)
	}
	y.pending, y.hour, y.looked = map[string]int{}, 1, y.now()
	y.swept = y.looked
}

// meetKeys begins to watch the records of keys that are new since a time.
func (y *yearOf) meetKeys(since time.Duration) {
	for _, d := range y.ledger.changed {
		c := y.of[d]
		if c == nil {
			continue
		}
		if y.keys[d] == nil {
			y.keys[d] = map[string]*year.Key{}
		}
		for _, k := range y.ledger.keys[d] {
			if y.keys[d][k.Selector] != nil || k.Stage == keyring.Gone {
				continue
			}
			negative := c.negative
			if since == 0 { // set up before the year
				negative = 0
			}
			key := year.NewKey(len(y.servers.addrs), negative, since)
			key.Drain = c.drain
			key.Verifies = y.verifier(d, k.Selector)
			y.keys[d][k.Selector] = key
		}
	}
}

// verifier returns a function that tells, with a message that the key really signed,
// whether it verifies with a text. Each text is tried once.
func (y *yearOf) verifier(domain, selector string) func(text string) bool {
	known := map[string]bool{}
	return func(text string) bool {
		ok, tried := known[text]
		if message := y.letters[domain+" "+selector]; !tried && message != nil {
			ok = verifies(message, text)
			known[text] = ok
		}
		return ok
	}
}

// verifies reports whether the one signature of a message holds with a record.
func verifies(message []byte, record string) bool {
	found, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) {
		if record == "" {
			return nil, &net.DNSError{IsNotFound: true}
		}
		return strings.Split(record, "\n"), nil
	}})
	return err == nil && len(found) == 1 && found[0].Err == nil
}

// ask asks all servers about the keys of domains, and returns those of which one gave
// another answer than before.
func (y *yearOf) ask(domains []string) (changed []string) {
	var names []string
	var keys []*year.Key
	var whose []string
	for _, d := range domains {
		for selector, k := range y.keys[d] {
			names, keys, whose = append(names, selector+"._domainkey."+d+"."), append(keys, k), append(whose, d)
		}
	}
	answers := y.servers.ask(names)
	at := y.now()
	for server := range answers {
		for i, a := range answers[server] {
			before, said := keys[i].Says(server)
			if a != nil && said && before != *a {
				changed = append(changed, whose[i])
			}
			keys[i].Observe(server, y.seen[whose[i]], at, a)
		}
	}
	for _, d := range domains {
		y.seen[d] = at
	}
	return changed
}

// agreed reports whether all servers say the same about each key of a domain.
func (y *yearOf) agreed(d string) bool {
	for _, k := range y.keys[d] {
		first, ok := k.Says(0)
		for server := range y.servers.addrs {
			if a, says := k.Says(server); !ok || !says || a.Text != first.Text {
				return false
			}
		}
	}
	return true
}

// settle takes domains off the list that all servers agree about, and forgets keys
// that are gone everywhere.
func (y *yearOf) settle() {
	for d, until := range y.pending {
		if until > y.hour || !y.agreed(d) {
			continue
		}
		delete(y.pending, d)
		for _, k := range y.ledger.keys[d] {
			key := y.keys[d][k.Selector]
			if key == nil || k.Stage != keyring.Gone {
				continue
			}
			if a, _ := key.Says(0); a.Text == "" && key.Until+key.Drain < y.now() {
				y.judge(d, k.Selector)
				delete(y.keys[d], k.Selector)
				delete(y.letters, d+" "+k.Selector)
			}
		}
	}
}

// judge looks for the worst gap of a key.
func (y *yearOf) judge(domain, selector string) {
	gap := y.keys[domain][selector].Gap(y.now())
	switch {
	case domain == control:
		y.control = max(y.control, gap.To-gap.From)
	case gap.To-gap.From > y.worst.To-y.worst.From:
		y.worst, y.whose = gap, domain+" "+selector
		y.t.Errorf("mail of %s signed with %s would not have verified from %v to %v", domain, selector, gap.From, gap.To)
	}
}

// sweep asks about all domains once a day, also those of which nothing is known to
// have changed, and judges all keys.
func (y *yearOf) sweep() {
	at := y.now()
	quiet := slices.DeleteFunc(slices.Sorted(maps.Keys(y.of)), func(d string) bool { _, pending := y.pending[d]; return pending })
	for _, d := range quiet {
		y.seen[d] = y.swept
	}
	for _, d := range y.ask(quiet) {
		fmt.Printf("year: hour %d: answers about %s changed unseen\n", y.hour, d)
		y.pending[d] = y.hour + 3
	}
	y.swept = at
	for d, keys := range y.keys {
		for selector := range keys {
			y.judge(d, selector)
		}
	}
}

// sign has domains sign that have a new key, and some others. Since when a new key may
// have signed is given: the table was as before then.
func (y *yearOf) sign(since time.Duration) {
	for d, selector := range y.ledger.table {
		k := y.keys[d][selector]
		if y.of[d] == nil || selector == y.signer[d] || k == nil {
			continue
		}
		if y.unproven[d] != selector {
			y.unproven[d] = selector
			if !k.Signs {
				k.Signs, k.From = true, since
			}
			k.Ended = false
		}
	}
	domains := slices.Sorted(maps.Keys(y.unproven))
	all := y.cohorts[y.random.IntN(len(y.cohorts))].domains
	for range perTick {
		domains = append(domains, all[y.random.IntN(len(all))])
	}
	for i, d := range domains {
		selector, message, err := y.signed(d)
		if err != nil { // its mail waits in the queue
			if !y.troubled(3) {
				y.t.Errorf("hour %d: %s: %v", y.hour, d, err)
			}
			if i < len(domains)-perTick {
				continue
			}
			return
		}
		y.signedBy(d, selector, message)
	}
}

// signedBy notes which key signed.
func (y *yearOf) signedBy(d, selector string, message []byte) {
	k := y.keys[d][selector]
	if k == nil {
		y.t.Errorf("hour %d: %s signed with %s, which is not in the ledger", y.hour, d, selector)
		return
	}
	if y.letters[d+" "+selector] == nil {
		y.letters[d+" "+selector] = message
	}
	if wanted, unproven := y.unproven[d]; unproven && (selector == wanted || y.ledger.table[d] != wanted) {
		for other, old := range y.keys[d] {
			if other != selector && old.Signs && !old.Ended {
				old.Ended, old.Until = true, y.now()
			}
		}
		delete(y.unproven, d)
		y.signer[d] = selector
	} else if !unproven && selector != y.signer[d] {
		y.t.Errorf("hour %d: %s signed with %s, want %s", y.hour, d, selector, y.signer[d])
	}
	y.verify(d, selector, message)
	y.transit = append(y.transit, inTransit{d, selector, y.now() + y.of[d].drain})
}

// verify insists that a message verifies with each answer that a resolver may have.
func (y *yearOf) verify(domain, selector string, message []byte) {
	for _, a := range y.keys[domain][selector].Obtainable(y.now()) {
		y.verified++
		if !verifies(message, a.Text) && domain != control {
			y.t.Errorf("hour %d: a message of %s signed with %s does not verify with %q", y.hour, domain, selector, a.Text)
		}
	}
}

// arrive looks again at messages whose time is over.
func (y *yearOf) arrive() {
	waiting := y.transit[:0]
	for _, m := range y.transit {
		message, k := y.letters[m.domain+" "+m.selector], y.keys[m.domain][m.selector]
		switch {
		case m.arrives > y.now():
			waiting = append(waiting, m)
		case k != nil && message != nil && m.arrives > y.now()-time.Hour/2: // the last tick was before the end of its time
			y.verify(m.domain, m.selector, message)
		}
	}
	y.transit = waiting
}

// signed has OpenDKIM sign a message of a domain, as Postfix does.
func (y *yearOf) signed(domain string) (selector string, message []byte, err error) {
	const actions = milter.OptAddHeader | milter.OptChangeBody | milter.OptAddRcpt | milter.OptRemoveRcpt | milter.OptChangeHeader | milter.OptQuarantine
	c := milter.NewClientWithOptions("unix", y.b.Inside("/var/spool/postfix/opendkim/opendkim.sock"), milter.ClientOptions{
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, ActionMask: actions,
	})
	s, err := c.Session()
	if err != nil {
		return "", nil, err
	}
	defer s.Close()
	_ = s.Macros(milter.CodeConn, "j", "localhost", "{daemon_name}", "localhost", "{client_addr}", "127.0.0.1")
	from := "ann@" + domain
	fields := [][2]string{{"From", "<" + from + ">"}, {"To", "<bob@remote.example>"}, {"Subject", "an hour of the year"}, {"Date", time.Now().Format(time.RFC1123Z)}}
	steps := []func() (*milter.Action, error){
		func() (*milter.Action, error) { return s.Conn("localhost", milter.FamilyInet, 25, "127.0.0.1") },
		func() (*milter.Action, error) { return s.Helo("localhost") },
		func() (*milter.Action, error) {
			_ = s.Macros(milter.CodeMail, "i", "year", "{mail_addr}", from)
			return s.Mail(from, nil)
		},
		func() (*milter.Action, error) { return s.Rcpt("bob@remote.example", nil) },
	}
	text := ""
	for _, f := range fields {
		text += f[0] + ": " + f[1] + "\r\n"
		steps = append(steps, func() (*milter.Action, error) { return s.HeaderField(f[0], f[1]) })
	}
	const body = "All is well.\r\n"
	steps = append(steps, s.HeaderEnd, func() (*milter.Action, error) { return s.BodyChunk([]byte(body)) })
	for _, step := range steps {
		a, err := step()
		if err != nil {
			return "", nil, err
		}
		if a.Code != milter.ActContinue && a.Code != milter.ActSkip {
			return "", nil, fmt.Errorf("OpenDKIM answers %q", byte(a.Code))
		}
	}
	changes, _, err := s.End()
	if err != nil {
		return "", nil, err
	}
	for _, c := range changes {
		if strings.EqualFold(c.HeaderName, "DKIM-Signature") {
			value := strings.ReplaceAll(c.HeaderValue, "\n", "\r\n")
			_, rest, _ := strings.Cut(value, "s=")
			selector, _, _ = strings.Cut(rest, ";")
			return strings.TrimSpace(selector), []byte("DKIM-Signature: " + value + "\r\n" + text + "\r\n" + body), nil
		}
	}
	return "", nil, fmt.Errorf("OpenDKIM does not sign mail of %s: %v", domain, changes)
}

// nameServersOf asks name servers from a server's network.
type nameServersOf struct {
	box   *lab.Box
	addrs []string
	conns []*dns.Conn
}

// close closes the sockets.
func (n *nameServersOf) close() {
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// dial makes the sockets, once more after a reboot.
func (n *nameServersOf) dial(t *testing.T) {
	for _, addr := range n.addrs {
		c, err := n.box.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		n.conns = append(n.conns, &dns.Conn{Conn: c, UDPSize: 1232})
	}
}

// ask asks each server for the TXT records of names; nil is no answer.
func (n *nameServersOf) ask(names []string) [][]*year.Answer {
	all := make([][]*year.Answer, len(n.conns))
	done := make(chan struct{})
	for i, c := range n.conns {
		go func() {
			all[i] = askOne(c, names)
			done <- struct{}{}
		}()
	}
	for range n.conns {
		<-done
	}
	return all
}

// window is how many questions are under way at a time.
const window = 64

func askOne(c *dns.Conn, names []string) []*year.Answer {
	answers := make([]*year.Answer, len(names))
	for from := 0; from < len(names); from += window {
		to := min(from+window, len(names))
		got := 0
		for range 3 { // what is lost is asked again
			got += askSome(c, names, answers, from, to)
			if got == to-from || got == 0 {
				break
			}
		}
		if got == 0 {
			break // it is down, or silent
		}
	}
	return answers
}

// askSome puts the questions that have no answer yet, and returns how many got one.
func askSome(c *dns.Conn, names []string, answers []*year.Answer, from, to int) (got int) {
	open := 0
	for i := from; i < to; i++ {
		if answers[i] == nil {
			m := new(dns.Msg).SetQuestion(names[i], dns.TypeTXT)
			m.Id, m.RecursionDesired = uint16(i), false
			m.SetEdns0(1232, false)
			if c.WriteMsg(m) == nil {
				open++
			}
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
	for open > 0 {
		m, err := c.ReadMsg()
		if err != nil {
			return got
		}
		i := int(m.Id)
		if i < from || i >= to || answers[i] != nil || len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, names[i]) {
			continue // of an earlier window
		}
		open--
		if a := answer(m); a != nil {
			answers[i] = a
			got++
		} else {
			answers[i] = nil
		}
	}
	return got
}

// answer is what a message of a server in charge says, nil if it has no answer.
func answer(m *dns.Msg) *year.Answer {
	if !m.Authoritative || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil
	}
	var texts []string
	var ttl uint32
	for _, rr := range m.Answer {
		if txt, ok := rr.(*dns.TXT); ok {
			texts, ttl = append(texts, strings.Join(txt.Txt, "")), txt.Hdr.Ttl
		}
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok && len(texts) == 0 {
			ttl = min(soa.Hdr.Ttl, soa.Minttl)
		}
	}
	slices.Sort(texts)
	return &year.Answer{Text: strings.Join(texts, "\n"), TTL: time.Duration(ttl) * time.Second}
}
