package dnsprovider

// dnscontrol returns where DNSControl refuses what a provider's API does not take.
func dnscontrol(provider string) string {
	return "https://github.com/StackExchange/dnscontrol/blob/v4.40.0/providers/" + provider + "/auditrecords.go"
}

// Providers are those that are known, in the order of their names. Names of name servers
// are from the same sources or from the providers' code in DNSControl 4.40.0; those of IONOS,
// STRATO, Wix, Hostinger, Infomaniak and OVH have no source here. A name that is wrong means
// that nothing is said of the form.
var Providers = []Provider{
	{"Amazon Route 53", []string{"awsdns-*.com", "awsdns-*.net", "awsdns-*.org", "awsdns-*.co.uk"}, Habits{Quotes: true}, []string{
		"https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat",
	}},
	{"Azure DNS", []string{"azure-dns.com", "azure-dns.net", "azure-dns.org", "azure-dns.info"}, Habits{Relative: true}, []string{
		"https://learn.microsoft.com/en-us/azure/dns/dns-zones-records",
	}},
	{"Cloudflare", []string{"ns.cloudflare.com"}, Habits{Splits: true, Proxies: true}, []string{
		"https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/",
		"https://developers.cloudflare.com/dns/proxy-status/", "https://github.com/cloudflare/cloudflare-typescript/pull/1777",
	}},
	{"deSEC", []string{"desec.io", "desec.org"}, Habits{}, nil},
	{"DigitalOcean", []string{"digitalocean.com"}, Habits{MaxTXT: 512}, []string{dnscontrol("digitalocean")}},
	{"DNS Made Easy", []string{"dnsmadeeasy.com"}, Habits{Bare: true}, []string{dnscontrol("dnsmadeeasy")}},
	{"DNSimple", []string{"dnsimple.com", "dnsimple-edge.com", "dnsimple-edge.net", "dnsimple-edge.org", "dnsimple-edge.io"}, Habits{Bare: true, Splits: true, MaxTXT: 1000}, []string{
		"https://support.dnsimple.com/articles/txt-record-format",
	}},
	{"DreamHost", []string{"dreamhost.com"}, Habits{Relative: true}, []string{"https://docs.lettr.com/knowledge-base/dns-guides/dreamhost"}},
	{"Dynadot", []string{"dyna-ns.net"}, Habits{Relative: true}, []string{"https://docs.lettr.com/knowledge-base/dns-guides/dynadot"}},
	{"Gandi", []string{"gandi.net"}, Habits{Relative: true, Dot: true}, []string{"https://docs.lettr.com/knowledge-base/dns-guides/gandi"}},
	{"GoDaddy", []string{"domaincontrol.com"}, Habits{Relative: true, MaxTXT: 1024}, []string{"https://www.godaddy.com/help/add-a-txt-record-19232"}},
	{"Google Cloud DNS", []string{"ns-cloud-*.googledomains.com"}, Habits{Quotes: true}, []string{
		"https://mailhardener.com/blog/how-to-enter-txt-values-in-google-cloud-dns",
	}},
	{"Hetzner", []string{"ns.hetzner.com", "ns.hetzner.de", "first-ns.de", "second-ns.de", "second-ns.com"}, Habits{Relative: true, Dot: true}, []string{
		"https://docs.hetzner.com/networking/dns/faq/records",
	}},
	{"Hostinger", []string{"dns-parking.com"}, Habits{}, nil},
	{"Hurricane Electric", []string{"he.net"}, Habits{}, nil},
	{"Infomaniak", []string{"infomaniak.ch", "infomaniak.com"}, Habits{}, nil},
	{"INWX", []string{"inwx.de", "inwx.eu", "inwx.com"}, Habits{}, nil},
	{"IONOS", []string{"ui-dns.com", "ui-dns.de", "ui-dns.org", "ui-dns.biz"}, Habits{}, nil},
	{"Joker", []string{"ns.joker.com"}, Habits{}, nil},
	{"Linode", []string{"linode.com"}, Habits{}, nil},
	{"Loopia", []string{"loopia.se"}, Habits{MaxTXT: 450}, []string{dnscontrol("loopia")}},
	{"name.com", []string{"name.com"}, Habits{Bare: true}, []string{dnscontrol("namedotcom")}},
	{"Namecheap", []string{"registrar-servers.com"}, Habits{Relative: true, Bare: true, Splits: true}, []string{
		"https://www.spamresource.com/2024/10/tiny-tip-tuesday-namecheap-supports.html",
		"https://help.mailgun.com/hc/en-us/articles/15823826021275-Namecheap-DNS-Setup-Guide", dnscontrol("namecheap"),
	}},
	{"netcup", []string{"root-dns.netcup.net", "second-dns.netcup.net", "third-dns.netcup.net"}, Habits{Relative: true}, []string{
		"https://www.netcup.com/en/helpcenter/documentation/web-hosting/webhosting-dns",
	}},
	{"OVHcloud", []string{"ovh.net", "ovh.ca", "anycast.me"}, Habits{}, nil},
	{"Porkbun", []string{"ns.porkbun.com"}, Habits{}, nil},
	{"Squarespace", []string{"squarespacedns.com", "squarespace-dns.com"}, Habits{Relative: true}, []string{
		"https://help.flodesk.com/en/articles/9583973-video-guide-how-to-verify-a-domain-in-squarespace-manually",
	}},
	{"STRATO", []string{"rzone.de"}, Habits{}, nil},
	{"TransIP", []string{"transip.net", "transip.nl", "transip.eu"}, Habits{MaxTXT: 1024}, []string{dnscontrol("transip")}},
	{"Vultr", []string{"vultr.com"}, Habits{Bare: true}, []string{dnscontrol("vultr")}},
	{"Wix", []string{"wixdns.net"}, Habits{}, nil},
}
