package recipient

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// fake has tables by name; a key "!" in one is its error.
type fake map[string]map[string]string

func (f fake) Lookup(_ context.Context, table, key string) (string, bool, error) {
	if table == "proxy:unix:passwd.byname" {
		table = Users
	}
	t := f[table]
	if why, down := t["!"]; down {
		return "", false, errors.New("ask table " + table + ": " + why)
	}
	value, found := t[key]
	return value, found, nil
}

func (f fake) Names(_ context.Context, path string) ([]string, error) {
	t, found := f[path]
	if !found {
		return nil, errors.New("no such file")
	}
	var names []string
	for n := range t {
		names = append(names, n)
	}
	return names, nil
}

// TestClass has the class that trivial-rewrite(8) of postfix 3.7 and 3.10 finds, and
// which of the virtual maps has addresses of a domain of none.
func TestClass(t *testing.T) {
	const def, local, alias, mailbox, relay = state.ClassDefault, state.ClassLocal, state.ClassVirtualAlias, state.ClassVirtualMailbox, state.ClassRelay
	for name, c := range map[string]struct {
		set    map[string]string
		tables fake
		domain string
		want   state.AddressClass
		err    string
		in     string
	}{
		"a name":                  {map[string]string{"mydestination": "localhost, Lab.example"}, nil, "lab.EXAMPLE", local, "", ""},
		"no name":                 {map[string]string{"mydestination": "localhost", "virtual_mailbox_domains": "slab.example"}, nil, "lab.example", def, "", ""},
		"a table":                 {map[string]string{"virtual_mailbox_domains": "hash:/vd"}, fake{"hash:/vd": {"lab.example": "x"}}, "lab.example", mailbox, "", ""},
		"a table behind a proxy":  {map[string]string{"virtual_alias_domains": "proxy:hash:/vd"}, fake{"proxy:hash:/vd": {"lab.example": "x"}}, "lab.example", alias, "", ""},
		"inline":                  {map[string]string{"relay_domains": "inline:{ {lab.example = x}, {b.example = y} }"}, fake{"inline:{ {lab.example = x}, {b.example = y} }": {"lab.example": "x"}}, "lab.example", relay, "", ""},
		"a list in a file":        {map[string]string{"virtual_mailbox_domains": "/vd"}, fake{"/vd": {"a.example, lab.example hash:/x": ""}}, "lab.example", mailbox, "", ""},
		"a file inverted":         {map[string]string{"virtual_mailbox_domains": "!/vd, lab.example, shop.example"}, fake{"/vd": {"lab.example": ""}}, "lab.example", def, "", ""},
		"the rest of the list":    {map[string]string{"virtual_mailbox_domains": "!/vd, lab.example, shop.example"}, fake{"/vd": {"lab.example": ""}}, "shop.example", mailbox, "", ""},
		"below a dotted name":     {map[string]string{"relay_domains": ".lab.example"}, nil, "a.dept.lab.example", relay, "", ""},
		"a table in a file":       {map[string]string{"virtual_mailbox_domains": "/vd"}, fake{"/vd": {"hash:/x": ""}, "hash:/x": {"lab.example": ""}}, "lab.example", mailbox, "", ""},
		"not this one":            {map[string]string{"virtual_mailbox_domains": "!lab.example hash:/vd"}, fake{"hash:/vd": {"lab.example": "x"}}, "lab.example", def, "", ""},
		"a pattern":               {map[string]string{"virtual_mailbox_domains": "pcre:/vd"}, fake{"pcre:/vd": {"lab.example": "x", ".example": "no"}}, "lab.example", mailbox, "", ""},
		"below a name":            {map[string]string{"mydestination": "lab.example", "virtual_mailbox_domains": ".lab.example"}, nil, "dept.lab.example", def, "", ""},
		"below a key":             {map[string]string{"virtual_mailbox_domains": "hash:/vd"}, fake{"hash:/vd": {"lab.example": "x", ".lab.example": "x"}}, "dept.lab.example", def, "", ""},
		"below a relayed name":    {map[string]string{"relay_domains": "lab.example", "parent_domain_matches_subdomains": "relay_domains"}, nil, "a.dept.lab.example", relay, "", ""},
		"below a relayed key":     {map[string]string{"relay_domains": "hash:/r", "parent_domain_matches_subdomains": "relay_domains"}, fake{"hash:/r": {"lab.example": "x"}}, "a.dept.lab.example", relay, "", ""},
		"below none":              {map[string]string{"relay_domains": "lab.example, hash:/r"}, fake{"hash:/r": {"lab.example": "x"}}, "dept.lab.example", def, "", ""},
		"below one with a dot":    {map[string]string{"relay_domains": "hash:/r"}, fake{"hash:/r": {".lab.example": "x"}}, "dept.lab.example", relay, "", ""},
		"the first list counts":   {map[string]string{"mydestination": "lab.example", "virtual_mailbox_domains": "lab.example"}, nil, "lab.example", local, "", ""},
		"a table that is down":    {map[string]string{"virtual_mailbox_domains": "mysql:/v.cf"}, fake{"mysql:/v.cf": {"!": "no server"}}, "lab.example", mailbox, "virtual_mailbox_domains: ask table mysql:/v.cf: no server", ""},
		"found before it":         {map[string]string{"virtual_mailbox_domains": "lab.example mysql:/v.cf"}, fake{"mysql:/v.cf": {"!": "no server"}}, "lab.example", mailbox, "", ""},
		"a file that is not read": {map[string]string{"mydestination": "/gone"}, nil, "lab.example", local, "mydestination: no such file", ""},
		"aliases and no list":     {map[string]string{"virtual_alias_maps": "hash:/va"}, fake{"hash:/va": {"@lab.example": "ann"}}, "lab.example", def, "", "virtual_alias_maps"},
		"mailboxes and no list":   {map[string]string{"virtual_alias_maps": "hash:/va", "virtual_mailbox_maps": "hash:/vm"}, fake{"hash:/va": {"postmaster@lab.example": "ann"}, "hash:/vm": {"info@lab.example": "x/"}}, "lab.example", def, "", "virtual_mailbox_maps"},
	} {
		p := Postfix{Value: c.set, Tables: c.tables}
		got, err := p.Classes(t.Context())(c.domain)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if got != c.want || said != c.err {
			t.Errorf("%s: %s, %q; want %s, %q", name, got, said, c.want, c.err)
		}
		if in := p.HasAddresses(t.Context(), "lab.example"); in != c.in {
			t.Errorf("%s: its addresses are in %q, want %q", name, in, c.in)
		}
	}
}

