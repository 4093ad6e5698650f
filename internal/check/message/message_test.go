package message_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/message"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const good = `From: Ann <ann@shop.example>
To: bob@far.example
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Date: Mon, 30 Nov 2026 07:30:00 +0000
Message-ID: <20261130073000.17@mail.shop.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Folded: one
	two

Grüße
`

func forms(text string) string {
	var lines []string
	for _, f := range message.Form([]byte(text), "test.eml", now) {
		lines = append(lines, string(f.Severity)+" "+f.Subject+": "+f.Seen)
	}
	return strings.Join(lines, "\n")
}

func TestAWellFormedMessage(t *testing.T) {
	const want = "ok test.eml: 9 header fields"
	for _, text := range []string{good, strings.ReplaceAll(good, "\n", "\r\n"), "From ann@shop.example Mon Nov 30 07:30:00 2026\n" + good} {
		if got := forms(text); got != want {
			t.Errorf("%s", got)
		}
	}
}

func TestTheFormOfAMessage(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, want string }{
		"no From":           {"From: Ann <ann@shop.example>\n", "", "From: it is missing; Gmail refuses the message"},
		"two From":          {"From:", "From: x@shop.example\nFROM:", "From: there are 2; Gmail refuses the message"},
		"two authors":       {"Ann <ann@shop.example>", "ann@shop.example, bob@shop.example", "From: 2 authors: DMARC knows one"},
		"no address":        {"Ann <ann@shop.example>", "Ann", "From: no address: Ann"},
		"a local address":   {"ann@shop.example", "ann@localhost", "From: ann@localhost has no domain that others can answer to"},
		"no Date":           {"Date: Mon, 30 Nov 2026 07:30:00 +0000\n", "", "Date: it is missing"},
		"no date in it":     {"Mon, 30 Nov 2026 07:30:00 +0000", "yesterday", "Date: no date: yesterday"},
		"the future":        {"30 Nov 2026", "30 Nov 2037", "Date: it lies in the future: Mon, 30 Nov 2037 07:30:00 +0000"},
		"no Message-ID":     {"Message-ID: <20261130073000.17@mail.shop.example>\n", "", "Message-ID: it is missing"},
		"ID without domain": {"@mail.shop.example>", "@localhost>", "Message-ID: no ID with a domain: <20261130073000.17@localhost>"},
		"ID that is none":   {"<20261130073000.17@mail.shop.example>", "17", "Message-ID: no ID with a domain: 17"},
		"two subjects":      {"Subject:", "Subject: x\nSubject:", "Subject: there are 2"},
		"Re: to nothing":    {"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Re: offer", "Subject: it begins with Re:, and nothing says what the message answers"},
		"raw octets":        {"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße", "Subject: octets above 127 that are not encoded, which servers without SMTPUTF8 refuse"},
		"no version":        {"MIME-Version: 1.0\n", "", "MIME-Version: it is missing beside Content-Type or Content-Transfer-Encoding"},
		"no MIME at all":    {"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n", "", "MIME-Version: it is missing, and the text is not plain ASCII"},
		"another version":   {"MIME-Version: 1.0", "MIME-Version: 2.0", "MIME-Version: 2.0"},
		"no field":          {"X-Folded", "this is no field\nX-Folded", "header: 1 line of the header that are no header field"},
		"a long line":       {"Grüße\n", strings.Repeat("x", 999) + "\n", "lines: a line of 999 octets: servers break it, and its signature with it"},
		"a zero":            {"Grüße\n", "Gr\x00sse\n", "text: it has octets of zero, which servers remove or refuse"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatal(tt.old)
			}
			if got := forms(strings.Replace(good, tt.old, tt.new, 1)); got != "warning test.eml "+tt.want {
				t.Errorf("%s", got)
			}
		})
	}
	if got := forms(strings.Replace(good, "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "RE: offer\nReferences: <1@far.example>", 1)); !strings.HasPrefix(got, "ok") {
		t.Errorf("an answer: %s", got)
	}
}

func FuzzForm(f *testing.F) {
	f.Add(good)
	f.Add("From: \n\t<\n:\n" + strings.Repeat("x", 2000))
	f.Fuzz(func(t *testing.T, text string) {
		list := message.Form([]byte(text), "x", now)
		if len(list) == 0 || len(list) > 30 {
			t.Errorf("%d findings", len(list))
		}
		message.Bulk([]byte(text), "x")
		for _, x := range list {
			if len(x.Seen) > 210 {
				t.Errorf("%d octets of it", len(x.Seen))
			}
		}
	})
}

func TestBulk(t *testing.T) {
	const unsubscribe = "List-Unsubscribe: <mailto:u@shop.example>, <https://shop.example/u/17>\n"
	const post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
	const signature = "DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=1; h=From:To:List-Unsubscribe:\n list-unsubscribe-post; bh=x; b=y\n"
	for name, tt := range map[string]struct {
		fields   string
		severity finding.Severity
		seen     string
	}{
		"right":          {unsubscribe + post + signature, finding.OK, "one-click unsubscribe, signed"},
		"none":           {signature, finding.Warning, "no List-Unsubscribe with an https URI"},
		"by mail only":   {"List-Unsubscribe: <mailto:u@shop.example>\n" + post + signature, finding.Warning, "no List-Unsubscribe with an https URI"},
		"no post":        {unsubscribe + signature, finding.Warning, "no List-Unsubscribe-Post"},
		"not signed":     {unsubscribe + post, finding.Unknown, "the message is not signed yet"},
		"not covered":    {unsubscribe + post + strings.Replace(signature, "\n list-unsubscribe-post", "", 1), finding.Warning, "the DKIM signature does not cover List-Unsubscribe and List-Unsubscribe-Post"},
		"not in its own": {unsubscribe + post + strings.Replace(signature, "h=From", "oh=From", 1), finding.Warning, "the DKIM signature does not cover List-Unsubscribe and List-Unsubscribe-Post"},
	} {
		t.Run(name, func(t *testing.T) {
			if f := message.Bulk([]byte(tt.fields+good), "x")[0]; f.Severity != tt.severity || f.Seen != tt.seen {
				t.Errorf("%s: %s", f.Severity, f.Seen)
			}
		})
	}
	if message.IsBulk([]byte(good)) || !message.IsBulk([]byte("Precedence: Bulk\n"+good)) {
		t.Error("who says that it goes to many")
	}
}

// What SpamAssassin 4.0.1 prints, and rspamc 3.4.
const (
	fromSpamAssassin = `X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on mail
