package opendkim

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// signature is what decides about a signature.
type signature struct{ key, identity string }

// lookUp is dkimf_apply_signtable for tables of exact keys: user@host, host,
// then user@.domain and .domain for each domain above, user@*, *.
func lookUp(rows map[string]signature, user, host string) (signature, bool) {
	keys := []string{user + "@" + host, host}
	for i := range host {
		if host[i] == '.' {
			keys = append(keys, user+"@"+host[i:], host[i:])
		}
	}
	for _, k := range append(keys, user+"@*", "*") {
		if s, ok := rows[k]; ok {
			return s, true
		}
	}
	return signature{}, false
}

// ask is what the daemon does with a table as it was written.
func ask(typ string, table [][2]string, user, host string) (signature, bool) {
	exactly := map[string]signature{}
	for _, row := range table {
		name, identity, _ := strings.Cut(row[1], ":")
		s := signature{name, identity}
		if typ == "refile" {
			// dkimf_mkregexp: * is anything, dots and plus signs are themselves.
			re := strings.NewReplacer("*", ".*", ".", `\.`, "+", `\+`).Replace(row[0])
			if regexp.MustCompile("^" + re + "$").MatchString(user + "@" + host) {
				return s, true
			}
			continue
		}
		if _, twice := exactly[row[0]]; !twice {
			exactly[row[0]] = s
		}
	}
	if typ == "refile" {
		return signature{}, false
	}
	return lookUp(exactly, user, host)
}

// TestSameSignatures: whatever the table and whoever writes, what is taken over
// signs as the daemon did.
func TestSameSignatures(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	hosts := []string{"a.example", "x.a.example", "y.x.a.example", "b.example", "ba.example"}
	taken := 0
	for range 4000 {
		typ := pick("file", "refile")
		var table [][2]string
		var text strings.Builder
		for range 1 + rnd.IntN(5) {
			host := pick(hosts...)
			pattern := pick(host, "."+host, "*@"+host, "*@*."+host, "ann@"+host, "ann@*."+host, "ann@."+host, "*", "*@*", "ann@*", "*."+host, "@"+host)
			value := pick("k1", "k2", "k1:@a.example")
			table = append(table, [2]string{pattern, value})
			fmt.Fprintf(&text, "%s  %s\n", pattern, value)
		}
		s, err := Parse("/c", tree{
			"/c": "KeyTable file:/k\nSigningTable " + typ + ":/s\n",
			"/k": "k1 a.example:k1:/k1\nk2 b.example:k2:/k2\n", "/s": text.String(),
		}.read)
		if err != nil {
			continue
		}
		taken++
		ours := map[string]signature{}
		for _, r := range s.Rows {
			ours[r.Pattern] = signature{r.Selector, r.Identity}
		}
		for _, host := range hosts {
			for _, user := range []string{"ann", "bob"} {
				want, signed := ask(typ, table, user, host)
				got, ok := lookUp(ours, user, host)
				if got != want || ok != signed {
					t.Fatalf("%s@%s signs %v %v, want %v %v with %s:\n%s", user, host, got, ok, want, signed, typ, text.String())
				}
			}
		}
	}
	if taken < 2000 {
		t.Errorf("only %d of 4000 tables were taken over", taken)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("KeyTable file:/k\nSigningTable refile:/s\nInternalHosts refile:/h\n", "k a.example:s:/p\n", "*@a.example k\n", "10.*\n")
	f.Add("Domain csl:a.example, b\nKeyFile x\nSelector y\nSubDomains 1\nInclude /c", "", "", "")
	f.Add("KeyTable k=%:s:./p,\nSigningTable /s", "", "a@.b k:%\n*@. k\n@@ k\n", "")
	f.Fuzz(func(t *testing.T, conf, keys, signing, hosts string) {
		s, err := Parse("/c", tree{"/c": conf, "/k": keys, "/s": signing, "/h": hosts}.read)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, r := range s.Rows {
			m, ok := exact(r.Pattern)
			if !ok || m.String() != r.Pattern || seen[r.Pattern] {
				t.Errorf("row %+v", r)
			}
			seen[r.Pattern] = true
			if r.Domain == "" || r.Selector == "" || !strings.HasPrefix(r.KeyFile, "/") || r.Place.Line == 0 {
				t.Errorf("row %+v", r)
			}
		}
		for _, h := range s.Internal {
			if h.Name == "" {
				t.Error("a host without a name")
			}
		}
	})
}
