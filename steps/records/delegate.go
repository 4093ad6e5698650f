package records

import (
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Delegates reports whether the names of the keys of a domain are a zone of their own in the
// BIND of this machine.
func Delegates(s spec.Spec, d spec.Domain) bool {
	return s.DNSOf(d) == spec.DNSDelegate && d.SignedBy == ""
}

// IsDelegated reports whether a record of a domain stands in the zone of its keys.
func IsDelegated(s spec.Spec, d spec.Domain, r state.Record) bool {
	return isOwnKey(d.Name, r) && Delegates(s, d)
}

// isOwnKey reports whether a record is that of a key, below the name of the domain itself.
func isOwnKey(domain string, r state.Record) bool {
	_, below, isKey := dnsname.SplitKey(dnsname.TrimDot(r.Name))
	return isKey && dnsname.Same(below, domain)
}

// NameServers returns the name servers of the zone of a domain's keys, without final dot.
func NameServers(s spec.Spec, d spec.Domain) []string {
	if len(d.NS) > 0 {
		return d.NS
	}
	return []string{s.Host.Hostname}
}

// UsesBIND reports whether the BIND of this machine publishes records of a domain that is
// published in some way.
func UsesBIND(s spec.Spec, mode spec.DNSMode) bool {
	return mode == spec.DNSBind || mode == spec.DNSDelegate || mode == spec.DNSSlots && SlotMode(s) == spec.DNSBind
}

// KnownSelectors are names at which keys of others are often found: those that large senders
// have their customers publish, and the defaults of programs. Nobody publishes such a list, and
// names change, so it can miss one; of some nobody can guess the name (Amazon SES: three random
// ones). What is missing, keep_selectors names.
func KnownSelectors() []string {
	return strings.Fields(`
		google 20230601
		selector1 selector2
		k1 k2 k3 mte1 mte2 mandrill
		s1 s2 m1 smtpapi
		fm1 fm2 fm3 mesmtp
		protonmail protonmail2 protonmail3
		zoho zmail zohomail
		pm pm20 pic mailo smtp mx mta krs
		mailjet sib sendinblue brevo1 brevo2 mail
		everlytickey1 everlytickey2
		sig1 mxvault turbo-smtp
		hs1 hs2 ctct1 ctct2 cm scph0817 scph1022
		zendesk1 zendesk2 klaviyo1 klaviyo2 kl kl2
		sparkpost mailgun mg email litesrv ml mlsend
		default dkim dkim1 dkim2 key1 key2 selector x 1 2018 2019 2020 2021 2022 2023 2024 2025
		ionos s1-ionos s2-ionos s42582890 ds ovhmo-selector-1 hostingermail1 hostingermail2 hostingermail-a hostingermail-b hostingermail-c
		titan1 titan2 uberspace strato-dkim-0002 strato-dkim-0003 mbo0001 MBO0001
		dynect dk postfix exim opendkim rspamd server web www
	`)
}

// SelectorsToKeep returns the selectors at which keys of other senders are looked for.
func SelectorsToKeep(d spec.Domain) []string {
	all := slices.Concat(d.KeepSelectors, KnownSelectors())
	for i := range all {
		all[i] = strings.ToLower(all[i])
	}
	slices.Sort(all)
	return slices.Compact(all)
}
