package policy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// maxRepairs bounds the mistakes that are corrected in one record.
const maxRepairs = 20

// RepairSPF returns a text with the mistakes corrected of which it is plain what was
// meant. Ok is false if others are left.
func RepairSPF(text string) (repaired string, ok bool) {
	for range maxRepairs {
		_, err := ParseSPF(text)
		var bad *SPFError
		if err == nil || !errors.As(err, &bad) {
			return text, err == nil
		}
		word, rest := text[bad.start:bad.end], text[bad.end:]
		if strings.HasSuffix(word, ":") || strings.HasSuffix(word, "=") { // include: vendor.example
			if next, after, _ := strings.Cut(strings.TrimLeft(rest, " "), " "); next != "" {
				word, rest = word+next, strings.TrimRight(" "+after, " ")
				text = text[:bad.start] + word + rest
				continue
			}
		}
		better := repairTerm(word)
		if better == word {
			return text, false
		}
		text = text[:bad.start] + better + rest
	}
	return text, false
}

// repairTerm returns the terms that somebody meant who wrote a wrong one.
func repairTerm(word string) string {
	word = strings.NewReplacer("–", "-", "—", "-", "−", "-", "‑", "-", "\u00a0", " ", "\u200b", "", "\t", " ", "\\", "", `"`, "", "'", "").Replace(word)
	word = strings.Join(strings.FieldsFunc(word, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }), " ")
	if strings.Contains(word, " ") {
		return word
	}
	qualifier := ""
	if word != "" && strings.IndexByte("+-~?", word[0]) >= 0 {
		qualifier, word = word[:1], word[1:]
	}
	name, value, found := strings.Cut(word, ":")
	name = strings.ToLower(strings.TrimRight(name, "."))
	switch {
	case !found && strings.HasPrefix(name, "all") && len(name) > 3: // two strings were joined: -allinclude:…
		return qualifier + "all " + word[3:]
	case name == "all":
		if rest := strings.TrimPrefix(strings.ToLower(word), "all"); found || rest == "." {
			return qualifier + "all"
		}
	case strings.HasPrefix(name, "all") && slices.Contains([]string{"include", "a", "mx", "ip4", "ip6", "exists", "ptr"}, name[3:]):
		return qualifier + "all " + word[3:]
	case name == "redirect" || name == "exp":
		if found && qualifier == "" {
			return name + "=" + value
		}
	}
	for _, candidate := range []string{value, word} {
		address, bits, network := strings.Cut(candidate, "/")
		a, err := netip.ParseAddr(address)
		if err != nil || a.Zone() != "" {
			continue
		}
		term := AddressTerm(a)
		if n := strings.TrimLeft(bits, "0"); network && n != "" {
			term += "/" + n
		}
		if _, err := ParseSPF("v=spf1 " + qualifier + term); err == nil && qualifier+term != word {
			return qualifier + term
		}
	}
	return qualifier + word
}

// MisbegunSPF says why a text that was meant as an SPF record is none, which is what
// stands where it should begin with v=spf1 and a space; "" for all other texts. Repaired
// is what was meant.
func MisbegunSPF(text string) (why, repaired string) {
	if IsSPF(text) {
		return "", ""
	}
	rest := strings.TrimLeft(text, " \t\r\n\"'\\\ufeff\u200b\u00a0“”„(")
	begin := text[:len(text)-len(rest)]
	compact := strings.ToLower(rest)
	switch {
	case strings.HasPrefix(compact, "v=spf1"):
		rest = rest[len("v=spf1"):]
	case strings.HasPrefix(compact, "spf1 "), strings.HasPrefix(compact, "spf1:"):
		why, rest = `"v=" is missing in front`, rest[len("spf1"):]
	case strings.HasPrefix(compact, "v:spf1"), strings.HasPrefix(compact, "v-spf1"):
		why, rest = "it begins with "+rest[:6], rest[len("v:spf1"):]
	case strings.HasPrefix(compact, "v = spf1"), strings.HasPrefix(compact, "v= spf1"), strings.HasPrefix(compact, "v =spf1"):
		end := strings.Index(compact, "spf1") + len("spf1")
		why, rest = "there are spaces around the = of v=spf1", rest[end:]
	case strings.HasPrefix(compact, "spf: v=spf1"), strings.HasPrefix(compact, "txt v=spf1"), strings.HasPrefix(compact, "spf=v=spf1"):
		end := strings.Index(compact, "v=spf1")
		why, rest = "something is before v=spf1", rest[end+len("v=spf1"):]
	default:
		return "", ""
	}
	switch {
	case strings.ContainsAny(begin, `"'“”„`):
		why = "a quotation mark is before v=spf1"
	case strings.TrimLeft(begin, " ") == "" && begin != "":
		why = "a space is before v=spf1"
	case begin != "":
		why = "a character that is not seen is before v=spf1"
	case why == "" && rest != "" && rest[0] >= '0' && rest[0] <= '9':
		return "", "" // another version
	case why == "":
		first := []rune(rest)[:1]
		why = "v=spf1 is followed by " + quoted(string(first)) + " and not by a space"
	}
	rest = strings.TrimLeft(rest, " ;:,\t\u00a0")
	rest = strings.TrimRight(rest, " \"'”“;,)")
	text, ok := RepairSPF(strings.TrimRight("v=spf1 "+rest, " "))
	if !ok {
		text = ""
	}
	return why, text
}

func quoted(s string) string {
	if s == "\u00a0" {
		return "a no-break space"
	}
	if s == "\t" {
		return "a tab"
	}
	return `"` + s + `"`
}
