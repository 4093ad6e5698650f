//go:build e2e

package e2e

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// tunedMain is the main.cf of a server that somebody tuned for years: full
// lists of restrictions, a LAN, a virtual domain, rspamd and OpenDMARC.
const tunedMain = `
# --- submission and spam ---
smtpd_helo_required = yes
disable_vrfy_command = yes
strict_rfc821_envelopes = no
smtpd_client_restrictions = permit_mynetworks, permit_sasl_authenticated
smtpd_helo_restrictions =
    permit_mynetworks
    permit_sasl_authenticated
    reject_invalid_helo_hostname
    reject_non_fqdn_helo_hostname
smtpd_sender_restrictions = permit_mynetworks, permit_sasl_authenticated,
    reject_non_fqdn_sender, reject_unknown_sender_domain
smtpd_recipient_restrictions =
    reject_non_fqdn_recipient,
    permit_mynetworks,
    permit_sasl_authenticated,
    reject_unauth_destination,
#   check_policy_service inet:127.0.0.1:10023,
    reject_unlisted_recipient,
    permit
smtpd_data_restrictions = reject_unauth_pipelining, permit
always_add_missing_headers = yes
# --- virtual ---
virtual_alias_domains = shop.example
virtual_alias_maps = hash:/etc/postfix/virtual
# --- milters ---
milter_protocol = 6
milter_default_action = accept
# as the documentation of rspamd has it
milter_mail_macros = i {mail_addr} {client_addr} {client_name} {auth_authen}
smtpd_milters = inet:127.0.0.1:11332,
	inet:localhost:8893
non_smtpd_milters = $smtpd_milters
mua_milters = inet:127.0.0.1:11332
#smtpd_milters = inet:127.0.0.1:8891
`

// tunedMaster has two services for users, each with milters of its own.
const tunedMaster = `submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
# rspamd only: OpenDMARC has no business with our own users
  -o smtpd_milters=$mua_milters
  -o milter_macro_daemon_name=ORIGINATING
smtps     inet  n       -       y       -       -       smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
	-o receive_override_options=no_milters
`

// tuned boots that server, its milters and its user.
func tuned(t *testing.T, release string) (*lab.Box, *lab.Sink) {
	t.Helper()
	b, sink := existing(t, release)
	b.Apt(t, "rspamd", "opendmarc")
	b.Write(t, "/etc/rspamd/local.d/options.inc", rspamdQuick, 0o644)
	b.Write(t, "/etc/rspamd/tld.dat", "example\ncom\n", 0o644)
	b.Write(t, "/etc/rspamd/local.d/actions.conf", "reject = 999;\nadd_header = 998;\ngreylist = 997;\n", 0o644)
	b.Sh(t, `sed -i 's,^Socket.*,Socket inet:8893@localhost,' /etc/opendmarc.conf
systemctl restart rspamd opendmarc`)
	b.SASLUser(t, "ann", "secret")
	certificate := b.Certificate(t)
	b.Write(t, "/etc/postfix/virtual", "info@shop.example bob@remote.example\n", 0o644)
	b.Sh(t, `postmap hash:/etc/postfix/virtual
postconf -e smtpd_tls_cert_file=`+certificate+` smtpd_tls_key_file=`+certificate+` 'mynetworks = 127.0.0.0/8 [::1]/128, 10.20.30.0/24'`)
	b.Write(t, "/etc/postfix/main.cf", b.Read(t, "/etc/postfix/main.cf")+tunedMain, 0o644)
	b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+tunedMaster, 0o644)
	b.Sh(t, "postfix check; postfix reload")
	listens(t, b, "11332", "8893")
	return b, sink
}

// listens waits for daemons that are still starting: rspamd takes half a minute
// on a busy machine.
func listens(t *testing.T, b *lab.Box, ports ...string) {
	t.Helper()
	for _, port := range ports {
		becomes(t, b, "ss -tlnH 'sport = :"+port+"' | grep -q .")
	}
}

// TestTunedPostfix: on a Postfix that somebody tuned, every kind of mail leaves
// with one signature, and nothing but our settings changes.
func TestTunedPostfix(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := tuned(t, release)
		was := look(t, b)
		main, master := b.Read(t, "/etc/postfix/main.cf"), b.Read(t, "/etc/postfix/master.cf")
		parameters, options := postconf(t, b), serviceOptions(t, b)

		_, said := product(t, b, 2, initArgs()...)
		says(t, said, "submission/inet", "smtps/inet", "no_milters", "inet:127.0.0.1:11332", "--service-milters merge", "--sign-bounces yes",
			"/etc/postfix/master.cf:"+lineOf(master, "-o smtpd_milters=$mua_milters"),
			"/etc/postfix/master.cf:"+lineOf(master, "-o receive_override_options=no_milters"))
		asBefore(t, b, was)

		out, _ := product(t, b, 0, initArgs("--service-milters", "merge", "--sign-bounces", "yes")...)
		says(t, strings.Join(strings.Fields(out), " "),
			"mail of @lab.example, when it comes from this machine, from 10.20.30.0/24 (mynetworks) and from users who log in",
			"Postfix delivers for shop.example, too; mail of those addresses leaves unsigned")
		set := b.Read(t, "/etc/postfix/main.cf")
		onlyOurLines(t, main, set)
		parameters["smtpd_milters"] = " inet:127.0.0.1:11332, " + ourMilter + ", inet:localhost:8893"
		parameters["internal_mail_filter_classes"] = " bounce"
		parameters["transport_maps"] = " " + probeRoute
		encrypts(parameters, release)
		same(t, parameters, postconf(t, b))
		if got := b.Read(t, "/etc/postfix/master.cf"); got != tunedAfter(master) {
			t.Errorf("master.cf ends in\n%s", got[len(master)-len(tunedMaster):])
		}
		options["submission/inet/smtpd_milters"] = "$mua_milters, " + ourMilter
		options["smtps/inet/receive_override_options"] = ""
		options["smtps/inet/smtpd_milters"] = ourMilter
		same(t, options, serviceOptions(t, b))

		login(t, b, sink, out)
		everyKind(t, b, sink)
		b.PowerCut(t)
		listens(t, b, "11332", "8893", "25")
		everyKind(t, b, sink)
		forgedUnsigned(t, b, sink)
		nothingChanges(t, b, initArgs()...)

		b.Write(t, "/etc/postfix/main.cf", set, 0o644)
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		leavesUnsigned(t, b, sink)
	})
}

