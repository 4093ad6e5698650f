package dns_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// hosting returns the input of a server with a zone for each of many domains, of
// which a run is about the first ones.
func hosting(t *testing.T, zones, about int) step.Input {
	t.Helper()
	in := steptest.Two("mail.lab.example", "shop.example")
	d := in.Spec.Domains[1]
	d.DMARC.RUA = nil // whose zone would have to consent
	in.Spec.Domains = in.Spec.Domains[:1]
	var names []string
	for i := range zones {
		d.Name = fmt.Sprintf("d%05d.example", i)
		in.Facts.Zones = append(in.Facts.Zones, state.Zone{
			Origin: d.Name + ".", Kind: "primary", File: state.Path("/etc/bind/db." + d.Name),
			Content: []byte("$TTL 300\n@ IN SOA ns.isp.example. h 1 3600 900 604800 60\n@ IN NS ns.isp.example.\n"),
		})
		if i < about {
			in.Spec.Domains, names = append(in.Spec.Domains, d), append(names, d.Name)
		}
	}
	slices.SortFunc(in.Spec.Domains, func(a, b spec.Domain) int { return strings.Compare(a.Name, b.Name) })
	in.Facts.Zones, in.Scope = state.SortZones(in.Facts.Zones), step.Only(names...)
	return in
}

func published(t *testing.T, in step.Input) state.Stage {
	t.Helper()
	st, _, err := dns.Publish(in)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// BIND is told of the zones that change while that is cheaper than a look at all.
func TestBINDIsToldOfZones(t *testing.T) {
	for _, c := range []struct {
		zones, change int
		told          bool
	}{{1, 1, true}, {3, 3, false}, {100, 2, true}, {100, 3, false}, {5_000, 12, true}, {5_000, 13, false}, {10_000, 1, true}, {10_000, 10_000, false}} {
		st := published(t, hosting(t, c.zones, c.change))
		reload := st.Units[0].Zones
		if (reload != nil) != c.told || c.told && (len(reload.Zones) != c.change || reload.List || reload.Zones[0] != state.ZoneInView{Origin: "d00000.example."}) {
			t.Errorf("%d of %d zones change: %+v", c.change, c.zones, reload)
		}
		if len(st.Units[0].Probes) != c.change || len(st.Validators) != 1 {
			t.Errorf("%d of %d zones change: %d probes, %d validators", c.change, c.zones, len(st.Units[0].Probes), len(st.Validators))
		}
	}
}

// A zone stands in each view that has it; one that only shares it reads nothing.
func TestBINDIsToldOfViews(t *testing.T) {
	in := hosting(t, 1, 1)
	z := in.Facts.Zones.Named("d00000.example.")[0]
	for view, kind := range map[string]string{"outside": "primary", "guests": "in-view"} {
		z.View, z.Kind = view, kind
		in.Facts.Zones = state.SortZones(append(in.Facts.Zones, z))
	}
	in.Facts.Zones.Named("d00000.example.")[0].View = "inside"
	told := published(t, in).Units[0].Zones.Zones
	slices.SortFunc(told, func(a, b state.ZoneInView) int { return strings.Compare(a.View, b.View) })
	if !slices.Equal(told, []state.ZoneInView{{Origin: "d00000.example.", View: "inside"}, {Origin: "d00000.example.", View: "outside"}}) {
		t.Errorf("told of %v", told)
	}
}

// Of new zones BIND is told by its list alone.
func TestBINDIsToldOfNewZones(t *testing.T) {
	in := hosting(t, 100, 40)
	in.Facts.Zones = slices.DeleteFunc(in.Facts.Zones, func(z state.Zone) bool { return z.Origin < "d00040.example." })
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].NewZone = true
	}
	st := published(t, in)
	if z := st.Units[0].Zones; z == nil || len(z.Zones) != 0 || !z.List {
		t.Errorf("told of %+v", z)
	}
	var names []string
	for _, v := range st.Validators {
		names = append(names, v.Name)
	}
	if !slices.Equal(names, []string{"named-checkconf -z", "named-checkconf"}) {
		t.Errorf("checked by %q", names)
	}
}

// What does not change is neither checked, nor is BIND told of it or asked for it.
func TestOnlyWhatChanges(t *testing.T) {
	st := published(t, hosting(t, 1_000, 3))
	units, validators := st.Only(func(p state.Path) bool { return p == "/etc/bind/mailsetup/d00001.example.zone" })
	u := units[0]
	if len(u.Probes) != 1 || u.Probes[0].Origin != "d00001.example." || len(u.UndoProbes) != 1 || len(validators) != 1 || validators[0].Name != "named-checkzone d00001.example" {
		t.Errorf("%+v, %+v", units, validators)
	}
	if u.Zones == nil || !slices.Equal(u.Zones.Zones, []state.ZoneInView{{Origin: "d00001.example."}}) {
		t.Errorf("told of %+v", u.Zones)
	}
}

