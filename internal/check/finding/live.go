package finding

// liveKinds are those of package live.
var liveKinds = []Kind{
	{ID: "live.signed.sendmail", Title: "mail by sendmail"},
	{ID: "live.signed.smtp", Title: "mail by port 25"},
	{ID: "live.signed.submission", Title: "mail of users who log in"},
	{ID: "live.signed.bounce", Title: "bounces"},
	{ID: "live.signed.alias", Title: "mail by an alias"},
	{ID: "live.signed.reinject", Title: "mail through a content filter"},
	{ID: "live.tamper", Title: "tampered copy"},
	{ID: "live.foreign", Title: "mail from outside in our name"},
	{ID: "live.units", Title: "services"},
	{ID: "live.socket", Title: "socket of the milter"},
	{ID: "live.stale", Title: "daemons and their files"},
	{ID: "live.milters", Title: "milters of each service"},
	{ID: "live.keys", Title: "private keys"},
	{ID: "live.daemon", Title: "daemon OpenDKIM"},
	{ID: "relay.open", Title: "relaying"},
	{ID: "relay.postmaster", Title: "mail to postmaster"},
	{ID: "relay.abuse", Title: "mail to abuse"},
	{ID: "relay.return", Title: "way back for bounces"},
	{ID: "smtp.banner", Title: "SMTP banner"},
}
