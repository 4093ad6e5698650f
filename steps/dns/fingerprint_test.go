package dns_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"mailsetup/internal/check/ignore"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/steps/dns"
)

// Whatever a domain's file says, the domain is looked at again when it says something
// else.
func TestAFingerprintIsOfAllThatADomainSays(t *testing.T) {
	host := spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", Domain: "lab.example", DNS: spec.DNSBind, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}}
	seen := map[string]string{}
	note := func(what string, d spec.Domain) {
		t.Helper()
		print := dns.Fingerprint(host, d, nil)
		if other, is := seen[print]; is || print == "" {
			t.Errorf("%s has the fingerprint of %s: %q", what, other, print)
		}
		seen[print] = what
	}
	var d spec.Domain
	note("the empty domain", d)
	var each func(path string, v reflect.Value)
	each = func(path string, v reflect.Value) {
		was := reflect.ValueOf(v.Interface())
		switch v.Interface().(type) {
		case spec.SPF, spec.DMARC, spec.Update, spec.Rotation:
			for i := range v.NumField() {
				each(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		case bool:
			v.SetBool(true)
		case int, time.Duration:
			v.SetInt(7)
		case uint32:
			v.SetUint(7)
		case []string:
			v.Set(reflect.ValueOf([]string{"a", "b"}))
			note(path+" in two parts", d)
			v.Set(reflect.ValueOf([]string{"ab"}))
		case []ignore.Rule:
			v.Set(reflect.ValueOf([]ignore.Rule{{Until: time.Date(2026, 12, 1, 0, 0, 0, 0, time.Local)}}))
			note(path+" for a while", d)
			v.Set(reflect.ValueOf([]ignore.Rule{{}}))
		default:
			v.SetString("rx") // ADKIM and ASPF are cut
		}
		note(path, d)
		v.Set(was)
	}
	for i, v := 0, reflect.ValueOf(&d).Elem(); i < v.NumField(); i++ {
		each(v.Type().Field(i).Name, v.Field(i))
	}
}

// A key between two stages is looked at in each run.
func TestAFingerprintWhileAKeyIsUnderWay(t *testing.T) {
	for stage, none := range map[keyring.Stage]bool{
		keyring.Staged: true, keyring.Publishing: true, keyring.Published: true,
		keyring.Active: false, keyring.Draining: false, keyring.Revoked: false, keyring.Gone: false,
	} {
		got := dns.Fingerprint(spec.Spec{}, spec.Domain{Name: "lab.example"}, []keyring.Key{{Selector: "k1", Stage: stage}})
		if (got == "") != none {
			t.Errorf("%s: %q", stage, got)
		}
	}
}
