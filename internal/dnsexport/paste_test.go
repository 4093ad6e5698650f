package dnsexport_test

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"rsc.io/qr"

	"mailsetup/internal/dnsexport"
	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// oneDomain has what a form shows: a value with no room in its column, and one that goes.
func oneDomain(servers ...string) []dnsexport.Domain {
	d := needs("lab.example",
		state.Record{Name: "mail.lab.example.", Type: "A", TTL: 3600, Value: "192.0.2.10"},
		state.Record{Name: "lab.example.", Type: "MX", TTL: 3600, Value: "10 mail.lab.example."},
		txt("lab.example.", "v=spf1 ip4:192.0.2.10 mx ~all"), txt("202611._domainkey.lab.example.", longKey),
		txt("_dmarc.lab.example.", "v=DMARC1; p=none; rua=mailto:postmaster@lab.example"))
	for i := range d.Records {
		d.Records[i].Zone = "lab.example."
	}
	d.Records[2].Replaces = []string{"v=spf1 -all"}
	list := []dnsexport.Domain{d}
	dnsexport.FindServers(context.Background(), list, func(_ context.Context, zone string) []string {
		if zone != "lab.example." {
			return nil
		}
		return servers
	})
	return list
}

func form(t *testing.T, list []dnsexport.Domain, format string) string {
	t.Helper()
	domains := make([]spec.Domain, len(list))
	for i, d := range list {
		domains[i].Name = d.Domain
	}
	return write(t, step.Input{Spec: spec.Spec{Domains: domains}}, domains, list, format)
}

// What is pasted stands in columns that fit a terminal, a longer value on a line of its
// own, and what is known of the form above.
func TestPaste(t *testing.T) {
	const table = `
NAME               TYPE  PRIORITY  TTL   VALUE
mail               A               3600  192.0.2.10
@                  MX    10        3600  mail.lab.example.
@                  TXT             3600  v=spf1 ip4:192.0.2.10 mx ~all
202611._domainkey  TXT             3600  (value 1 below)
_dmarc             TXT             3600  (value 2 below)

# value 1, of 202611._domainkey, 420 characters:
`
	rest := "\n\n# value 2, of _dmarc, 51 characters:\nv=DMARC1; p=none; rua=mailto:postmaster@lab.example\n\n# take out: @ TXT v=spf1 -all\n"
	for servers, want := range map[string]string{
		"": "# zone lab.example\n# names are without the domain, as most forms take them: enter them in full\n# where the form does not add it\n" + table + longKey + rest,
		"a.ns.cloudflare.com b.ns.cloudflare.com": "# zone lab.example, at Cloudflare (name servers a.ns.cloudflare.com,\n# b.ns.cloudflare.com)\n" +
			"# its form: enter long TXT values whole, since the form splits them; have\n# addresses of the mail server as \"DNS only\", without the proxy\n" +
			"# names are without the domain, as most forms take them: enter them in full\n# where the form does not add it\n" + table + longKey + rest,
		"ns1.lab.example": "# zone lab.example, at the name servers ns1.lab.example\n# names are without the domain, as most forms take them: enter them in full\n" +
			"# where the form does not add it\n" + table + longKey + rest,
	} {
		if diff := cmp.Diff(want, form(t, oneDomain(strings.Fields(servers)...), "paste")); diff != "" {
			t.Errorf("%s\n%s", servers, diff)
		}
	}
}

func TestPasteAsFormsTakeIt(t *testing.T) {
	for servers, want := range map[string]string{
		"ns-1.awsdns-03.com":   "\n\"" + longKey[:255] + `" "` + longKey[255:] + "\"\n",
		"ns1.loopia.se":        "# its form: a TXT value has at most 450 octets there\n",
		"ns1.gandi.net":        "# its form: enter names without the domain, which the form adds; keep the dot\n# at the end of a host in a value\n\nNAME",
		"ns1.digitalocean.com": "# value 1, of 202611._domainkey, 420 characters:\n",
	} {
		if got := form(t, oneDomain(servers), "paste"); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in\n%s", servers, want, got)
		}
	}
	long := oneDomain("ns1.loopia.se")
	long[0].Records[3].Value += strings.Repeat("A", 50)
	if got := strings.Join(strings.Fields(form(t, long, "paste")), " "); !strings.Contains(got, "470 characters, more than the 450 that this # form is said to take:") {
		t.Error(got)
	}
}

