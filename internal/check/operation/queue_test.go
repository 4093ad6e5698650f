package operation_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/operation"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func server() subject.Server {
	return subject.Server{Name: "mail.shop.example", Now: now, Facts: state.Facts{Postfix: &state.Postfix{}}}
}

var shop = []subject.Domain{{Name: "shop.example", Sends: true}}

// line is an object of postqueue -j, as Postfix 3.7 prints it.
func line(queue string, age time.Duration, sender, to, reason string) string {
	return fmt.Sprintf(`{"queue_name": %q, "queue_id": "4fXq", "arrival_time": %d, "message_size": 321, "forced_expire": false, "sender": %q, "recipients": [{"address": %q, "delay_reason": %q}]}`,
		queue, now.Add(-age).Unix(), sender, to, reason) + "\n"
}

// journal is what journalctl prints in queued.
var journal string

// queued checks a server whose postqueue prints a text.
func queued(t *testing.T, s subject.Server, text string) map[string]finding.Finding {
	t.Helper()
	m := systemtest.NewMem()
	m.OnRun = func(c system.Command) (system.Result, error) {
		switch got := strings.Join(c.Argv, " "); got {
		case "postqueue -j":
			_, _ = c.Stdout.Write([]byte(text))
		case "journalctl -q --no-pager -o cat --since -24h -n 20000 -u postfix* -g status=bounced":
			_, _ = c.Stdout.Write([]byte(journal))
		default:
			t.Errorf("runs %s", got)
		}
		return system.Result{}, nil
	}
	return byWhat(t, operation.Queue(context.Background(), m, s, shop))
}

// byWhat returns findings by ID, subject and domain.
func byWhat(t *testing.T, r finding.Result) map[string]finding.Finding {
	t.Helper()
	findingtest.Remedies(t, r.Findings)
	all := map[string]finding.Finding{}
	for _, f := range r.Findings {
		what := strings.Join(strings.Fields(f.ID+" "+f.Domain+" "+f.Subject), " ")
		if _, twice := all[what]; twice {
			t.Errorf("%s is told twice", what)
		}
		all[what] = f
	}
	return all
}

func TestAnEmptyQueueIsQuiet(t *testing.T) {
	got := queued(t, server(), "")
	if len(got) != 2 || got["queue.size"].Severity != finding.OK || got["queue.size"].Seen != "no mail waits" || got["queue.why"].Severity != finding.OK {
		t.Errorf("%+v", got)
	}
}

// Numbers alone say nothing: much mail that is new and old mail that is little are worth
// a note.
func TestHowMuchWaits(t *testing.T) {
	many := func(n int, age time.Duration) string {
		return strings.Repeat(line("active", age, "a@shop.example", "b@far.example", ""), n)
	}
	for name, tt := range map[string]struct {
		text     string
		severity finding.Severity
		seen     string
	}{
		"a few":        {many(3, time.Hour), finding.OK, "3 messages wait, the oldest for 60m"},
		"much and new": {many(150, time.Minute), finding.Note, "150 messages wait, the oldest for 1m"},
		"little, old":  {many(2, 30*time.Hour), finding.Note, "2 messages wait, the oldest for 30h"},
		"much and old": {many(80, 5*time.Hour) + many(70, time.Minute), finding.Warning, "150 messages wait, the oldest for 5h"},
		"few are old":  {many(5, 5*time.Hour) + many(170, time.Minute), finding.Note, "175 messages wait, the oldest for 5h"},
	} {
		t.Run(name, func(t *testing.T) {
			if f := queued(t, server(), tt.text)["queue.size"]; f.Severity != tt.severity || f.Seen != tt.seen {
				t.Errorf("%s: %s", f.Severity, f.Seen)
			}
		})
	}
}

func TestMailOnHoldAndMailNotTakenIn(t *testing.T) {
	got := queued(t, server(),
		line("hold", 50*time.Hour, "a@shop.example", "b@far.example", "")+
			line("maildrop", time.Minute, "a@shop.example", "b@far.example", "")+
			line("maildrop", time.Hour, "a@shop.example", "b@far.example", ""))
	if f := got["queue.size hold"]; f.Severity != finding.Note || f.Remedy.String() != "to release all of it:\npostsuper -H ALL" {
		t.Errorf("hold: %+v", f)
	}
	if f := got["queue.size maildrop"]; f.Severity != finding.Warning || !strings.HasPrefix(f.Seen, "1 message that programs here gave") || f.CausedBy != "live.units" {
		t.Errorf("maildrop: %+v", f)
	}
	if f := got["queue.size"]; f.Seen != "1 message waits, the oldest for 1m" {
		t.Errorf("%+v", f)
	}
}

const said = "host mx.far.example[192.0.2.9] said: "

