package finding

// dkimKinds are those of package dkim.
var dkimKinds = []Kind{
	{ID: "dkim.record", Title: "key record on every name server"},
	{ID: "dkim.match", Title: "key record and private key"},
	{ID: "dkim.one", Title: "one key record"},
	{ID: "dkim.paste", Title: "how the key record was pasted"},
	{ID: "dkim.bits", Title: "size of the key"},
	{ID: "dkim.tags", Title: "tags of the key record"},
	{ID: "dkim.ed25519", Title: "Ed25519 keys"},
	{ID: "dkim.stray", Title: "other selectors"},
	{ID: "dkim.age", Title: "age of the key"},
	{ID: "dkim.due", Title: "steps of rotation"},
	{ID: "dkim.sharing", Title: "keys of several domains"},
	{ID: "dkim.adsp", Title: "ADSP record"},
}