// Names that leave no room for columns have lines of their own, and no line but a value
// is too wide.
func TestPasteOfLongNames(t *testing.T) {
	list := oneDomain()
	list[0].Records[0].Name = strings.Repeat("a.long.name.", 6) + "lab.example."
	for _, line := range strings.Split(form(t, list, "paste"), "\n") {
		if len(line) > 80 && !strings.HasPrefix(line, "v=DKIM1") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// dark reads what halves of blocks show, as light on dark, without the margin.
func dark(text string) (rows [][]bool) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		var above, below []bool
		for _, r := range line {
			above = append(above, r == '▄' || r == ' ')
			below = append(below, r == '▀' || r == ' ')
		}
		rows = append(rows, above, below)
	}
	return rows
}

// A code of a key of 2048 bits fits a terminal, with its margin, and shows each module.
func TestQR(t *testing.T) {
	text := form(t, oneDomain(), "qr")
	if !strings.HasPrefix(text, "# 202611._domainkey.lab.example TXT, 420 octets\n████") {
		t.Errorf("%.200s", text)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(line) - 1; n > 80 {
			t.Errorf("%d columns", n)
		}
	}
	code, err := qr.Encode(longKey, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	rows := dark(text)
	if len(rows) < code.Size+8 {
		t.Fatalf("%d rows of %d", len(rows), code.Size)
	}
	for y := -4; y < code.Size+4; y++ {
		for x := -4; x < code.Size+4; x++ {
			if rows[y+4][x+4] != code.Black(x, y) {
				t.Fatalf("%d,%d is not what it should be:\n%s", x, y, text)
			}
		}
	}
}

func TestQROfALargeKey(t *testing.T) {
	list := oneDomain()
	list[0].Records[3].Value = longKey + strings.Repeat("A", 344) // 4096 bits
	const want = "# 202611._domainkey.lab.example TXT, 764 octets\n# Its code has 101 columns, which a terminal of 80 has no room for: --output FILE.png\n"
	if diff := cmp.Diff(want, form(t, list, "qr")); diff != "" {
		t.Error(diff)
	}
}

// A picture has the code of one key.
func TestPicture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.png")
	o := dnsexport.Options{Form: "qr", Output: file}
	if err := (&dnsexport.Records{}).Print(nil, oneDomain(), o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(text))
	code, _ := qr.Encode(longKey, qr.L)
	if err != nil || picture.Bounds().Dx() != (code.Size+8)*code.Scale {
		t.Fatalf("%v, %v", err, picture.Bounds())
	}
	for y := range code.Size {
		for x := range code.Size {
			r, _, _, _ := picture.At((x+4)*code.Scale+1, (y+4)*code.Scale+1).RGBA()
			if (r == 0) != code.Black(x, y) {
				t.Fatalf("%d,%d is not what it should be", x, y)
			}
		}
	}
	o.Output += ".png"
	for name, c := range map[string]struct {
		list       []dnsexport.Domain
		says, hint string
	}{
		"two domains": {
			append(oneDomain(), needs("shop.example", txt("202611._domainkey.shop.example.", "v=DKIM1; p=x"))),
			"a picture has room for the code of one key, and there are 2", "name one domain; without --output FILE.png there is room for several",
		},
		"one domain in a rotation": {
			[]dnsexport.Domain{needs("lab.example", txt("202610._domainkey.lab.example.", "v=DKIM1; p=x"), txt("202611._domainkey.lab.example.", longKey))},
			"a picture has room for the code of one key, and there are 2", "leave --output out: a terminal has room for several",
		},
		"no key": {
			[]dnsexport.Domain{needs("lab.example", txt("lab.example.", "v=spf1 -all"))},
			"there is no record of a key, whose code a picture would have", "mailsetup dns prints the other records",
		},
	} {
		err := (&dnsexport.Records{}).Print(nil, c.list, o)
		if err == nil || err.Error() != c.says || !slices.Equal(hint.Of(err), []string{c.hint}) {
			t.Errorf("%s: %v, hints %q", name, err, hint.Of(err))
		}
	}
}
