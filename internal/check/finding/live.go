package finding

// liveKinds are those of package live.
var liveKinds = []Kind{
	{ID: "live.signed.sendmail", Title: "mail by sendmail", Why: "Mail of programs on this server without a valid signature fails DMARC where SPF does not pass, and is filtered.", Source: "RFC 6376 section 5", Needs: Root},
	{ID: "live.signed.smtp", Title: "mail by port 25", Why: "Mail that programs and neighbours hand in by SMTP leaves this server as its own.", Source: "RFC 6376 section 5", Needs: Root},
	{ID: "live.signed.submission", Title: "mail of users who log in", Why: "Mail of people is what receivers judge a domain by, and it comes in another way than that of programs.", Source: "RFC 6409 section 8.1", Needs: Root},
	{ID: "live.signed.bounce", Title: "bounces", Why: "A bounce has an empty sender, so only its signature can prove whom it is from.", Source: "postconf(5), internal_mail_filter_classes", Needs: Root},
	{ID: "live.signed.alias", Title: "mail by an alias", Why: "What an alias passes on leaves from here, and has to keep its signature.", Source: "aliases(5)", Needs: Root},
	{ID: "live.signed.reinject", Title: "mail through a content filter", Why: "Mail that a filter hands back may lose its signature, or get a second one.", Source: "https://www.postfix.org/FILTER_README.html", Needs: Root},
	{ID: "live.tamper", Title: "tampered copy", Why: "A signature that still holds after a change protects nothing.", Source: "RFC 6376 section 5.4", Needs: Root},
	{ID: "live.foreign", Title: "mail from outside in our name", Why: "If the mail of strangers is signed, anybody can send forged mail that passes DMARC.", Source: "opendkim.conf(5), InternalHosts", Needs: Root},
	{ID: "live.units", Title: "services", Why: "Without these services no mail leaves, or it leaves unsigned.", Source: "systemctl(1)"},
	{ID: "live.socket", Title: "socket of the milter", Why: "If Postfix does not reach the signer, mail waits, is refused or leaves unsigned.", Source: "https://www.postfix.org/MILTER_README.html", Needs: Root},
	{ID: "live.stale", Title: "daemons and their files", Why: "What was changed in a file has no effect until the daemon has read it.", Source: "postfix(1), reload"},
	{ID: "live.root", Title: "mail for root", Why: "What cron, the system and mailsetup have to say is mailed to root: where nobody has that mail, nobody hears of a fault.", Source: "aliases(5), exim(8) -bt"},
	{ID: "live.tables", Title: "types of tables", Why: "Postfix 3.11 warns of each table of Berkeley DB, and a later one will not look into it: all mail that needs the table waits then.", Source: "https://www.postfix.org/NON_BERKELEYDB_README.html"},
	{ID: "live.milters", Title: "milters of each service", Why: "Each service of Postfix has its own list of milters: mail that one of them does not show the signer leaves unsigned.", Source: "postconf(5), smtpd_milters"},
	{ID: "live.keys", Title: "private keys", Why: "A key that OpenDKIM cannot read does not sign, and one that others can read is no secret.", Source: "opendkim.conf(5), RequireSafeKeys", Needs: Root},
	{ID: "live.daemon", Title: "daemon OpenDKIM", Why: "A daemon that grows or that was not restarted for long may fail when nobody looks.", Source: "opendkim(8)"},
	{ID: "relay.open", Title: "relaying", Why: "A server that passes on the mail of strangers is on every block list within days.", Source: "RFC 5321 section 7.9"},
	{ID: "relay.postmaster", Title: "mail to postmaster", Why: "Everybody who has trouble with the mail of a domain writes to its postmaster; some block lists ask for it.", Source: "RFC 5321 section 4.5.1"},
	{ID: "relay.abuse", Title: "mail to abuse", Why: "Providers report spam to abuse, and block who does not answer.", Source: "RFC 2142 section 4"},
	{ID: "relay.return", Title: "way back for bounces", Why: "Some receivers refuse a sender whose domain cannot be answered.", Source: "RFC 5321 section 5.1", Needs: Resolver},
	{ID: "smtp.banner", Title: "SMTP banner", Why: "Some testers compare the greeting with the name in EHLO.", Source: "RFC 5321 section 4.3.1"},
}
