package finding

// dkimKinds are those of package dkim.
var dkimKinds = []Kind{
	{
		ID: "dkim.record", Title: "key record on every name server", Needs: Resolver,
		Why:    "Receivers ask any of the domain's name servers for the key: where it is missing, the signature counts as none.",
		Source: "RFC 6376 section 6.1.2",
	},
	{
		ID: "dkim.match", Title: "key record and private key",
		Why:    "No signature verifies if the record has another key than the file that signs.",
		Source: "RFC 6376 section 6.1.3",
	},
	{
		ID: "dkim.one", Title: "one key record", Needs: Resolver,
		Why:    "With two records at a selector each receiver does something else, and most refuse the signature.",
		Source: "RFC 6376 section 3.6.2.2",
	},
	{
		ID: "dkim.paste", Title: "how the key record was pasted", Needs: Resolver,
		Why:    "A key that was cut, quoted or put at another name on its way into DNS verifies nothing.",
		Source: "RFC 6376 section 3.6.1",
	},
	{
		ID: "dkim.bits", Title: "size of the key",
		Why:    "Receivers ignore keys under 1024 bits, and Google recommends 2048.",
		Source: "RFC 8301 section 3.2",
	},
	{
		ID: "dkim.tags", Title: "tags of the key record", Needs: Resolver,
		Why:    "A tag of the record can keep receivers from using the key for mail.",
		Source: "RFC 6376 section 3.6.1",
	},
	{
		ID: "dkim.ed25519", Title: "Ed25519 keys", Needs: Resolver,
		Why:    "Google, Yahoo and Microsoft do not verify Ed25519, so that mail signed with it alone counts as unsigned.",
		Source: "RFC 8463 section 3",
	},
	{
		ID: "dkim.stray", Title: "other selectors", Needs: Resolver | Setup,
		Why:    "Whoever has an old private key signs as the domain while its record is there.",
		Source: "RFC 6376 section 6.1.2",
	},
	{
		ID: "dkim.age", Title: "age of the key", Needs: Setup | Root,
		Why:    "The longer a key signs, the more often it was in backups and images from which somebody may take it.",
		Source: "mailsetup(8), rotate_every",
	},
	{
		ID: "dkim.due", Title: "steps of rotation", Needs: Setup | Root,
		Why:    "A step that nobody takes leaves old keys valid, and new ones unused.",
		Source: "mailsetup(8), rotate-dkim",
	},
	{
		ID: "dkim.sharing", Title: "keys of several domains", Needs: Setup | Root,
		Why:    "Who gets the one private key signs as all of its domains, and it can only be replaced for all at once.",
		Source: "RFC 6376 section 3.1",
	},
	{
		ID: "dkim.adsp", Title: "ADSP record", Needs: Resolver,
		Why:    "ADSP is historic: nobody reads it, DMARC took its place.",
		Source: "RFC 5617, historic since 2013",
	},
}
