//go:build e2e

package e2e

import "mailsetup/internal/check/finding"

// liveFaults are those that package live finds.
var liveFaults = []checkFault{
	{
		id: "live.units", name: "OpenDKIM was stopped",
		inject: "systemctl stop opendkim",
		mend:   "systemctl start opendkim",
	},
	{
		id: "live.units", name: "Postfix was stopped",
		inject: "systemctl stop postfix; sleep 1",
		mend:   "systemctl start postfix",
	},
	{
		id: "live.units", name: "OpenDKIM was killed and does not start again",
		inject: `systemctl kill -s KILL opendkim; mkdir -p /etc/systemd/system/opendkim.service.d; printf '[Service]\nRestart=no\nExecStart=\nExecStart=/bin/false\n' >/etc/systemd/system/opendkim.service.d/lab.conf; systemctl daemon-reload; systemctl restart opendkim || :`,
		mend:   "systemctl reset-failed opendkim",
	},
	{
		id: "live.units", name: "OpenDKIM is suspended (SIGSTOP)",
		inject: "systemctl kill -s STOP opendkim",
		mend:   "systemctl kill -s CONT opendkim",
		args:   []string{"--only", "live,relay,smtp"},
	},
	{
		id: "live.units", name: "OpenDKIM does not start at boot",
		severity: finding.Warning,
		inject:   "systemctl -q disable opendkim",
		mend:     "systemctl -q enable opendkim",
	},
	{
		id: "live.units", name: "Postfix is masked",
		inject: "systemctl -q mask --runtime postfix; systemctl stop postfix",
		mend:   "systemctl -q unmask --runtime postfix; systemctl start postfix",
	},
	{
		id: "live.socket", name: "the socket's directory is closed to Postfix",
		inject: "chmod 700 /var/spool/postfix/opendkim",
		mend:   "chmod 2750 /var/spool/postfix/opendkim",
	},
	{
		id: "live.socket", name: "the socket was removed",
		inject: "rm /var/spool/postfix/opendkim/opendkim.sock",
		mend:   "signer",
	},
	{
		id: "live.socket", name: "OpenDKIM listens elsewhere",
		inject: "sed -i 's,^Socket.*,Socket inet:8891@localhost,' /etc/opendkim.conf; signer",
	},
	{
		id: "live.stale", name: "main.cf was edited and Postfix not reloaded",
		severity: finding.Warning,
		inject:   "postconf -e 'smtp_connect_timeout = 31s'",
	},
	{
		id: "live.stale", name: "the tables of OpenDKIM were put right and not read",
		inject: "cp -p /etc/opendkim/SigningTable /root/st; : >/etc/opendkim/SigningTable; signer; sleep .3; cat /root/st >/etc/opendkim/SigningTable",
		mend:   "signer",
	},
	{
		id: "live.stale", name: "aliases were edited and not compiled",
		severity: finding.Warning,
		inject:   "sleep .2; echo 'sales: root' >>/etc/aliases",
	},
	{
		id: "live.root", name: "root's alias is an account that is gone",
		severity: finding.Warning,
		inject:   "sed -i '/^root:/d' /etc/aliases; echo 'root: gone' >>/etc/aliases; newaliases; sleep .2",
		args:     []string{"--only", "live.root"},
	},
	{
		id: "live.milters", name: "receive_override_options keeps mail away from milters",
		inject: "postconf -e receive_override_options=no_milters; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.milters", name: "smtp in master.cf switches milters off",
		inject: "postconf -P smtp/inet/smtpd_milters=; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.milters", name: "submission switches milters off",
		inject: "postconf -M 'submission/inet=submission inet n - y - - smtpd -o smtpd_milters= -o smtpd_sasl_auth_enable=no'; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.milters", name: "mail leaves unsigned while OpenDKIM is down",
		severity: finding.Warning,
		inject:   "postconf -e 'smtpd_milters = { unix:opendkim/opendkim.sock, default_action=accept }'; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.milters", name: "non_smtpd_milters is empty",
		inject: "postconf -e non_smtpd_milters=; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.keys", name: "the private key is gone",
		inject: "rm /etc/dkimkeys/lab.example/*.private",
	},
	{
		id: "live.keys", name: "everybody can read the private key",
		inject: "chmod 644 /etc/dkimkeys/lab.example/*.private",
	},
	{
		id: "live.keys", name: "the private key is root's",
		inject: "chown root: /etc/dkimkeys/lab.example/*.private",
	},
	{
		id: "live.keys", name: "a directory above the key is closed",
		inject: "chown root: /etc/dkimkeys; chmod 700 /etc/dkimkeys",
	},
	{
		id: "live.keys", name: "a directory above the key is open to everybody",
		inject: "chmod 777 /etc/dkimkeys",
	},
	{
		id: "live.signed.sendmail", name: "the signing table has no rows",
		inject: "> /etc/opendkim/SigningTable; signer",
	},
	{
		id: "live.signed.sendmail", name: "the key table names another selector",
		inject: "sed -i 's/:202[0-9]*:/:other:/' /etc/opendkim/KeyTable; signer",
	},
	{
		id: "live.signed.sendmail", name: "this machine is not among the internal hosts",
		inject: "echo 203.0.113.1 >/etc/opendkim/TrustedHosts; signer",
	},
	{
		id: "live.signed.sendmail", name: "the subject is changed after signing",
		inject: "postconf -e 'smtp_header_checks = regexp:{{/^Subject: (.*)/ REPLACE Subject: [lab] $1}}'; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.signed.sendmail", name: "8-bit mail is converted after signing",
		inject: "postconf -e smtp_discard_ehlo_keywords=8bitmime; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.signed.sendmail", name: "the sender is changed after signing",
		inject: "echo 'root@mail.lab.example admin@lab.example' >/etc/postfix/generic; postconf -e smtp_generic_maps=texthash:/etc/postfix/generic; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.signed.smtp", name: "smtpd_milter_maps keeps mail of this machine away from the signer",
		inject: "postconf -e 'smtpd_milter_maps = cidr:{{127.0.0.0/8 DISABLE}}'; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.signed.bounce", name: "bounces pass no milter",
		severity: finding.Warning,
		inject:   "postconf -e internal_mail_filter_classes=; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.signed.submission", name: "the signer is not told of a login",
		inject: "postconf -M 'submission/inet=submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o milter_mail_macros=i'; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.signed.reinject", name: "what a content filter hands back is signed again",
		severity: finding.Warning,
		inject:   "postconf -M 'loop/unix=loop unix - - y - - smtp' '127.0.0.1:10025/inet=127.0.0.1:10025 inet n - y - - smtpd -o content_filter= -o mynetworks=127.0.0.0/8'; postconf -e content_filter=loop:[127.0.0.1]:10025; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.foreign", name: "mail of everybody is signed",
		inject: "echo 0.0.0.0/0 >>/etc/opendkim/TrustedHosts; signer",
	},
	{
		id: "live.tamper", name: "the subject is not signed",
		inject: "echo 'SignHeaders From,Date' >>/etc/opendkim.conf; signer",
	},
	{
		id: "relay.open", name: "everybody may relay (mynetworks)",
		inject: "postconf -e 'mynetworks = 0.0.0.0/0'; systemctl reload postfix; sleep .3",
	},
	{
		id: "live.units", name: "smtpd ends at once, for want of restrictions",
		release: "trixie", // on Debian 12 the check found no reason in the journal
		inject:  "postconf -e 'smtpd_relay_restrictions = permit' 'smtpd_recipient_restrictions ='; systemctl reload postfix; sleep .3",
	},
	{
		id: "relay.open", name: "a table lets strangers relay",
		inject: "postconf -e 'smtpd_relay_restrictions =' 'smtpd_recipient_restrictions = permit_mynetworks, check_client_access static:OK, reject_unauth_destination'; systemctl reload postfix; sleep .3",
	},
	{
		id: "relay.open", name: "who says to be from here may relay",
		inject: "postconf -e 'smtpd_relay_restrictions = permit_mynetworks, check_sender_access inline:{lab.example=OK}, reject_unauth_destination'; systemctl reload postfix; sleep .3",
	},
	{
		id: "relay.postmaster", name: "postmaster is refused",
		severity: finding.Warning,
		inject:   "postconf -e 'smtpd_recipient_restrictions = check_recipient_access inline:{postmaster@lab.example=REJECT}'; systemctl reload postfix; sleep .3",
	},
	{
		id: "relay.abuse", name: "nobody is abuse",
		severity: finding.Warning,
		inject:   "sed -i '/^abuse:/d' /etc/aliases; newaliases; sleep .2",
	},
	{
		id: "smtp.banner", name: "the banner has another name",
		severity: finding.Note,
		inject:   "postconf -e 'smtpd_banner = localhost ESMTP'; systemctl reload postfix; sleep .3",
	},
	{
		id: "relay.return", name: "a domain that only sends has no way back", severity: finding.Note, args: []string{"--skip", "live"},
		inject: "sed -i 's/^receive = true/receive = false/' /etc/mailsetup/domains.d/lab.example.toml; record '/ MX /d'; zones",
	},
}
