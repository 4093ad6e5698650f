package policydspf

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Want is what a configuration should do.
type Want struct {
	Reject bool // refuse what fails, else mark it
	// Own are addresses of this server, which are never judged, and Trusted are networks
	// that hand on the mail of others: secondary MX hosts, forwarders.
	Own     []netip.Addr
	Trusted []netip.Prefix
}

// Decision is a value of the administrator's that would be overruled.
type Decision struct {
	Key, Value string
	Line       int
	Wanted     string
}

// Settings returns the lines that a configuration lacks, to stand behind all others, where
// they count, and what they overrule. What is as wanted in another way stays: one that
// refuses more than SPF's fail does refuse it.
func (w Want) Settings(c Conf) (lines []state.Setting, overruled []Decision) {
	set := func(key, value string, right ...string) {
		if has := c.Value(key); has != value && !slices.Contains(right, has) {
			lines = append(lines, state.Setting{Name: key, Value: value})
			if c.Line(key) > 0 && has != stock[key] {
				overruled = append(overruled, Decision{key, has, c.Line(key), value})
			}
		}
	}
	if w.Reject {
		set(HELOReject, "Fail", "Softfail", "SPF_Not_Pass", "Null", "No_Check")
		set(SenderReject, "Fail", "Softfail", "SPF_Not_Pass")
	} else {
		set(HELOReject, "False", "No_Check")
		set(SenderReject, "False")
	}
	set(TestOnly, "1") // 0 leaves the header out where SPF fails
	set(HeaderType, "SPF")
	own := make([]string, 0, len(w.Own))
	for _, a := range w.Own {
		own = append(own, a.Unmap().String())
	}
	trusted := make([]string, 0, len(w.Trusted))
	for _, n := range w.Trusted {
		text := n.Masked().String()
		if n.IsSingleIP() {
			text = n.Addr().String()
		}
		trusted = append(trusted, text)
	}
	lines = append(lines, more(c, Skip, own)...)
	return append(lines, more(c, Whitelist, trusted)...), overruled
}

// stock is what Debian's file says.
var stock = map[string]string{HELOReject: "Fail", SenderReject: "Fail", TestOnly: "1", HeaderType: "SPF"}

// more returns the setting that adds entries to a list, nil if all are there.
func more(c Conf, key string, entries []string) []state.Setting {
	list := c.List(key)
	had := len(list)
	for _, e := range entries {
		if !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	if len(list) == had {
		return nil
	}
	return []state.Setting{{Name: key, Value: strings.Join(list, ",")}}
}
