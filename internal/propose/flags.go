package propose

import "mailsetup/internal/spec"

// Flags returns answers as flags of the command line, in the order of the questions.
func Flags(a spec.Answers) []string {
	var flags []string
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				flags = append(flags, flag, v)
			}
		}
	}
	// yes is a flag without a value.
	yes := func(flag, answer string) {
		switch on, err := spec.YesNo(answer); {
		case err != nil:
		case on:
			flags = append(flags, flag)
		default:
			flags = append(flags, flag+"=false")
		}
	}
	add("--domain", a.Domain)
	add("--hostname", a.Hostname)
	add("--ip", a.Addresses...)
	add("--receive", a.Receive)
	add("--dns", a.DNS)
	yes("--dns-new-zone", a.NewZone)
	add("--ns", a.NS...)
	add("--keep-selector", a.KeepSelectors...)
	add("--rfc2136-server", a.UpdateServer)
	add("--rfc2136-key", a.UpdateKey)
	add("--dns-hook", a.Hook)
	add("--slot-zone", a.SlotZone)
	add("--slots", a.Slots)
	add("--root-alias", a.RootAlias)
	add("--notify", a.Notify)
	add("--selector", a.Selector)
	add("--key-bits", a.KeyBits)
	add("--ttl", a.TTL)
	yes("--subdomains", a.Subdomains)
	add("--spf-all", a.SPFAll)
	add("--spf-include", a.SPFInclude...)
	yes("--spf-redirect", a.SPFRedirect)
	add("--dmarc", a.DMARC)
	add("--dmarc-sp", a.DMARCSP)
	add("--adkim", a.ADKIM)
	add("--aspf", a.ASPF)
	add("--rua", a.RUA...)
	add("--ruf", a.RUF...)
	add("--mta", a.MTA)
	yes("--send-only", a.SendOnly)
	add("--milter-default-action", a.MilterDefaultAction)
	add("--existing-records", a.ExistingRecords)
	add("--service-milters", a.ServiceMilters)
	add("--sign-bounces", a.SignBounces)
	add("--wildcard-records", a.WildcardRecords)
	add("--other-signer", a.OtherSigner)
	return append(flags, a.Inbound.Flags()...)
}
