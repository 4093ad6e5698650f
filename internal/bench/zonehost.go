package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"mailsetup/internal/edits"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/dns"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// furnishServed gives the server n domains in all, each with the zone that add-domain
// --dns-new-zone makes, as earlier runs would have left them. It returns the run by which
// the program takes note of them.
func (h *host) furnishServed(n int) []string {
	key, err := keygen.Generate(2048)
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	conf := []string{h.Read(h.t, "/etc/bind/named.conf.local")}
	for i := h.n; i < n; i++ {
		statement, err := furnishZone(h.Root(), domain(i), key, netip.MustParseAddr(h.Addr))
		if err != nil {
			h.t.Fatalf("%v", err)
		}
		conf = append(conf, statement)
	}
	h.n = n
	h.Write(h.t, "/etc/bind/named.conf.local", strings.Join(conf, "\n"), 0o644)
	h.Sh(h.t, "chown -R opendkim:opendkim /etc/dkimkeys; chown -R root:bind /etc/bind/mailsetup; systemctl restart named")
	h.serves()
	return []string{"mailsetup", "init", "--domain", lab1, "--yes", "--overwrite-drift"}
}

// furnishZone is furnishDomain with a zone. It returns the statement of named.conf.local.
func furnishZone(root, name string, key *keygen.Key, server netip.Addr) (string, error) {
	if err := furnishDomain(root, name, key); err != nil {
		return "", err
	}
	d := wished(name)
	d.NewZone, d.NS = true, []string{"mail.lab.example"}
	d.KeyBits, d.TTL = shortBits, uint32(shortTTL.Seconds()) // of the keys to come
	text, err := os.ReadFile(filepath.Join(root, string(keyring.File(name))))
	if err != nil {
		return "", err
	}
	keys, err := keyring.ParseDomain(text)
	if err != nil {
		return "", err
	}
	in := step.Input{
		Spec:   spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", Domain: lab1, Addresses: []netip.Addr{server}, DNS: spec.DNSBind}, Domains: []spec.Domain{d}},
		Ledger: keyring.Ledger{name: keys},
	}
	file, fragment := dns.FragmentDir.Join("db."+name), dns.FragmentDir.Join(name+".zone")
	ours := zonefile.Fragment(name, records.Of(in, d))
	zone, err := zonefile.Apply(state.ZoneEdit{
		Path: file, Origin: name + ".", Include: fragment, Stamp: dns.FragmentStamp(ours), Now: today,
		New: &state.NewZone{NS: []string{"mail.lab.example."}, Hostmaster: "hostmaster." + name + ".", TTL: d.TTL},
	}, nil)
	if err != nil {
		return "", err
	}
	zone = bytes.Replace(zone, []byte("900 "), []byte("60 "), 1) // how long nobody asks again for the key to come
	for path, text := range map[state.Path][]byte{spec.DomainFile(name): spec.MarshalDomain(d), file: zone, fragment: ours} {
		if err := os.WriteFile(filepath.Join(root, string(path)), text, 0o644); err != nil {
			return "", err
		}
	}
	return edits.ZoneStatement(state.NamedZone{Origin: name, File: file}), nil
}
