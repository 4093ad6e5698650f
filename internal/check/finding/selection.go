package finding

import (
	"slices"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/text"
)

// Selection is what of the catalogue somebody wants: IDs, and what IDs begin with
// before a dot (spf, live, live.signed).
type Selection struct {
	Only, Skip []string // Only: everything, if it is empty
}

// Wants reports whether a kind is asked for.
func (s Selection) Wants(id string) bool {
	return (len(s.Only) == 0 || covers(s.Only, id)) && !covers(s.Skip, id)
}

// Choose leaves out what is not asked for, apart from what keeps a kind that is asked for
// from being judged: a problem, or something unknown, of its group, where the kind itself
// has no finding. Without a record of SPF nothing is known of spf.pass.
func (s Selection) Choose(list []Finding) []Finding {
	type about struct{ id, domain string }
	judged := map[about]bool{}
	if len(s.Only) > 0 { // else nobody asks
		for _, f := range list {
			judged[about{f.ID, f.Domain}], judged[about{f.ID, ""}] = true, true
		}
	}
	keeps := func(f Finding) bool {
		return slices.ContainsFunc(Catalogue(), func(k Kind) bool {
			return s.Wants(k.ID) && !judged[about{k.ID, f.Domain}] && concerns(Kind{ID: f.ID}.Group(), k.Group())
		})
	}
	return slices.DeleteFunc(list, func(f Finding) bool {
		grave := f.Severity == Problem || f.Severity == Unknown
		return !s.Wants(f.ID) && (len(s.Only) == 0 || !grave || covers(s.Skip, f.ID) || !keeps(f))
	})
}

// concerns reports whether what is wrong in one group keeps another from being judged.
func concerns(group, other string) bool {
	return group == other || group == "dns" && (other == "mx" || other == "zone")
}

// WantsAny reports whether any of the kinds is asked for.
func (s Selection) WantsAny(kinds []Kind) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return s.Wants(k.ID) })
}

// Names reports whether a kind is named by its ID, and not by its group.
func (s Selection) Names(id string) bool { return slices.Contains(s.Only, id) }

// Check finds names that no kind and no group has, and a selection of nothing.
func (s Selection) Check() error {
	for _, of := range []struct {
		flag string
		list []string
	}{{"--only", s.Only}, {"--skip", s.Skip}} {
		for _, name := range of.list {
			if _, err := Select(of.flag, name); err != nil {
				return err
			}
		}
	}
	if !s.WantsAny(Catalogue()) {
		return hint.NewUsage("leave one of them out", "--skip leaves nothing of --only")
	}
	return nil
}

// Select returns the kinds that a name stands for: an ID, a group, or all.
func Select(flag, name string) ([]Kind, error) {
	if name == "all" && flag == "--explain" {
		return append(Catalogue(), excluded...), nil
	}
	kinds := slices.DeleteFunc(Catalogue(), func(k Kind) bool { return !covers([]string{name}, k.ID) })
	if flag == "--explain" {
		kinds = append(kinds, slices.DeleteFunc(slices.Clone(excluded), func(k Kind) bool { return !covers([]string{name}, k.ID) })...)
	}
	if len(kinds) > 0 {
		return kinds, nil
	}
	remedy := "mailsetup check --explain all lists the checks"
	if slices.ContainsFunc(excluded, func(k Kind) bool { return k.ID == name }) {
		return nil, hint.NewUsage("mailsetup check --explain "+name+" says why", "%s: %s is not checked", flag, name)
	}
	if meant := nearest(name); meant != "" {
		remedy = "did you mean: " + flag + " " + meant + "\n" + remedy
	}
	return nil, hint.NewUsage(remedy, "%s: no check is called %q", flag, name)
}

// covers reports whether a list of names has an ID or a group of it.
func covers(names []string, id string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return id == n || strings.HasPrefix(id, n+".") })
}

// nearest returns the ID or group that a mistyped name was meant to be, "" for none.
func nearest(typed string) string {
	typed = strings.ToLower(typed)
	var names, last []string
	for _, k := range Catalogue() {
		names = append(names, k.ID)
		if g := k.Group(); !slices.Contains(names, g) {
			names = append(names, g)
		}
		if _, rest, ok := strings.Cut(k.ID, "."); ok && rest == typed {
			last = append(last, k.ID)
		}
	}
	if len(last) > 0 {
		return last[0]
	}
	return text.Nearest(typed, names)
}

// Group returns what the ID begins with: "spf" of "spf.pass".
func (k Kind) Group() string {
	group, _, _ := strings.Cut(k.ID, ".")
	return group
}
