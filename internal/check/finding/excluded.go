package finding

// excluded are kinds that others have and that are not checked here, beside those of the
// catalogue that say so themselves.
var excluded = []Kind{
	{
		ID: "msg.content", Title: "links, images and forms of a message",
		Excluded: "what people write is theirs; msg.score shows what filters make of a message",
	},
	{
		ID: "ops.ignore", Title: "what the administrator knows",
		Excluded: "that is no check but a setting, ignore = [{id = …, subject = …, reason = …, until = …}] in host.toml or in the file of a domain",
	},
	{
		ID: "tls.ciphers", Title: "ciphers of TLS",
		Excluded: "senders take what they can get, so a list of ciphers that a browser would not use says nothing about mail; tls.version tells of old TLS in one note",
	},
	{
		ID: "tls.curves", Title: "curves of TLS",
		Excluded: "as tls.ciphers",
	},
}

// Excluded returns the kinds that are never judged, those of the catalogue first.
func Excluded() []Kind {
	var list []Kind
	for _, k := range Catalogue() {
		if k.Excluded != "" {
			list = append(list, k)
		}
	}
	return append(list, excluded...)
}