// What receivers say leads to the check that looks at its cause.
func TestWhyMailWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		reason   string
		what     string // with what it is about
		about    string
		severity finding.Severity
	}{
		"no PTR, IANA":           {said + "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1] (in reply to RCPT TO command)", "queue.why 5.7.25", "addr.ptr", finding.Problem},
		"no PTR, Google":         {"host gmail-smtp-in.l.google.com[192.0.2.9] said: 421-4.7.23 The IP address sending this message does not have a PTR record 421 4.7.23 https://support.google.com/mail/answer/81126 a1-2.3 - gsmtp (in reply to end of DATA command)", "queue.why 5.7.23", "addr.ptr", finding.Problem},
		"no PTR, in words":       {said + "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1] (in reply to RCPT TO command)", "queue.why addr.ptr", "addr.ptr", finding.Problem},
		"neither SPF nor DKIM":   {said + "421-4.7.26 This mail has been rate limited because it is unauthenticated. 421 4.7.26 - gsmtp", "queue.why shop.example 5.7.26", "spf.pass", finding.Problem},
		"SPF, Google":            {said + "421-4.7.27 SPF did not pass 421 4.7.27 - gsmtp", "queue.why shop.example 5.7.27", "spf.pass", finding.Problem},
		"null MX, IANA":          {said + "450 4.7.27 Sender address rejected: Domain shop.example does not accept mail (nullMX)", "queue.why shop.example 5.7.27", "mx.exists", finding.Problem},
		"SPF, IANA":              {said + "450 4.7.23 SPF validation failed", "queue.why shop.example 5.7.23", "spf.pass", finding.Problem},
		"rate":                   {said + "421-4.7.28 Gmail has detected an unusual rate of mail 421 4.7.28 - gsmtp", "queue.why 5.7.28", "", finding.Warning},
		"no TLS":                 {said + "421 4.7.29 This message was not sent over TLS - gsmtp", "queue.why 5.7.29", "tls.out", finding.Problem},
		"DKIM, Google":           {said + "421 4.7.30 DKIM did not pass - gsmtp", "queue.why shop.example 5.7.30", "dkim.record", finding.Problem},
		"DKIM, IANA":             {said + "450 4.7.20 no passing DKIM signature", "queue.why shop.example 5.7.20", "dkim.record", finding.Problem},
		"no DMARC":               {said + "421 4.7.31 no DMARC - gsmtp", "queue.why shop.example 5.7.31", "dmarc.exists", finding.Problem},
		"no DMARC, later number": {said + "421 4.7.40 no DMARC - gsmtp", "queue.why shop.example 5.7.40", "dmarc.exists", finding.Problem},
		"not aligned":            {said + "421 4.7.32 not aligned - gsmtp", "queue.why shop.example 5.7.32", "dmarc.align", finding.Problem},
		"Microsoft":              {said + "550 5.7.515 Access denied, sending domain shop.example doesn't meet the required authentication level.", "queue.why shop.example 5.7.515", "spf.pass", finding.Problem},
		"Microsoft, rate":        {said + "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.", "queue.why 5.7.650", "", finding.Warning},
		"Yahoo":                  {"host mta5.am0.yahoodns.net[192.0.2.9] refused to talk to me: 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1", "queue.why TSS04", "", finding.Warning},
		"Yahoo, for good":        {said + "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.", "queue.why TS03", "", finding.Problem},
		"block list":             {said + "450 4.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org", "queue.why bl.ip", "bl.ip", finding.Problem},
		"name in HELO":           {said + "450 4.7.1 <mail.shop.example>: Helo command rejected: Host not found", "queue.why host.forward", "host.forward", finding.Problem},
		"sender's domain":        {said + "450 4.1.8 <a@shop.example>: Sender address rejected: Domain not found", "queue.why shop.example mx.exists", "mx.exists", finding.Problem},
		"after a suspension":     {"delivery temporarily suspended: " + said + "450 4.7.25 no PTR", "queue.why 5.7.25", "addr.ptr", finding.Problem},
		"transport":              {"mail transport unavailable", "queue.why transport", "", finding.Warning},
		"mailbox server":         {"connect to mail.shop.example[private/dovecot-lmtp]: Connection refused", "queue.why private/dovecot-lmtp", "", finding.Warning},
		"login at the smarthost": {"SASL authentication failed; server smtp.isp.example[192.0.2.9] said: 535 5.7.8 Error: authentication failed", "queue.why login", "", finding.Problem},
	} {
		t.Run(name, func(t *testing.T) {
			got := queued(t, server(), line("deferred", time.Hour, "a@shop.example", "b@far.example", tt.reason))
			f, ok := got[tt.what]
			if !ok || f.CausedBy != tt.about || f.Severity != tt.severity {
				t.Fatalf("%+v", got)
			}
			if !strings.HasPrefix(f.Seen, "1 message waits for far.example: ") || f.Remedy.String() == "" || f.Why == "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// Most mail waits for others, and nothing has to be done about it here.
func TestMailThatWaitsForOthers(t *testing.T) {
	for _, reason := range []string{
		said + "450 4.2.0 <b@far.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/far.example.html",
		said + "452 4.2.2 The email account that you tried to reach is over quota - gsmtp",
		said + "451 4.3.5 Server configuration problem",
		"connect to mx.far.example[192.0.4.7]:25: Connection timed out",
		"lost connection with mx.far.example[4.7.25.1] while receiving the initial server greeting",
		said + "450 4.3.2 try later, 4.7.25.1",
		"Host or domain name not found. Name service error for name=far.example type=MX: Host not found, try again",
		"TLS is required, but was not offered by host mx.far.example[192.0.2.9]",
	} {
		got := queued(t, server(), line("deferred", time.Hour, "a@shop.example", "b@far.example", reason))
		if f := got["queue.why"]; len(got) != 2 || f.Severity != finding.OK || !strings.HasPrefix(f.Seen, "1 message that others deferred: ") {
			t.Errorf("%s\n%+v", reason, got)
		}
	}
}

func TestNobodyTakesAConnection(t *testing.T) {
	text := ""
	for _, to := range []string{"b@one.example", "b@two.example", "b@three.example"} {
		text += line("deferred", time.Hour, "a@shop.example", to, "connect to mx."+to[2:]+"[192.0.2.9]:25: Connection timed out")
	}
	if f := queued(t, server(), text)["queue.why"]; f.Severity != finding.Note || f.CausedBy != "net.out25" {
		t.Errorf("%+v", f)
	}
	text += line("deferred", time.Hour, "a@shop.example", "b@four.example", said+"452 4.2.2 over quota")
	if f := queued(t, server(), text)["queue.why"]; f.Severity != finding.OK {
		t.Errorf("one was reached: %+v", f)
	}
}

// Mail that is forwarded has senders whose SPF is not ours to mend; bounces and mail of
// the host have no domain.
func TestWhoseMailWaits(t *testing.T) {
	spf := said + "450 4.7.23 SPF validation failed"
	s := server()
	got := queued(t, s,
		line("deferred", time.Hour, "a@others.example", "b@far.example", spf)+
			line("deferred", time.Hour, "MAILER-DAEMON", "b@far.example", spf)+
			line("deferred", time.Hour, "root@mail.shop.example", "b@other.example", spf)+
			line("deferred", time.Hour, "root@News.Shop.example", "b@far.example", spf))
	if f := got["queue.why 5.7.23 of forwarded mail"]; f.Severity != finding.Note || f.CausedBy != "" {
		t.Errorf("%+v", f)
	}
	if f := got["queue.why 5.7.23"]; !strings.HasPrefix(f.Seen, "2 messages wait for far.example, other.example: ") {
		t.Errorf("%+v", f)
	}
	if f := got["queue.why shop.example 5.7.23"]; f.Remedy.String() != "mailsetup check --only spf.pass shop.example\nonce that is right:\npostqueue -f" {
		t.Errorf("%+v", f)
	}
	s.Spec.Domains = append(s.Spec.Domains, specDomain("club.example"))
	got = queued(t, s, line("deferred", time.Hour, "a@club.example", "b@far.example", spf))
	if len(got) != 2 || got["queue.why"].Severity != finding.OK {
		t.Errorf("a domain that was not asked for: %+v", got)
	}
}

// A message counts once for each reason, however many recipients it has.
func TestMessagesAreCounted(t *testing.T) {
	reason := said + "450 4.7.25 no PTR"
	text := fmt.Sprintf(`{"queue_name":"deferred","arrival_time":%d,"sender":"a@shop.example","recipients":[%s]}`, now.Unix(),
		strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`{"address":"b@far.example","delay_reason":%q},`, reason), 500), ","))
	got := queued(t, server(), text)
	if f := got["queue.why 5.7.25"]; f.Seen != "1 message waits for far.example: "+reason {
		t.Errorf("%+v", f)
	}
}

