package inbound

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"mailsetup/internal/dnsbl"
	policy "mailsetup/internal/inbound"
	"mailsetup/steps/step"
)

// rule is one of rspamd's module force_actions: what is done with a message that has
// symbols.
type rule struct{ name, action, expression, message string }

// refusals are the rules of SPF and DMARC. DMARC has other symbols while DNS does not
// answer.
func refusals(p policy.Policy) (all []rule) {
	const file, reject = "add header", "reject"
	if p.SPF == policy.Reject {
		all = append(all, rule{"MAILSETUP_SPF", reject, "R_SPF_FAIL", "SPF: the domain of the sender forbids this server"})
	}
	switch p.DMARC {
	case policy.Quarantine:
		all = append(all, rule{"MAILSETUP_DMARC", file, "DMARC_POLICY_REJECT | DMARC_POLICY_QUARANTINE", ""})
	case policy.Reject:
		all = append(all, rule{"MAILSETUP_DMARC", reject, "DMARC_POLICY_REJECT", "DMARC: the domain in From wants this refused"},
			rule{"MAILSETUP_QUARANTINE", file, "DMARC_POLICY_QUARANTINE", ""})
	case policy.Off, policy.Mark:
	}
	return all
}

// blockLists returns the lists as rspamd's module rbl has them, and the rules that refuse.
// Only the answers that count have a symbol, so a list that refuses the resolver refuses no
// mail.
func blockLists(p policy.Policy) (conf string, rules []rule, err error) {
	const most = 256
	for i, text := range p.DNSBL {
		site, err := dnsbl.Parse(text)
		if err != nil {
			return "", nil, step.Refuse("mailsetup inbound --dnsbl none", "[inbound] of /etc/mailsetup/host.toml: dnsbl: %v", err)
		}
		answers := site.Answers(most)
		switch {
		case site.Domains:
			return "", nil, step.Refuse("leave it out: rspamd asks lists of domains itself, which rspamadm configdump rbl shows",
				"rspamd judges incoming mail here, and %s lists domains of senders", dnsbl.Shown(site.Zone))
		case answers == nil:
			return "", nil, step.Refuse("name those that count, as in "+dnsbl.Shown(site.Zone)+"="+dnsbl.DefaultCodes,
				"rspamd judges incoming mail here, and takes no more than %d answers of a list for a listing: %s has more", most, site.Shown())
		}
		name := fmt.Sprintf("MAILSETUP_LIST_%d", i+1)
		conf += fmt.Sprintf("  %s {\n    symbol = %q;\n    rbl = %q;\n    checks = [\"from\"];\n    ignore_whitelist = true;\n    returncodes {\n      %s_LISTED = [\"%s\"];\n    }\n  }\n",
			strings.ToLower(name), name, site.Zone, name, strings.Join(answers, "\", \""))
		rules = append(rules, rule{name, "reject", name + "_LISTED", "Service unavailable; client blocked using " + dnsbl.Shown(site.Zone)})
	}
	if conf != "" {
		conf = "rbls {\n" + conf + "}\n"
	}
	return conf, rules, nil
}

// rspamdPasses returns the settings by which own networks, clients and senders pass the
// rules of ours with these names.
func rspamdPasses(p policy.Policy, own []netip.Prefix, names string) (conf string) {
	kinds := []string{"ip", "hostname", "from"}
	who := make([][]string, len(kinds))
	for _, n := range own {
		who[0] = append(who[0], fmt.Sprintf("%q", n))
	}
	for _, e := range p.Passes() {
		plain, pattern := e.Name, strings.ReplaceAll(regexp.QuoteMeta(e.Name), "/", `\/`)
		switch {
		case e.Kind == policy.Network:
			who[0] = append(who[0], fmt.Sprintf("%q", e.Network))
			continue
		case e.Kind == policy.Host && strings.HasPrefix(e.Name, "."):
			pattern = ".*" + pattern // the whole has to match
		case e.Kind == policy.Domain:
			plain = "@" + plain
		}
		if e.Kind == policy.Host || strings.HasPrefix(plain, "/") {
			plain = "/^" + pattern + "$/i"
		}
		at := map[bool]int{true: 1, false: 2}[e.Kind == policy.Host]
		who[at] = append(who[at], fmt.Sprintf("%q", plain))
	}
	for i, kind := range kinds {
		if len(who[i]) > 0 {
			conf += fmt.Sprintf("mailsetup_%s {\n  priority = \"high\";\n  %s = [%s];\n  apply { symbols_disabled = [%s]; }\n}\n", kind, kind, strings.Join(who[i], ", "), names)
		}
	}
	return conf
}
