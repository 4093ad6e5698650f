package postfix

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// What the queue tools print was copied from Debian 12 and 13, which agree.
func TestQueueOfAnotherMTA(t *testing.T) {
	const sendmail = `MSP Queue status...
		/var/spool/mqueue-client (2 requests)
-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------
6AO4KfI6001176        3 Tue Nov 24 04:20 ann@lab.example
                 (Deferred: Connection refused by [127.0.0.1])
					 bob@remote.example
6AO4KcRn001099        3 Tue Nov 24 04:20 ann@lab.example
					 bob@remote.example
		Total requests: 2
MTA Queue status...
		/var/spool/mqueue (1 request)
-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------
6AO4KhDp001284        3 Tue Nov 24 04:20 ann@lab.example
					 root
		Total requests: 1
`
	const opensmtpd = `38c25d42824a29d0|local|mta|auth|ann@lab.example|bob@remote.example|bob@remote.example|1795494186|1795494186|0|0|pending|-2|
38c25d42a6de5d93|local|mta|auth|ann@lab.example|carl@remote.example|carl@remote.example|1795494186|1795494186|0|0|pending|-2|
46fcddf682ad4ef7|local|mta|auth|@|ann@lab.example|ann@lab.example|1795494187|1795494187|0|0|pending|-1|
`
	const nullmailer = `2026-11-24 04:34:36 285 bytes from <ann@lab.example>
  to <bob@198.51.100.9>
2026-11-24 04:34:35 317 bytes from <ann@lab.example>
  to <bob@nowhere.remote.example>
  to <carl@x.remote.example>
`
	const dma = `ID	: 126942.565023af4fb0
From	: 
To	: ann@lab.example
--
ID	: 126952.5596576049a0
From	: ann@lab.example
To	: bob@198.51.100.9
`
	const courier = `Size             Queue ID                                                    Date
User             From
Status           Recipient
---------------- ---------------------------------------------------------
   0 messages.
`
	for _, c := range []struct {
		mta, command, prints string
		want                 int
	}{
		{"exim4-daemon-light", "exim4 -bpc", "7\n", 7},
		{"exim4-daemon-heavy", "exim4 -bpc", "0\n", 0},
		{"sendmail-bin", "mailq", sendmail, 3},
		{"opensmtpd", "smtpctl show queue", opensmtpd, 2},
		{"opensmtpd", "smtpctl show queue", "", 0},
		{"nullmailer", "mailq", nullmailer, 2},
		{"nullmailer", "mailq", "", 0},
		{"dma", "mailq", dma, 2},
		{"dma", "mailq", "Mail queue is empty\n", 0},
		{"courier-mta", "mailq", courier, 0},
	} {
		t.Run(c.mta, func(t *testing.T) {
			m := detecttest.New()
			m.Says(c.command, c.prints)
			got, err := FindOtherMTA(t.Context(), m, c.mta)
			if err != nil || !got.Counted || got.Queue != c.want {
				t.Errorf("%+v, %v; want %d messages", got, err, c.want)
			}
		})
	}
}

func TestQueueThatNobodyTellsOf(t *testing.T) {
	for _, none := range []string{"", "postfix"} {
		if got, err := FindOtherMTA(t.Context(), detecttest.New(), none); got != nil || err != nil {
			t.Errorf("%q: %+v, %v", none, got, err)
		}
	}
	m := detecttest.New()
	m.Answers["exim4 -bpc"] = system.Result{Code: 1, Stderr: []byte("exim: permission denied\n")}
	got, err := FindOtherMTA(t.Context(), m, "exim4-daemon-light")
	if err != nil || got.Counted || got.Spool != "/var/spool/exim4" {
		t.Errorf("%+v, %v; want an unknown number", got, err)
	}
	m.Says("mailq", "mailq: something new\n")
	if got, _ := FindOtherMTA(t.Context(), m, "sendmail-bin"); got.Counted {
		t.Errorf("%+v: counted what it does not understand", got)
	}
	if got, _ := FindOtherMTA(t.Context(), m, "someones-mta"); got.Counted || got.Flush != "" || got.Package != "someones-mta" {
		t.Errorf("%+v: made up facts about a program it does not know", got)
	}
}