// A queue of a hundred thousand messages is summed up while it is read.
func TestALongQueue(t *testing.T) {
	one := []byte(line("deferred", 5*time.Hour, "a@shop.example", "b@far.example", said+"450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1] "+strings.Repeat("x", 300)))
	m := systemtest.NewMem()
	var before, after runtime.MemStats
	m.OnRun = func(c system.Command) (system.Result, error) {
		if c.Argv[0] != "postqueue" {
			return system.Result{}, nil
		}
		for range 100_000 {
			if _, err := c.Stdout.Write(one); err != nil {
				return system.Result{}, err
			}
		}
		return system.Result{}, nil
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := byWhat(t, operation.Queue(context.Background(), m, server(), shop))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if f := got["queue.why 5.7.25"]; !strings.HasPrefix(f.Seen, "100000 messages wait for far.example: ") || len(f.Seen) > 260 {
		t.Errorf("%+v", f)
	}
	if grew := int64(after.HeapInuse) - int64(before.HeapInuse); grew > 20<<20 {
		t.Errorf("%d bytes are kept", grew)
	}
}

// What cannot be read is unknown; what was read before an end in the middle counts.
func TestAQueueThatCannotBeRead(t *testing.T) {
	ask := func(text string, code int, err error) map[string]finding.Finding {
		m := systemtest.NewMem()
		m.OnRun = func(c system.Command) (system.Result, error) {
			if c.Argv[0] == "postqueue" {
				_, _ = c.Stdout.Write([]byte(text))
			}
			return system.Result{Code: code, Stderr: []byte("postqueue: fatal: Queue report unavailable - mail system is down\n")}, err
		}
		return byWhat(t, operation.Queue(context.Background(), m, server(), shop))
	}
	const fatal = "postqueue -j exits with 69: postqueue: fatal: Queue report unavailable - mail system is down"
	if got := ask("", 69, nil); len(got) != 1 || got["queue.size"].Severity != finding.Unknown || got["queue.size"].Seen != fatal {
		t.Errorf("%+v", got)
	}
	if got := ask("", 0, errors.New("run postqueue: cut short")); got["queue.size"].Severity != finding.Unknown {
		t.Errorf("%+v", got)
	}
	one := line("deferred", time.Hour, "a@shop.example", "b@far.example", said+"450 4.7.25 no PTR")
	for _, text := range []string{one + one[:60], one + "no JSON", one + `{"recipients": 7}`} {
		got := ask(text, 0, nil)
		if got["queue.size"].Seen != "at least 1 message waits, the oldest for 60m" && got["queue.size"].Seen != "at least 2 messages wait, the oldest for 60m" {
			t.Errorf("%+v", got["queue.size"])
		}
		if got["queue.why 5.7.25"].Severity != finding.Problem {
			t.Errorf("%+v", got)
		}
	}
}

// Mail that is refused for good waits nowhere: the journal has why.
func TestWhyMailWasRefused(t *testing.T) {
	t.Cleanup(func() { journal = "" })
	const line = "4fXq: to=<b@far.example>, relay=mx.far.example[192.0.2.9]:25, delay=1.2, delays=0/0/1/0.2, dsn=5.7.515, status=bounced (host mx.far.example[192.0.2.9] said: "
	journal = line + "550 5.7.515 Access denied (in reply to end of DATA command))\n" + line + "550 5.7.515 Access denied (in reply to end of DATA command))\n" +
		line + "550 5.7.25 no PTR)\n" + line + "550 5.1.1 User unknown)\n" + "4fXq: from=<a@shop.example>, size=1, nrcpt=1 (queue active)\n"
	got := queued(t, server(), "")
	if len(got) != 4 {
		t.Errorf("%+v", got)
	}
	f := got["queue.why 5.7.515, refused"]
	if f.Severity != finding.Note || f.CausedBy != "" || f.Remedy.String() != "mailsetup check --only spf.pass" ||
		f.Seen != "2 messages for far.example came back within a day: host mx.far.example[192.0.2.9] said: 550 5.7.515 Access denied (in reply to end of DATA command)" {
		t.Errorf("%+v", f)
	}
	if f = got["queue.why 5.7.25, refused"]; f.CausedBy != "addr.ptr" {
		t.Errorf("%+v", f)
	}
	journal = strings.Repeat("x", 1<<20) // a line that is none
	if got = queued(t, server(), ""); len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestInstancesHaveQueuesOfTheirOwn(t *testing.T) {
	s := server()
	s.Facts.Postfix.Instances = []string{"/etc/postfix-out"}
	m := systemtest.NewMem()
	m.OnRun = func(c system.Command) (system.Result, error) {
		if len(c.Argv) == 4 { // postqueue -c DIR -j
			_, _ = c.Stdout.Write([]byte(line("deferred", time.Hour, "a@shop.example", "b@far.example", said+"450 4.7.25 no PTR")))
		}
		return system.Result{}, nil
	}
	got := byWhat(t, operation.Queue(context.Background(), m, s, shop))
	if f := got["queue.why 5.7.25 in the instance /etc/postfix-out"]; f.Remedy.String() != "mailsetup check --only addr.ptr\nonce that is right:\npostqueue -c /etc/postfix-out -f" {
		t.Errorf("%+v", got)
	}
	if got["queue.size"].Seen != "no mail waits" {
		t.Errorf("%+v", got)
	}
	if r := operation.Queue(context.Background(), m, subject.Server{}, shop); len(r.Findings) > 0 {
		t.Errorf("without Postfix: %+v", r)
	}
}
