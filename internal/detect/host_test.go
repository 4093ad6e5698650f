package detect

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       state.Release
	}{
		{
			"Debian 12", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
			state.Release{ID: "debian", Version: "12", Pretty: "Debian GNU/Linux 12 (bookworm)"},
		},
		{
			"Debian 14 before it is done", "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nVERSION_CODENAME=forky\nID=debian\n",
			state.Release{ID: "debian", Version: "14", Pretty: "Debian GNU/Linux forky/sid"},
		},
		{
			"Debian testing has no version", "PRETTY_NAME=\"Debian GNU/Linux duke/sid\"\nVERSION_CODENAME=duke\nID=debian\n",
			state.Release{ID: "debian", Pretty: "Debian GNU/Linux duke/sid"},
		},
		{
			"Ubuntu", "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nVERSION_ID=\"24.04\"\nID=ubuntu\nID_LIKE=debian\n",
			state.Release{ID: "ubuntu", Version: "24.04", Pretty: "Ubuntu 24.04.1 LTS", Like: []string{"debian"}},
		},
		{
			"Mint is like both", "PRETTY_NAME=\"Linux Mint 22\"\nVERSION_ID=\"22\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
			state.Release{ID: "linuxmint", Version: "22", Pretty: "Linux Mint 22", Like: []string{"ubuntu", "debian"}},
		},
		{"nothing", "", state.Release{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, release(c.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Names that only a private network knows are no names for the world.
func TestFullNameOfAPrivateNetwork(t *testing.T) {
	for _, name := range []string{
		"mail.lan", "mail.local", "server.home", "nas.home.arpa", "ip-10-0-0-5.ec2.internal", "mail.corp",
		"mail.intranet", "mail.private", "mail.localdomain", "localhost.localdomain", "mail.invalid", "192.0.2.1", "mail",
	} {
		if got := fullName(name); got != "" {
			t.Errorf("%s is taken for a name that the world knows: %q", name, got)
		}
	}
	for _, name := range []string{"mail.lab.example", "Mail.Example.Org.", "lan.example.org", "internal.example.org"} {
		if fullName(name) == "" {
			t.Errorf("%s is refused", name)
		}
	}
}

func TestHostname(t *testing.T) {
	m := detecttest.New()
	m.PutFile("/etc/hostname", "# ours\n\nDebian\n")
	if got := hostname(t.Context(), m); got != "debian" {
		t.Errorf("hostname %q, want debian", got)
	}
	m.Says("hostname", "box17\n")
	if got := hostname(t.Context(), m); got != "box17" {
		t.Errorf("hostname %q, want what the kernel says", got)
	}
}

func TestSources(t *testing.T) {
	const (
		four = `[{"dst":"198.41.0.4","gateway":"10.0.0.1","dev":"eth0","prefsrc":"10.0.0.5","flags":[],"uid":0,"cache":[]}]`
		six  = `[{"dst":"2001:503:ba3e::2:30","from":"::","gateway":"fe80::1","dev":"eth0","prefsrc":"2001:db8::5","metric":1024}]`
	)
	for _, c := range []struct {
		name, four, six string
		want            []netip.Addr
	}{
		{"both", four, six, []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::5")}},
		{"IPv4 only", four, "", []netip.Addr{netip.MustParseAddr("10.0.0.5")}},
		{"IPv6 only", "", six, []netip.Addr{netip.MustParseAddr("2001:db8::5")}},
		{"no way out", "", "", nil},
		{"an answer without a source", `[{"dst":"198.41.0.4"}]`, "junk", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.New()
			if c.four != "" {
				m.Says("ip -j route get 198.41.0.4", c.four)
			}
			if c.six != "" {
				m.Says("ip -j route get 2001:503:ba3e::2:30", c.six)
			}
			if got := sourceAddresses(t.Context(), m); !slices.Equal(got, c.want) {
				t.Errorf("sources %v, want %v", got, c.want)
			}
		})
	}
}

func TestPostfixUnitOfWhatAptOffers(t *testing.T) {
	for _, c := range []struct {
		name, version string
		older         bool
		want          string
	}{
		{"Debian 12", "3.7.11-0+deb12u1", true, "postfix@-.service"},
		{"Ubuntu 24.04", "3.8.6-1build2", true, "postfix@-.service"},
		{"Debian 13", "3.10.13-0+deb13u1", false, "postfix.service"},
		{"no package lists", "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := detecttest.New()
			if c.version != "" {
				m.Says("apt-cache --no-all-versions show postfix", "Package: postfix\nVersion: "+c.version+"\nReplaces: mail-transport-agent\n")
			}
			code := 1
			if c.older {
				code = 0
			}
			m.Answers["dpkg --compare-versions "+c.version+" lt 3.9.1-7"] = system.Result{Code: code}
			if got := offeredUnit(t.Context(), m); got != c.want {
				t.Errorf("unit %q, want %q", got, c.want)
			}
		})
	}
}