X-Spam-Score: 1.9 5.0
X-Spam-Report: 
	* -0.0 NO_RECEIVED Informational: message has no Received headers
	*  1.8 MISSING_SUBJECT Missing Subject: header, which
	*      people like
	*  0.1 RCVD_IN_ZEN_BLOCKED RBL: ADMINISTRATOR NOTICE: The query to Spamhaus was blocked.
From: ann@shop.example
X-Spam-Score: 99 5.0

text
	* 50 NOT_A_RULE in the text
`
	fromRspamd = `Results for file: stdin (0.081 seconds)
{"is_skipped":false,"score":10.0,"required_score":15.0,"action":"add header","symbols":{
 "R_DKIM_NA":{"name":"R_DKIM_NA","score":0.0,"description":"Missing DKIM signature"},
 "MISSING_DATE":{"name":"MISSING_DATE","score":1.0,"description":"Message date is missing"},
 "HFILTER_HOSTNAME_UNKNOWN":{"name":"HFILTER_HOSTNAME_UNKNOWN","score":2.5,"description":"Unknown client hostname"},
 "RBL_SPAMHAUS_BLOCKED":{"name":"RBL_SPAMHAUS_BLOCKED","score":0.0}}}
`
)

// filtered asks a machine with some files, whose programs print a text.
func filtered(t *testing.T, o message.ScoreOptions, res system.Result, err error, files ...string) (found []string, argv string) {
	t.Helper()
	m := systemtest.NewMem()
	for _, f := range files {
		m.PutFile(state.Path("/usr/"+f), "")
	}
	m.OnRun = func(c system.Command) (system.Result, error) {
		if string(c.Stdin) != good || c.Within != 40*time.Second {
			t.Errorf("%s gets %q, and %v", c.Argv[0], c.Stdin, c.Within)
		}
		argv = strings.Join(c.Argv, " ")
		return res, err
	}
	for _, f := range message.Score(context.Background(), m, []byte(good), "x.eml", o) {
		if f.ID != "msg.score" || f.Severity == finding.Problem || f.Severity == finding.Warning {
			t.Errorf("%+v", f)
		}
		found = append(found, string(f.Severity)+" "+f.Subject+": "+f.Seen)
	}
	return found, argv
}

var perl = []string{"bin/spamassassin", "share/perl5/Mail/DKIM.pm", "share/perl5/Mail/SPF.pm", "share/perl5/Mail/DMARC.pm"}

func TestSpamAssassin(t *testing.T) {
	res := system.Result{Stdout: []byte(fromSpamAssassin)}
	got, argv := filtered(t, message.ScoreOptions{Asked: true}, res, nil, perl...)
	want := []string{
		"note SpamAssassin x.eml: 1.9 points; 5.0 make it spam; 2 rules match; DKIM, SPF, DMARC and lists are looked at with --online",
		"note SpamAssassin x.eml MISSING_SUBJECT: 1.8: Missing Subject: header, which people like",
		"note SpamAssassin x.eml NO_RECEIVED: -0.0: Informational: message has no Received headers",
	}
	if !slices.Equal(got, want) || !strings.HasSuffix(argv, " -L") || !strings.HasPrefix(argv, "spamassassin -x --cf=use_bayes 0 ") {
		t.Errorf("%s\n%s", argv, strings.Join(got, "\n"))
	}
	got, argv = filtered(t, message.ScoreOptions{Online: true}, res, nil, perl...)
	want = []string{
		"ok SpamAssassin x.eml: 1.9 points; 5.0 make it spam; 2 rules match",
		"note SpamAssassin x.eml MISSING_SUBJECT: 1.8: Missing Subject: header, which people like",
	}
	if !slices.Equal(got, want) || strings.Contains(argv, "-L") {
		t.Errorf("%s\n%s", argv, strings.Join(got, "\n"))
	}
	got, _ = filtered(t, message.ScoreOptions{}, res, nil, perl[:2]...)
	if last := got[len(got)-1]; last != "note packages of SpamAssassin: no rule about SPF and DMARC can match: libmail-spf-perl, libmail-dmarc-perl not installed" {
		t.Errorf("%s", last)
	}
}

func TestRspamd(t *testing.T) {
	got, argv := filtered(t, message.ScoreOptions{Asked: true}, system.Result{Stdout: []byte(fromRspamd)}, nil, "bin/rspamc")
	want := []string{
		"note rspamd x.eml: 7.5 points; 15.0 make it spam; 2 rules match",
		"note rspamd x.eml MISSING_DATE: 1.0: Message date is missing",
		"note rspamd x.eml R_DKIM_NA: 0.0: Missing DKIM signature",
	}
	if !slices.Equal(got, want) || argv != "rspamc --json symbols" {
		t.Errorf("%s\n%s", argv, strings.Join(got, "\n"))
	}
	got, argv = filtered(t, message.ScoreOptions{Address: "192.0.2.10", Name: "mail.shop.example"}, system.Result{Stdout: []byte(fromRspamd)}, nil, "bin/rspamc")
	want = []string{
		"ok rspamd x.eml: 10.0 points; 15.0 make it spam; 3 rules match",
		"note rspamd x.eml HFILTER_HOSTNAME_UNKNOWN: 2.5: Unknown client hostname", "note rspamd x.eml MISSING_DATE: 1.0: Message date is missing",
	}
	if !slices.Equal(got, want) || argv != "rspamc --json --ip 192.0.2.10 --hostname mail.shop.example --helo mail.shop.example symbols" {
		t.Errorf("%s\n%s", argv, strings.Join(got, "\n"))
	}
}

// The real one, where it is installed.
func TestRealSpamAssassin(t *testing.T) {
	if _, err := os.Stat("/usr/bin/spamassassin"); err != nil {
		t.Skip("SpamAssassin is not installed here")
	}
	spam := strings.Replace(good, "\n\n", "\n\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n", 1)
	for text, points := range map[string]string{good: "0", spam: "1000.0 points; 5.0 make it spam; "} {
		list := message.Score(context.Background(), system.NewHost(system.Options{}), []byte(text), "", message.ScoreOptions{Asked: true})
		if len(list) < 2 || list[0].Severity != finding.Note || !strings.HasPrefix(strings.TrimPrefix(list[0].Seen, "-"), points) {
			t.Errorf("%+v", list)
		}
	}
}

// A filter that is not there says nothing; one that does not answer is unknown.
func TestNoScore(t *testing.T) {
	if got, argv := filtered(t, message.ScoreOptions{}, system.Result{}, nil); len(got) > 0 || argv != "" {
		t.Errorf("%q %q", got, argv)
	}
	for want, tt := range map[string]struct {
		res  system.Result
		err  error
		file string
	}{
		"unknown rspamd x.eml: rspamc exits with 1: connection refused":           {system.Result{Code: 1, Stderr: []byte("connection refused\n")}, nil, "bin/rspamc"},
		"unknown rspamd x.eml: rspamd gave no score: IO error":                    {system.Result{Stdout: []byte(`{"error":"IO error"}`)}, nil, "bin/rspamc"},
		"unknown rspamd x.eml: rspamd gave no score: IO write error":              {system.Result{Stdout: []byte("IO write error\n")}, nil, "bin/rspamc"},
		"unknown SpamAssassin x.eml: spamassassin printed no score":               {system.Result{Stdout: []byte("From: x\n")}, nil, "bin/spamassassin"},
		"unknown SpamAssassin x.eml: run spamassassin: cut short: it did not end": {system.Result{}, errors.New("run spamassassin: cut short: it did not end"), "bin/spamassassin"},
	} {
		if got, _ := filtered(t, message.ScoreOptions{}, tt.res, tt.err, tt.file); len(got) == 0 || got[0] != want {
			t.Errorf("%q, want %s", got, want)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if text, err := message.Read(at("good.eml", good)); err != nil || string(text) != good {
		t.Errorf("%q, %v", text, err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	large := at("large.eml", good)
	if err := os.Truncate(large, 21<<20); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		dir: "not a regular file", pipe: "not a regular file", "/dev/zero": "not a regular file", large: "it has more than 20 MB",
		at("empty", ""): "it does not begin with header fields", at("text", "hello\n\nworld\n"): "it does not begin with header fields",
		filepath.Join(dir, "none"): "no such file or directory", "": "no such file or directory",
	} {
		if _, err := message.Read(name); err == nil || !strings.HasSuffix(err.Error(), want) || !hint.IsUsage(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