func TestInlineKeys(t *testing.T) {
	for text, want := range map[string]string{
		"{a.example=1, b.example=2}":               "a.example b.example",
		"{ {a.example = x y}, {b.example = ann} }": "a.example b.example",
		"{}":                    "",
		"{ { @a.example = x }}": "@a.example",
	} {
		if got := strings.Join(InlineKeys(text), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestResolve has the words of main.cf, the tables, and what postfix 3.7 and
// 3.10 do with an address then.
func TestResolve(t *testing.T) {
	users := map[string]string{"ann": "x", "bob": "x", "root": "x"}
	aliases := func(more ...string) fake {
		f := fake{Users: users, "hash:/etc/aliases": {"postmaster": "root"}}
		for i := 0; i < len(more); i += 2 {
			f["hash:/etc/aliases"][more[i]] = more[i+1]
		}
		return f
	}
	type value = map[string]string
	for name, c := range map[string]struct {
		set     value
		tables  fake
		address string
		route   state.MailRoute
		want    state.Recipient
	}{
		"a user": {nil, aliases(), "Ann@LAB.example", "", state.Recipient{
			End: state.EndMailbox, Class: state.ClassLocal, Address: "Ann@LAB.example", Why: "the mailbox of ann",
		}},
		"an extension": {nil, aliases(), "ann+lists@lab.example", "", state.Recipient{
			End: state.EndMailbox, Class: state.ClassLocal, Address: "ann+lists@lab.example", Why: "the mailbox of ann",
		}},
		"no delimiter": {value{"recipient_delimiter": ""}, aliases(), "ann+lists@lab.example", "", state.Recipient{
			End: state.EndNobody, Class: state.ClassLocal, Address: "ann+lists@lab.example", Why: "there is no user or alias ann+lists here",
		}},
		"nobody": {nil, aliases(), "wile@lab.example", "", state.Recipient{
			End: state.EndNobody, Class: state.ClassLocal, Address: "wile@lab.example", Why: "there is no user or alias wile here",
		}},
		"through root": {nil, aliases("root", "wile@lab.example"), "postmaster", "", state.Recipient{
			End: state.EndNobody, Class: state.ClassLocal, Address: "wile@lab.example", Why: "there is no user or alias wile here",
		}},
		"two readers, one of them there": {nil, aliases("root", "wile@lab.example, ann"), "root", "", state.Recipient{
			End: state.EndMailbox, Class: state.ClassLocal, Address: "ann@mail.lab.example", Why: "the mailbox of ann",
		}},
		"a circle": {nil, aliases("root", "carl@lab.example", "carl", "root"), "root", "", state.Recipient{
			End: state.EndLoop, Class: state.ClassLocal, Address: "root@mail.lab.example",
			Why: "root@mail.lab.example leads to root@mail.lab.example again, in a circle",
		}},
		"an alias that names itself": {nil, aliases("ann", "ann, wile"), "ann@lab.example", "", state.Recipient{
			End: state.EndMailbox, Class: state.ClassLocal, Address: "ann@lab.example", Why: "the mailbox of ann",
		}},
		"thrown away": {nil, aliases("root", "/dev/null"), "root", "", state.Recipient{
			End: state.EndNobody, Class: state.ClassLocal, Address: "root@mail.lab.example", Why: "the alias root throws it away: /dev/null",
		}},
		"a program": {nil, aliases("tickets", `"|/usr/bin/queue --of=a,b"`), "tickets@lab.example", "", state.Recipient{
			End: state.EndMailbox, Class: state.ClassLocal, Address: "tickets@lab.example", Why: "the alias tickets gives it to a program",
		}},
		"another host": {nil, aliases("root", "me@far.example"), "root", state.RouteUnknown, state.Recipient{
			End: state.EndElsewhere, Class: state.ClassDefault, Address: "me@far.example", Why: "another host has mail for far.example",
		}},
		"a domain of ours that Postfix lacks": {nil, aliases(), "ann@shop.example", state.RouteHere, state.Recipient{
			End: state.EndNobody, Class: state.ClassDefault, Address: "ann@shop.example",
			Why: "DNS leads mail for shop.example to this server, whose Postfix does not have that domain: it would come back",
		}},
		"neither MX nor address": {nil, aliases(), "ann@shop.example", state.RouteNone, state.Recipient{
			End: state.EndNobody, Class: state.ClassDefault, Address: "ann@shop.example", Why: "shop.example has neither a mail exchanger nor an address in DNS",
		}},
		"a null MX": {nil, aliases(), "ann@shop.example", state.RouteNull, state.Recipient{
			End: state.EndNobody, Class: state.ClassDefault, Address: "ann@shop.example", Why: "shop.example says in DNS that it takes no mail (null MX)",
		}},
		"a relay host may know another way": {value{"relayhost": "[192.0.2.25]"}, aliases(), "ann@shop.example", state.RouteNone, state.Recipient{
			End: state.EndUnknown, Class: state.ClassDefault, Address: "ann@shop.example",
			Why: "[192.0.2.25] is to take it, and shop.example has neither a mail exchanger nor an address in DNS",
		}},
		"a virtual mailbox": {
			value{"virtual_mailbox_domains": "hash:/vd", "virtual_mailbox_maps": "hash:/vm"},
			fake{Users: users, "hash:/vd": {"shop.example": "x"}, "hash:/vm": {"info@shop.example": "shop/info/"}},
			"info@shop.example", state.RouteHere,
			state.Recipient{
				End: state.EndMailbox, Class: state.ClassVirtualMailbox, Address: "info@shop.example", Why: "virtual_mailbox_maps has info@shop.example, delivered by virtual",
			},
		},
		"none of the virtual mailboxes": {
			value{"virtual_mailbox_domains": "shop.example", "virtual_mailbox_maps": "hash:/vm"},
			fake{Users: users, "hash:/vm": {"info@shop.example": "shop/info/"}},
			"postmaster@shop.example", state.RouteHere,
			state.Recipient{
				End: state.EndNobody, Class: state.ClassVirtualMailbox, Address: "postmaster@shop.example", Why: "virtual_mailbox_maps has no postmaster@shop.example",
			},
		},
		"all virtual mailboxes": {
			value{"virtual_mailbox_domains": "shop.example", "virtual_mailbox_maps": "hash:/vm"},
			fake{Users: users, "hash:/vm": {"@shop.example": "shop/all/"}},
			"any@shop.example", state.RouteHere,
			state.Recipient{
				End: state.EndMailbox, Class: state.ClassVirtualMailbox, Address: "any@shop.example", Why: "virtual_mailbox_maps has any@shop.example, delivered by virtual",
			},
		},
		"a list that takes everybody": {
			value{"virtual_mailbox_domains": "shop.example", "virtual_transport": "lmtp:unix:private/dovecot-lmtp"}, aliases(), "any@shop.example", state.RouteHere, state.Recipient{
				End: state.EndUnknown, Class: state.ClassVirtualMailbox, Address: "any@shop.example",
				Why: "virtual_transport is lmtp:unix:private/dovecot-lmtp, which decides: virtual_mailbox_maps is empty",
			},
		},
		"a table that is down": {
			value{"virtual_mailbox_domains": "mysql:/etc/postfix/vd.cf"}, fake{Users: users, "mysql:/etc/postfix/vd.cf": {"!": "connection refused"}}, "any@shop.example", state.RouteHere, state.Recipient{
				End: state.EndUnknown, Address: "any@shop.example", Why: "virtual_mailbox_domains: ask table mysql:/etc/postfix/vd.cf: connection refused",
			},
		},
		"a virtual alias": {
			value{"virtual_alias_domains": "shop.example", "virtual_alias_maps": "inline:{ {postmaster@shop.example=ann} }"},
			fake{Users: users, "inline:{ {postmaster@shop.example=ann} }": {"postmaster@shop.example": "ann"}},
			"postmaster@shop.example", state.RouteHere,
			state.Recipient{
				End: state.EndMailbox, Class: state.ClassLocal, Address: "ann@mail.lab.example", Why: "the mailbox of ann",
			},
		},
		"a virtual alias in a domain that Postfix does not have": {
			value{"virtual_alias_maps": "hash:/va"}, fake{Users: users, "hash:/va": {"info@shop.example": "ann"}}, "info@shop.example", state.RouteHere, state.Recipient{
				End: state.EndMailbox, Class: state.ClassLocal, Address: "ann@mail.lab.example", Why: "the mailbox of ann", Refused: true,
			},
		},
		"a virtual alias for all, and back": {
			value{"virtual_alias_domains": "shop.example", "virtual_alias_maps": "hash:/va"},
			fake{Users: users, "hash:/va": {"@shop.example": "@lab.example"}},
			"bob+x@shop.example", state.RouteHere,
			state.Recipient{
				End: state.EndMailbox, Class: state.ClassLocal, Address: "bob+x@lab.example", Why: "the mailbox of bob",
			},
		},
		"no virtual alias": {
			value{"virtual_alias_domains": "shop.example"}, aliases(), "postmaster@shop.example", state.RouteHere, state.Recipient{
				End: state.EndNobody, Class: state.ClassVirtualAlias, Address: "postmaster@shop.example",
				Why: "shop.example is one of virtual_alias_domains, and virtual_alias_maps has no postmaster@shop.example",
			},
		},
		"a virtual alias of root goes first": {
			value{"virtual_alias_maps": "hash:/va"}, fake{Users: users, "hash:/va": {"root": "me@far.example"}}, "root", state.RouteElsewhere, state.Recipient{
				End: state.EndElsewhere, Class: state.ClassDefault, Address: "me@far.example", Why: "another host has mail for far.example",
			},
		},
		"relayed": {value{"relay_domains": "shop.example"}, aliases(), "any@dept.shop.example", state.RouteHere, state.Recipient{
			End: state.EndElsewhere, Class: state.ClassRelay, Address: "any@dept.shop.example", Why: "dept.shop.example is relayed",
		}},
		"relayed, and not for all": {
			value{"relay_domains": "shop.example", "relay_recipient_maps": "hash:/rr"}, fake{"hash:/rr": {"info@shop.example": "x"}}, "any@shop.example", state.RouteHere, state.Recipient{
				End: state.EndElsewhere, Class: state.ClassRelay, Address: "any@shop.example", Why: "shop.example is relayed", Refused: true,
			},
		},
		"taken by sendmail only": {
			value{"local_recipient_maps": "hash:/few"}, aliases(), "ann@lab.example", "", state.Recipient{
				End: state.EndMailbox, Class: state.ClassLocal, Address: "ann@lab.example", Why: "the mailbox of ann", Refused: true,
			},
		},
		"everybody is let in, and bounces": {value{"local_recipient_maps": ""}, aliases(), "wile@lab.example", "", state.Recipient{
			End: state.EndNobody, Class: state.ClassLocal, Address: "wile@lab.example", Why: "there is no user or alias wile here",
		}},
		"a reader for unknown users": {value{"luser_relay": "ann"}, aliases(), "wile@lab.example", "", state.Recipient{
			End: state.EndMailbox, Class: state.ClassLocal, Address: "ann@mail.lab.example", Why: "the mailbox of ann",
			Refused: true, // until local_recipient_maps is empty
		}},
		"another program for unknown users": {value{"fallback_transport": "lmtp:unix:x"}, aliases(), "wile@lab.example", "", state.Recipient{
			End: state.EndUnknown, Class: state.ClassLocal, Address: "wile@lab.example", Why: "fallback_transport decides", Refused: true,
		}},
		"no local mail": {value{"local_transport": "error:no local mail"}, aliases(), "ann@lab.example", "", state.Recipient{
			End: state.EndNobody, Class: state.ClassLocal, Address: "ann@lab.example", Why: "local_transport of lab.example is error:no local mail",
		}},
		"a transport": {value{"transport_maps": "hash:/t"}, fake{Users: users, "hash:/t": {".lab.example": "smtp:[mail.far.example]"}}, "ann@dept.lab.example", state.RouteNone, state.Recipient{
			End: state.EndElsewhere, Class: state.ClassDefault, Address: "ann@dept.lab.example", Why: "transport_maps gives it to [mail.far.example]",
		}},
		"names in a file, one of them not": {value{"mydestination": "!old.lab.example, /etc/names"}, fake{Users: users, "/etc/names": {"lab.example": "", "old.lab.example": ""}}, "ann@old.lab.example", state.RouteNone, state.Recipient{
			End: state.EndNobody, Class: state.ClassDefault, Address: "ann@old.lab.example", Why: "old.lab.example has neither a mail exchanger nor an address in DNS",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Postfix{Value: value{
				"myorigin": "mail.lab.example", "mydestination": "mail.lab.example, lab.example, localhost", "recipient_delimiter": "+",
				"alias_maps": "hash:/etc/aliases", "local_recipient_maps": "proxy:unix:passwd.byname hash:/etc/aliases",
				"local_transport": "local:mail.lab.example", "virtual_transport": "virtual", "relay_transport": "relay", "default_transport": "smtp",
				"parent_domain_matches_subdomains": "relay_domains",
			}, Tables: c.tables, Route: func(string) state.MailRoute { return c.route }}
			for name, v := range c.set {
				p.Value[name] = v
			}
			got := p.Resolve(t.Context(), c.address)
			if got.Agent = ""; got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// The agent is that of the address itself: an alias of local(8) is still its own.
func TestTheAgentThatIsAsked(t *testing.T) {
	tables := fake{
		Users: {"ann": "x"}, "hash:/etc/aliases": {"root": "me@far.example"},
		"hash:/va": {"ops@lab.example": "me@far.example", "all@lab.example": "ann, me@far.example"},
	}
	p := Postfix{Tables: tables, Value: map[string]string{
		"myorigin": "lab.example", "mydestination": "lab.example", "alias_maps": "hash:/etc/aliases", "virtual_alias_maps": "hash:/va",
		"local_transport": "local:lab.example", "default_transport": "smtp",
	}}
	for address, want := range map[string]string{"root": "local", "ann": "local", "ops": "smtp", "all": "", "me@far.example": "smtp"} {
		if got := p.Resolve(t.Context(), address).Agent; got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}