const ourMilter = "{ unix:opendkim/opendkim.sock, default_action=tempfail }"

// tunedAfter is tunedMaster with our lines.
func tunedAfter(master string) string {
	return strings.NewReplacer(
		"  -o smtpd_milters=$mua_milters\n", "  -o { smtpd_milters = $mua_milters, "+ourMilter+" }\n",
		"\t-o receive_override_options=no_milters\n", "\t-o receive_override_options=\n\t-o { smtpd_milters = "+ourMilter+" }\n",
	).Replace(master)
}

// serviceOptions are what services in master.cf set for themselves.
func serviceOptions(t *testing.T, b *lab.Box) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(b.Run(t, "postconf", "-P")) {
		name, value, _ := strings.Cut(line, "=")
		values[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return values
}

// lineOf is the number of the line with a text.
func lineOf(text, part string) string {
	before, _, _ := strings.Cut(text, part)
	return strconv.Itoa(1 + strings.Count(before, "\n"))
}

// login: mail of users who log in is unsigned as long as rspamd's macros keep
// the signer from knowing that they did; what the note says to type helps.
func login(t *testing.T, b *lab.Box, sink *lab.Sink, out string) {
	t.Helper()
	submission := lab.Letter{Server: b.Addr + ":587", Client: lab.OutsideAddr, StartTLS: true, User: "ann", Password: "secret"}
	if msg := by(t, b, sink, submission); len(lab.VerifyDKIM(t, b, msg)) != 0 {
		t.Errorf("signed without {auth_type}: the note is wrong\n%s", msg)
	}
	says(t, out, "milter_mail_macros lacks {auth_type}")
	const command = "postconf -e 'milter_mail_macros = i {mail_addr} {client_addr} {client_name} {auth_authen} {auth_type}' && postfix reload"
	says(t, oneLine(out), command)
	b.Sh(t, command)
}

// everyKind sends mail of every kind that a server sees, and insists that each
// leaves with one signature.
func everyKind(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	const to = "bob@remote.example"
	before := sink.Count()
	b.Sh(t, `printf 'From: root@mail.lab.example\nTo: bob@remote.example\nSubject: by sendmail\n\nhello\n' | /usr/sbin/sendmail -t -i
printf 'From: bob@remote.example\nTo: nobody-here@mail.lab.example\nSubject: bounce me\n\nhello\n' | /usr/sbin/sendmail -f bob@remote.example -i nobody-here@mail.lab.example`)
	letters := []lab.Letter{
		{Subject: "from this machine"},
		{Client: lab.LANAddr, Raw: []byte("From: ann@lab.example\nTo: bob@remote.example\nSubject: from the LAN\n\nhello\n")},
	}
	users := strings.Contains(b.Run(t, "postconf", "-M"), "\nsmtps")
	if users {
		letters = append(letters,
			lab.Letter{Subject: "by submission", Server: b.Addr + ":587", Client: lab.OutsideAddr, StartTLS: true, User: "ann", Password: "secret"},
			lab.Letter{Subject: "by smtps", Server: b.Addr + ":465", Client: lab.OutsideAddr, ImplicitTLS: true, User: "ann", Password: "secret"})
	}
	for _, m := range letters {
		m.From, m.To, m.Body = "ann@lab.example", to, "hello"
		if said, taken := b.Send(t, m); !taken {
			t.Fatalf("%+v: %s", m, said)
		}
	}
	msgs := sink.Wait(t, before+2+len(letters), 90*time.Second)[before:]
	if n := len(msgs); n != 2+len(letters) {
		t.Errorf("%d messages arrived, sent %d", n, 2+len(letters))
	}
	for _, m := range msgs {
		signed(t, b, m.Data)
		if bytes.Contains(m.Data, []byte("Subject: from the LAN")) {
			head, _, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
			says(t, string(head), "\nDate: ", "\nMessage-Id: ")
		}
	}
}

// forgedUnsigned: what a stranger sends in our name is not ours to sign, on no
// way through the server. A virtual alias takes it out again.
func forgedUnsigned(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	msg := by(t, b, sink, lab.Letter{
		From: "eve@remote.example", HeaderFrom: "ann@lab.example", To: "info@shop.example", Client: lab.OutsideAddr, Subject: "forged",
	})
	if found := lab.VerifyDKIM(t, b, msg); len(found) != 0 {
		t.Errorf("a forgery is signed: %+v\n%s", found, msg)
	}
}