// One program that checks all zones accepts none that BIND's own does not accept alone,
// and then that one says what is wrong.
func TestOneCheckForManyZones(t *testing.T) {
	if _, err := exec.LookPath("named-checkzone"); err != nil {
		t.Skip("named-checkzone is not installed (package bind9-utils)")
	}
	host := system.NewHost(system.Options{Scratch: t.TempDir()})
	dir := state.Path(t.TempDir())
	const head = "$TTL 300\n@ IN SOA ns.isp.example. h 1 3600 900 604800 60\n@ IN NS ns.isp.example.\n"
	for name, text := range map[string]string{
		"right":                        head,
		"an exchanger elsewhere":       head + "@ MX 10 mx.far.example.\n",
		"a name with an underscore":    head + "a_b A 192.0.2.1\n",
		"two SPF records":              head + "@ TXT \"v=spf1 -all\"\n@ TXT \"v=spf1 mx -all\"\n",
		"an exchanger without address": head + "@ MX 10 mx\n",
		"a server without address":     head + "@ NS ns2\n",
		"no server":                    strings.ReplaceAll(head, "@ IN NS ns.isp.example.\n", ""),
		"an alias beside others":       head + "www CNAME x\nwww A 192.0.2.1\n",
		"an alias at the top":          head + "@ CNAME x.example.\n",
		"a string that is too long":    head + "@ TXT \"" + strings.Repeat("x", 256) + "\"\n",
		"a bad address":                head + "www A 192.0.2.300\n",
		"two beginnings":               head + "@ IN SOA ns.isp.example. h 2 3600 900 604800 60\n",
		"out of the zone":              head + "www.other.example. A 192.0.2.1\n",
		"a file that is missing":       head + "$INCLUDE missing\n",
		"a server that is an alias":    head + "@ NS ns2\nns2 CNAME x\nx A 192.0.2.1\n",
		"an empty file":                "",
	} {
		in := hosting(t, 2, 2)
		in.Facts.Zones[0].Content = []byte(text)
		for i := range in.Facts.Zones {
			in.Facts.Zones[i].Dir = dir
		}
		st := published(t, in)
		if len(st.Validators) != 1 || len(st.Validators[0].Each) != 2 {
			t.Fatalf("validators %+v", st.Validators)
		}
		files := map[state.Path]state.Object{}
		for _, z := range in.Facts.Zones {
			files[z.File] = state.Object{Kind: state.Regular, Content: z.Content}
		}
		for _, f := range st.Files {
			files[f.Path] = state.Object{Kind: state.Regular, Content: f.Content}
		}
		alone := st.Validators[0]
		alone.Each = nil
		together, one := host.Check(t.Context(), []state.Validator{alone}, files), host.Check(t.Context(), st.Validators[0].Each, files)
		if (together == nil) != (one == nil) {
			t.Errorf("%s: together %v, each alone %v", name, together, one)
		}
		err := host.Check(t.Context(), st.Validators, files)
		if (err == nil) != (one == nil) {
			t.Errorf("%s: %v, each alone %v", name, err, one)
		}
		if rejected, ok := errors.AsType[*system.RejectedError](err); err != nil && (!ok || rejected.Validator != "named-checkzone d00000.example") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A zone that is made here has no check-names of its own, so what named refuses by default is
// refused before it is written: the name of a mailbox in the SOA that is none of a host.
func TestNamesInNewZonesAreChecked(t *testing.T) {
	if _, err := exec.LookPath("named-checkzone"); err != nil {
		t.Skip("named-checkzone is not installed (package bind9-utils)")
	}
	host := system.NewHost(system.Options{Scratch: t.TempDir()})
	in := hosting(t, 2, 2)
	in.Facts.Zones = nil
	for i := range in.Spec.Domains {
		in.Spec.Domains[i].NewZone = true
	}
	for hostmaster, accepted := range map[string]bool{"hostmaster.d00000.example.": true, "hostmaster._domainkey.d00000.example.": false} {
		st := published(t, in)
		files := map[state.Path]state.Object{}
		for _, f := range st.Files {
			files[f.Path] = state.Object{Kind: state.Regular, Content: f.Content}
		}
		for _, d := range in.Spec.Domains {
			files[dns.FragmentDir.Join("db."+d.Name)] = state.Object{
				Kind: state.Regular, Content: []byte("$TTL 300\n@ IN SOA ns.isp.example. " + hostmaster + " 1 3600 900 604800 60\n@ IN NS ns.isp.example.\n"),
			}
		}
		all := st.Validators[0]
		if all.Name != "named-checkconf -z" || len(all.Each) != 2 {
			t.Fatalf("%+v", st.Validators)
		}
		each, dir := all.Each, t.TempDir() // this machine may have no BIND, and no directory of it
		all.Each = nil
		for conf, text := range all.Input {
			all.Input[conf] = bytes.ReplaceAll(text, []byte("/var/cache/bind"), []byte(dir))
		}
		for i, v := range each {
			each[i].Argv = func(scratch func(state.Path) string) []string {
				argv := v.Argv(scratch)
				argv[slices.Index(argv, "/var/cache/bind")] = dir
				return argv
			}
		}
		together, alone := host.Check(t.Context(), []state.Validator{all}, files), host.Check(t.Context(), each, files)
		if (together == nil) != accepted || (alone == nil) != accepted {
			t.Errorf("%s: together %v, each alone %v", hostmaster, together, alone)
		}
	}
}
