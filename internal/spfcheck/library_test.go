package spfcheck

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	spf "blitiri.com.ar/go/spf"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/policy"
)

// library is a DNS as go/spf wants it.
type library struct{ detecttest.Answers }

func (l library) ask(name, rtype string) ([]string, error) {
	records, status, _ := l.Lookup(context.Background(), strings.ToLower(strings.TrimSuffix(name, "."))+".", rtype)
	var list []string
	for _, r := range records {
		list = append(list, r.Value)
	}
	if status != dnsclient.Found {
		return nil, &net.DNSError{Err: status.String(), Name: name, IsNotFound: status != dnsclient.Unknown, IsTemporary: status == dnsclient.Unknown}
	}
	return list, nil
}

func (l library) LookupTXT(_ context.Context, name string) ([]string, error) {
	return l.ask(name, "TXT")
}

func (l library) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	values, err := l.ask(name, "MX")
	var list []*net.MX
	for _, v := range values {
		_, host, _ := strings.Cut(v, " ")
		list = append(list, &net.MX{Host: host})
	}
	return list, err
}

func (l library) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	var list []net.IPAddr
	var last error
	for _, t := range []string{"A", "AAAA"} {
		values, err := l.ask(name, t)
		for _, v := range values {
			list = append(list, net.IPAddr{IP: net.ParseIP(v)})
		}
		last = err
	}
	if len(list) > 0 {
		last = nil
	}
	return list, last
}

func (l library) LookupAddr(context.Context, string) ([]string, error) {
	return nil, &net.DNSError{IsNotFound: true}
}

// FuzzCheck: go/spf and this package say the same of a record, as long as the record has
// none of what the library is known to read otherwise.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{
		"v=spf1 mx a:a.example/24//64 include:v.example ~all", "v=spf1 -ip4:192.0.2.0/24 redirect=v.example", "v=spf1 exists:%{ir}.%{v}.x.example ?all",
		"v=spf1 a:%{d2}.%{o1r+-}.example include:lab.example", "v=spf1 exists:%{S}.%{H}._%{l3r}.x.example%-%_%%.example all", "v=spf1 a:six.example ip6:2001:db8::/32 -all",
		"v=spf1 a:1.example mx:2.example exists:3.example", "v=spf1 exists:postmaster%40lab.example.x.example", "v=spf1 redirect=%{d}",
	} {
		f.Add(text)
	}
	base := []string{
		"v.example. TXT v=spf1 a:us.example ?all", "us.example. A 192.0.2.10", "us.example. AAAA 2001:db8::10", "six.example. AAAA 2001:db8::66", "a.example. A 192.0.2.99",
		"lab.example. MX 10 us.example.", "lab.example. A 198.51.100.1", "10.2.0.192.in-addr.x.example. A 127.0.0.2", "postmaster%40lab.example.x.example. A 127.0.0.2",
		"lab.example.example.lab.example. A 192.0.2.10",
	}
	f.Fuzz(func(t *testing.T, text string) {
		rec, err := policy.ParseSPF(text)
		if err != nil || strings.Contains(text, "::ffff") || rec.Uses("ptr") || strings.Contains(strings.ToLower(text), "%{p") {
			t.Skip()
		}
		for _, n := range []string{"exp", "redirect"} { // a domain that does not exist is none for us, and void for the library
			if rec.Uses(n) && strings.Contains(text, "..") {
				t.Skip()
			}
		}
		world := world(append(base, "lab.example. TXT "+text)...)
		for _, ip := range []string{"192.0.2.10", "2001:db8::10", "198.51.100.77"} {
			want, _ := spf.CheckHostWithSender(net.ParseIP(ip), "mail.lab.example", "postmaster@lab.example", spf.WithResolver(library{world}))
			got := NewNames(world).Check(t.Context(), Receiver{BothFamilies: true}, Client{Address: netip.MustParseAddr(ip), HELO: "mail.lab.example", Sender: "lab.example"})
			if string(got.Result) != string(want) {
				t.Errorf("%q for %s: %v, go/spf says %s", text, ip, got, want)
			}
		}
	})
}
