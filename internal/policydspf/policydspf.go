// Package policydspf reads the configuration of policyd-spf, which checks SPF for Postfix
// (policyd-spf.conf(5), postfix-policyd-spf-python 3.0.4 and 3.1.0), as the program does. It
// compares values exactly and says nothing of one that it does not know, so that is told
// here. Pure.
package policydspf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// File is the configuration that Debian's package brings.
const File state.Path = "/etc/postfix-policyd-spf-python/policyd-spf.conf"

// The keys that decide what becomes of mail, and whose is not judged.
const (
	HELOReject     = "HELO_reject"
	SenderReject   = "Mail_From_reject"
	TestOnly       = "TestOnly"
	TempErrorDefer = "TempError_Defer"
	HeaderType     = "Header_Type"
	Skip           = "skip_addresses"
	Whitelist      = "Whitelist"
)

// Conf is a configuration as the program reads it: of two lines with one key the last
// counts, and what it does not understand counts for nothing.
type Conf struct {
	values map[string]string
	lines  map[string]int
}

// defaults are the values of keys that no line sets (policydspfsupp.py).
var defaults = map[string]string{
	"debugLevel": "1", HELOReject: "Fail", SenderReject: "Fail", "PermError_reject": "False", TempErrorDefer: "False",
	Skip: "127.0.0.0/8,::ffff:127.0.0.0/104,::1", TestOnly: "1", "SPF_Enhanced_Status_Codes": "Yes", HeaderType: "SPF",
	"Hide_Receiver": "No", "Authserv_Id": "HOSTNAME", "Lookup_Time": "20", "Whitelist_Lookup_Time": "10", "Void_Limit": "2",
	"No_Mail": "False",
}

// Value returns what a key says, or means where no line sets it.
func (c Conf) Value(key string) string {
	if v, set := c.values[key]; set {
		return v
	}
	return defaults[key]
}

// Line returns the line that sets a key, 0 for none.
func (c Conf) Line(key string) int { return c.lines[key] }