// What an MTA does with mail is told by its configuration.
func TestConfigurationOfAnotherMTA(t *testing.T) {
	for _, c := range []struct {
		name, mta string
		files     map[state.Path]string
		want      state.OtherMTA
	}{
		{
			"exim4 by a smarthost, to Maildir", "exim4-daemon-heavy",
			map[state.Path]string{"/etc/exim4/update-exim4.conf.conf": "# debconf\ndc_eximconfig_configtype='smarthost'\n" +
				"dc_smarthost='mail.isp.example::587'\ndc_localdelivery='maildir_home'\n"},
			state.OtherMTA{Relay: "[mail.isp.example]:587", Maildir: true},
		},
		{
			"exim4 that delivers itself", "exim4-daemon-light",
			map[state.Path]string{"/etc/exim4/update-exim4.conf.conf": "dc_eximconfig_configtype='internet'\n" +
				"dc_smarthost='forgotten.isp.example'\ndc_localdelivery='mail_spool'\n"},
			state.OtherMTA{},
		},
		{
			"sendmail with a smart host and aliases of its own", "sendmail-bin",
			map[state.Path]string{
				"/etc/mail/sendmail.mc": "dnl define(`SMART_HOST', `old.isp.example')dnl\ndefine(`SMART_HOST', `[mail.isp.example]')dnl\n",
				"/etc/mail/aliases":     "ops: root\n",
			},
			state.OtherMTA{Relay: "[mail.isp.example]", Aliases: "/etc/mail/aliases"},
		},
		{
			"sendmail as Debian sets it up", "sendmail-bin",
			map[state.Path]string{"/etc/mail/sendmail.mc": "dnl # nothing\n"},
			state.OtherMTA{},
		},
		{
			"opensmtpd as Debian sets it up", "opensmtpd",
			map[state.Path]string{"/etc/smtpd.conf": "table aliases file:/etc/aliases\naction \"local\" maildir alias <aliases>\naction \"relay\" relay\n"},
			state.OtherMTA{Maildir: true},
		},
		{
			"opensmtpd by a relay", "opensmtpd",
			map[state.Path]string{"/etc/mail/aliases": "ops: root\n", "/etc/smtpd.conf": "table aliases db:/etc/mail/aliases.db\n#action \"x\" relay host smtp://old.example\n" +
				"action \"local\" mbox alias <aliases>\naction \"relay\" relay host smtp+tls://me@mail.isp.example:587 auth <secrets>\n"},
			state.OtherMTA{Relay: "[mail.isp.example]:587", Aliases: "/etc/mail/aliases"},
		},
		{
			"nullmailer", "nullmailer",
			map[state.Path]string{"/etc/nullmailer/remotes": "# to the world\nmail.isp.example smtp --port=587 --user=me --pass=secret\n"},
			state.OtherMTA{Relay: "[mail.isp.example]:587"},
		},
		{
			"msmtp", "msmtp-mta",
			map[state.Path]string{"/etc/msmtprc": "defaults\nport 587\naccount default\nhost mail.isp.example\npassword secret\n"},
			state.OtherMTA{Relay: "[mail.isp.example]:587"},
		},
		{
			"dma", "dma",
			map[state.Path]string{"/etc/dma/dma.conf": "#SMARTHOST x\nSMARTHOST mail.isp.example\nPORT 587\n"},
			state.OtherMTA{Relay: "[mail.isp.example]:587"},
		},
		{
			"ssmtp", "ssmtp",
			map[state.Path]string{"/etc/ssmtp/ssmtp.conf": "root=postmaster\nmailhub=mail.isp.example:465\nAuthPass=secret\n"},
			state.OtherMTA{Relay: "[mail.isp.example]:465"},
		},
		{
			"courier", "courier-mta",
			map[state.Path]string{
				"/etc/courier/esmtproutes":    "example.net:other.example\n:mail.isp.example,587 /SECURITY=STARTTLS\n",
				"/etc/courier/aliases/system": "postmaster: root\n",
			},
			state.OtherMTA{Relay: "[mail.isp.example]:587", Aliases: "/etc/courier/aliases"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.New()
			for p, text := range c.files {
				m.PutFile(p, text)
			}
			got, err := FindOtherMTA(t.Context(), m, c.mta)
			if err != nil {
				t.Fatal(err)
			}
			c.want.Package, c.want.Counted, c.want.Spool, c.want.Flush = c.mta, got.Counted, got.Spool, got.Flush
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSendmailsLinkedAliases(t *testing.T) {
	m := detecttest.New()
	m.PutFile("/etc/aliases", "ops: root\n")
	m.Put("/etc/mail/aliases", state.Object{Kind: state.Symlink, Content: []byte("../aliases")})
	if got, err := FindOtherMTA(t.Context(), m, "sendmail-bin"); err != nil || got.Aliases != "" {
		t.Errorf("%+v, %v: Debian's link to /etc/aliases is no file of sendmail's own", got, err)
	}
}
