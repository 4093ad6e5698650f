package dnsexport_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/dnsexport"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// longKey is as long as the record of a key of 2048 bits: two strings of a TXT record.
var longKey = "v=DKIM1; h=sha256; k=rsa; p=" + strings.Repeat("MIIBIjANBgkqhkiG", 24) + "IDAQAB=="

// twoDomains are a domain with a zone, and one in the same zone: what forms quote, split
// or order is among their records.
func twoDomains() []dnsexport.Domain {
	list := []dnsexport.Domain{
		needs("lab.example",
			state.Record{Name: "mail.lab.example.", Type: "A", TTL: 3600, Value: "192.0.2.10"},
			state.Record{Name: "mail.lab.example.", Type: "AAAA", TTL: 3600, Value: "2001:db8::10"},
			state.Record{Name: "lab.example.", Type: "MX", TTL: 3600, Value: "10 mail.lab.example."},
			txt("lab.example.", "v=spf1 exists:%{i}.list.example -all"),
			txt("s10._domainkey.lab.example.", longKey),
			txt("s9._domainkey.lab.example.", "v=DKIM1; p="),
			txt("_dmarc.lab.example.", `v=DMARC1; p=none; rua=mailto:"o'ne"@lab.example`)),
		needs("shop.lab.example",
			state.Record{Name: "mail.lab.example.", Type: "A", TTL: 3600, Value: "192.0.2.10"},
			txt("shop.lab.example.", "v=spf1 -all")),
	}
	for _, d := range list {
		for i := range d.Records {
			d.Records[i].Zone = "lab.example."
		}
	}
	return list
}

func writeTwo(t *testing.T, format string) string {
	t.Helper()
	domains := []spec.Domain{{Name: "lab.example"}, {Name: "shop.lab.example"}}
	return write(t, step.Input{Spec: spec.Spec{Domains: domains}}, domains, twoDomains(), format)
}

func TestFormsForOtherPrograms(t *testing.T) {
	for format, want := range map[string]string{
		"csv": `zone,name,type,priority,ttl,value
lab.example,mail,A,,3600,192.0.2.10
lab.example,mail,AAAA,,3600,2001:db8::10
lab.example,@,MX,10,3600,mail.lab.example.
lab.example,@,TXT,,3600,v=spf1 exists:%{i}.list.example -all
lab.example,s10._domainkey,TXT,,3600,` + longKey + `
lab.example,s9._domainkey,TXT,,3600,v=DKIM1; p=
lab.example,_dmarc,TXT,,3600,"v=DMARC1; p=none; rua=mailto:""o'ne""@lab.example"
lab.example,shop,TXT,,3600,v=spf1 -all
`,
		"octodns": `# Mail records of lab.example: put them into lab.example.yaml, beside what is there, in the
# order of names. octoDNS takes out what that file does not have.
# With escaped_semicolons: False, the default from octoDNS 2.0, write ; for \;
---
'':
- ttl: 3600
  type: MX
  values:
  - exchange: mail.lab.example.
    preference: 10
- ttl: 3600
  type: TXT
  values:
  - 'v=spf1 exists:%{i}.list.example -all'
'_dmarc':
- ttl: 3600
  type: TXT
  values:
  - 'v=DMARC1\; p=none\; rua=mailto:"o''ne"@lab.example'
'mail':
- ttl: 3600
  type: A
  values:
  - '192.0.2.10'
- ttl: 3600
  type: AAAA
  values:
  - '2001:db8::10'
's9._domainkey':
- ttl: 3600
  type: TXT
  values:
  - 'v=DKIM1\; p='
's10._domainkey':
- ttl: 3600
  type: TXT
  values:
  - '` + strings.ReplaceAll(longKey, ";", `\;`) + `'
'shop':
- ttl: 3600
  type: TXT
  values:
  - 'v=spf1 -all'
`,
		"dnscontrol": `// Mail records of lab.example: put them below its D("lab.example", ...). DNSControl
// takes out what dnsconfig.js does not have.
D_EXTEND("lab.example",
  A("mail", "192.0.2.10", TTL(3600)),
  AAAA("mail", "2001:db8::10", TTL(3600)),
  MX("@", 10, "mail.lab.example.", TTL(3600)),
  TXT("@", "v=spf1 exists:%{i}.list.example -all", TTL(3600)),
  TXT("s10._domainkey", "` + longKey + `", TTL(3600)),
  TXT("s9._domainkey", "v=DKIM1; p=", TTL(3600)),
  TXT("_dmarc", "v=DMARC1; p=none; rua=mailto:\"o'ne\"@lab.example", TTL(3600)),
  TXT("shop", "v=spf1 -all", TTL(3600))
);
`,
		"terraform": `# Mail records, for the provider hashicorp/dns. A record set is all that its name has
# of its type: put the other values of yours into it, TXT at the domain above all.

resource "dns_a_record_set" "mail_lab_example" {
  zone = "lab.example."
  name = "mail"
  ttl  = 3600

  addresses = [
    "192.0.2.10",
  ]
}

resource "dns_aaaa_record_set" "mail_lab_example" {
  zone = "lab.example."
  name = "mail"
  ttl  = 3600

  addresses = [
    "2001:db8::10",
  ]
}

resource "dns_mx_record_set" "lab_example" {
  zone = "lab.example."
  ttl  = 3600

  mx {
    preference = 10
    exchange   = "mail.lab.example."
  }
}

resource "dns_txt_record_set" "lab_example" {
  zone = "lab.example."
  ttl  = 3600

  txt = [
    "v=spf1 exists:%%{i}.list.example -all",
  ]
}

resource "dns_txt_record_set" "s10__domainkey_lab_example" {
  zone = "lab.example."
  name = "s10._domainkey"
  ttl  = 3600

  txt = [
    "` + longKey + `",
  ]
}

resource "dns_txt_record_set" "s9__domainkey_lab_example" {
  zone = "lab.example."
  name = "s9._domainkey"
  ttl  = 3600

  txt = [
    "v=DKIM1; p=",
  ]
}

resource "dns_txt_record_set" "_dmarc_lab_example" {
  zone = "lab.example."
  name = "_dmarc"
  ttl  = 3600

  txt = [
    "v=DMARC1; p=none; rua=mailto:\\\"o'ne\\\"@lab.example",
  ]
}

resource "dns_txt_record_set" "shop_lab_example" {
  zone = "lab.example."
  name = "shop"
  ttl  = 3600

  txt = [
    "v=spf1 -all",
  ]
}
`,
	} {
		if diff := cmp.Diff(want, writeTwo(t, format)); diff != "" {
			t.Errorf("%s:\n%s", format, diff)
		}
	}
}