// List returns the entries of a key.
func (c Conf) List(key string) []string {
	if v := c.Value(key); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// Fault is a line that does not say what its author means.
type Fault struct {
	Line int
	Text string
	Hint string
	// Fatal: the program ends without an answer, and all mail is deferred.
	Fatal bool
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %s", File, f.Line, f.Text) }

// Hints returns what to type.
func (f *Fault) Hints() []string { return []string{f.Hint} }

// Parse reads a configuration and returns all faults in it, in order.
func Parse(text string) (Conf, []*Fault) {
	c := Conf{map[string]string{}, map[string]int{}}
	var faults []*Fault
	number := 0
	for line := range strings.Lines(text) {
		number++
		code, _, _ := strings.Cut(line, "#")
		if code = strings.TrimSpace(code); code == "" {
			continue
		}
		key, value, found := strings.Cut(code, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		fault := c.set(key, value, found)
		if fault != nil {
			fault.Line, fault.Hint = number, cmp.Or(fault.Hint, fmt.Sprintf("correct line %d of %s, see policyd-spf.conf(5)", number, File))
			faults = append(faults, fault)
			continue
		}
		c.values[key], c.lines[key] = value, number
	}
	return c, faults
}

// set judges a line.
func (c Conf) set(key, value string, found bool) *Fault {
	judge, known := keys[key]
	switch {
	case !found:
		return &Fault{Text: fmt.Sprintf("%q sets nothing, and is ignored", clip(key))}
	case !known && slices.ContainsFunc(slices.Collect(names), func(k string) bool { return strings.EqualFold(k, key) }):
		return &Fault{Text: fmt.Sprintf("%s is ignored: the case of a key counts", clip(key))}
	case !known:
		return &Fault{Text: fmt.Sprintf("%q is no key of policyd-spf, and is ignored", clip(key))}
	case strings.Contains(value, "=") && key != "Reason_URL":
		return &Fault{Text: fmt.Sprintf("%s: a line with two equals signs is ignored", key)}
	}
	fault := judge(value)
	if fault != nil {
		fault.Text = key + ": " + fault.Text
	}
	return fault
}

// judges of values.
type judge func(value string) *Fault

// names yields the keys.
func names(yield func(string) bool) {
	for k := range keys {
		if !yield(k) {
			return
		}
	}
}

// keys are those of both versions, with what they may say.
var keys = map[string]judge{
	"debugLevel": number, TestOnly: number, "defaultSeedOnly": number, "Lookup_Time": number, "Whitelist_Lookup_Time": number,
	"Void_Limit": number, "UMask": number,
	HELOReject:         oneOf("Fail", "Softfail", "SPF_Not_Pass", "Null", "False", "No_Check"),
	SenderReject:       oneOf("Fail", "Softfail", "SPF_Not_Pass", "False", "No_Check"),
	"PermError_reject": oneOf("True", "False"), TempErrorDefer: oneOf("True", "False"), "No_Mail": oneOf("True", "False"),
	"SPF_Enhanced_Status_Codes": oneOf("Yes", "No"), "Hide_Receiver": oneOf("Yes", "No"), HeaderType: oneOf("SPF", "AR", "None"),
	Skip: networks, Whitelist: networks,
	"HELO_Whitelist": lowerNames, "Domain_Whitelist": domains, "Domain_Whitelist_PTR": domains, "Reject_Not_Pass_Domains": domains,
	"Mock":        never,
	"Prospective": anything, "Mail_From_pass_restriction": anything, "HELO_pass_restriction": anything, "Per_User": anything,
	"Authserv_Id": anything, "Reason_Message": anything, "Reason_URL": anything,
	// Of the milter that the same package has.
	"Socket": anything, "PidFile": anything, "UserID": anything, "InternalHosts": anything, "IntHosts": anything, "MacroList": anything,
}

func anything(string) *Fault { return nil }

// number judges an integer: anything else ends the program.
func number(value string) *Fault {
	if digits := strings.TrimPrefix(value, "-"); digits == "" || strings.Trim(digits, "0123456789") != "" {
		return &Fault{Text: fmt.Sprintf("%q is no number, so policyd-spf ends and all mail is deferred", clip(value)), Fatal: true}
	}
	return nil
}

func oneOf(values ...string) judge {
	return func(value string) *Fault {
		if slices.Contains(values, value) {
			return nil
		}
		text := fmt.Sprintf("%q is none of %s, and means nothing", clip(value), strings.Join(values, ", "))
		if i := slices.IndexFunc(values, func(v string) bool { return strings.EqualFold(v, value) }); i >= 0 {
			text = fmt.Sprintf("%q means nothing: the case counts, it is %s", clip(value), values[i])
		}
		return &Fault{Text: text}
	}
}

// never judges a truth value that Python makes of a text: "False" is true.
func never(value string) *Fault {
	if value == "" {
		return nil
	}
	return &Fault{Text: "any value switches all checks off, also False", Hint: "take the line out of " + string(File)}
}

// networks judges a list of networks. The first bad entry ends the reading of the list.
func networks(value string) *Fault {
	for _, entry := range strings.Split(value, ",") {
		if why := wrongNetwork(entry); why != "" {
			return &Fault{Text: fmt.Sprintf("%q %s: it and all entries behind it count for nothing", clip(entry), why)}
		}
	}
	return nil
}

// wrongNetwork says why an entry is none, "" if it is.
func wrongNetwork(entry string) string {
	if strings.ContainsAny(entry, " \t") {
		return "has a blank beside it"
	}
	if entry == "" {
		return "is an empty entry"
	}
	address, mask, masked := strings.Cut(entry, "/")
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" {
		return "is no network"
	}
	if !masked {
		return ""
	}
	if m, err := netip.ParseAddr(mask); err == nil && m.Is4() && a.Is4() { // 255.255.255.0
		bits := 0
		for b := range 32 {
			if m.As4()[b/8]&(0x80>>(b%8)) > 0 {
				bits = b + 1
			}
		}
		mask = fmt.Sprint(bits)
	}
	n, err := netip.ParsePrefix(address + "/" + mask)
	switch {
	case err != nil:
		return "is no network"
	case n != n.Masked():
		return "has bits behind its length (" + n.Masked().String() + " is meant)"
	}
	return ""
}

// domains judges a list of names.
func domains(value string) *Fault {
	for _, entry := range strings.Split(value, ",") {
		if entry == "" || strings.ContainsAny(entry, " \t") {
			return &Fault{Text: fmt.Sprintf("%q is no name: entries are separated by commas, without blanks", clip(entry))}
		}
	}
	return nil
}

// lowerNames judges names that are compared with one in lower case.
func lowerNames(value string) *Fault {
	if lower := strings.ToLower(value); lower != value {
		return &Fault{Text: fmt.Sprintf("%q never matches: policyd-spf has the name in lower case (%s)", clip(value), clip(lower))}
	}
	return domains(value)
}

// clip bounds what is shown of a text.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