// Values in another type of record set, in a zone below a digit, and twice under what
// becomes the same label.
func TestFormsOfOddRecords(t *testing.T) {
	odd := needs("1.example",
		state.Record{Name: "www.1.example.", Type: "CNAME", TTL: 60, Value: "a.host.example."},
		state.Record{Name: "sub.1.example.", Type: "NS", TTL: 60, Value: "ns.host.example."},
		state.Record{Name: "1.example.", Type: "HINFO", TTL: 60, Value: `"a" "b"`},
		txt("a-b.1.example.", "x"), txt("a_b.1.example.", "y"), txt("a.b.1.example.", "z"), txt("1.example.", `c:\d`))
	for i := range odd.Records {
		odd.Records[i].Zone = "1.example."
	}
	domains := []spec.Domain{{Name: "1.example"}}
	for format, want := range map[string][]string{
		"octodns":    {"'www':\n- ttl: 60\n  type: CNAME\n  values:\n  - 'a.host.example.'\n"},
		"dnscontrol": {`  CNAME("www", "a.host.example.", TTL(60)),`, `  NS("sub", "ns.host.example.", TTL(60)),`, `  TXT("@", "c:\\d", TTL(3600))`},
		"terraform": {
			"resource \"dns_cname_record\" \"www_1_example\" {\n  zone = \"1.example.\"\n  name = \"www\"\n  ttl  = 60\n\n  cname = \"a.host.example.\"\n}\n",
			"  nameservers = [\n    \"ns.host.example.\",\n  ]\n", "\n# hashicorp/dns has no HINFO: 1.example. \"a\" \"b\"\n",
			`"a-b_1_example"`, `"a_b_1_example"`, `"a_b_1_example_"`, `"_1_example"`, `"c:\\\\d"`,
		},
	} {
		got := write(t, step.Input{Spec: spec.Spec{Domains: domains}}, domains, []dnsexport.Domain{odd}, format)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s lacks %s:\n%s", format, part, got)
			}
		}
	}
}

// What readers of their own make of the forms, where this machine has them.
func TestFormsAreRead(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(writeTwo(t, "csv"))).ReadAll()
	if err != nil || len(rows) != 9 || rows[7][5] != `v=DMARC1; p=none; rua=mailto:"o'ne"@lab.example` {
		t.Errorf("%v %q", err, rows)
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	var yaml map[string][]struct {
		Type   string
		Values []any
	}
	const load = "import sys,json,yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
	if out := reads(t, "python3", "-c", load, file("x.yaml", writeTwo(t, "octodns"))); out != nil {
		if err := json.Unmarshal(out, &yaml); err != nil || len(yaml) != 6 || len(yaml[""]) != 2 ||
			yaml["s10._domainkey"][0].Values[0] != strings.ReplaceAll(longKey, ";", `\;`) {
			t.Errorf("%v %+v", err, yaml)
		}
	}
	var calls [][]any
	stubs := "var all=[];function TTL(n){return n};function D_EXTEND(z){console.log(JSON.stringify([].slice.call(arguments,1)))};" +
		"['A','AAAA','MX','TXT'].forEach(function(t){globalThis[t]=function(){return [t].concat([].slice.call(arguments))}});"
	if out := reads(t, "node", "-e", stubs+writeTwo(t, "dnscontrol")); out != nil {
		if err := json.Unmarshal(out, &calls); err != nil || len(calls) != 8 || calls[4][2] != longKey || calls[2][2] != 10.0 || calls[2][4] != 3600.0 {
			t.Errorf("%v %+v", err, calls)
		}
	}
	reads(t, "terraform", "fmt", "-check", "-diff", file("x.tf", writeTwo(t, "terraform")))
}

// reads runs a program that has to be content, and returns its output; nil where this
// machine has no such program.
func reads(t *testing.T, argv ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Logf("no %s here", argv[0])
		return nil
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s", argv[0], err, out)
		return nil
	}
	return out
}
