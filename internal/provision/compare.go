package provision

import (
	"strings"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/zonefile"
)

// Differences are those between the plan that was confirmed, in which
// placeholders stand for the keys, and the one that is to be applied. The
// placeholders are put back into the second one, and then every octet counts:
// only private keys are not compared, which the plan never shows.
func Differences(confirmed, actual plan.Plan, made []dkimkeys.Pair) []string {
	known := strings.NewReplacer(append(placeholders(made), stamps(confirmed, actual)...)...)
	return plan.Differences(confirmed, actual, func(content []byte) []byte { return []byte(known.Replace(string(content))) })
}

// placeholders are pairs: what a made key brings into a file, and what stands
// there before it is made. A record of several strings comes first, which the
// public key as a whole would not be found in.
func placeholders(made []dkimkeys.Pair) []string {
	var pairs []string
	for _, n := range made {
		if n.Key.Pending() || n.Key.Public == "" {
			continue
		}
		pairs = append(pairs, recordData(n, n.Key.Public), recordData(n, keyring.Placeholder), n.Key.Public, keyring.Placeholder)
		if n.Key.Fingerprint != "" {
			pairs = append(pairs, n.Key.Fingerprint, "")
		}
	}
	return pairs
}

// recordData is the record of a key as our fragment of a zone has it, without
// its name.
func recordData(n dkimkeys.Pair, public string) string {
	k := n.Key
	k.Public = public
	r := k.Record(n.Domain, spec.DefaultTTL)
	_, data, _ := strings.Cut(string(zonefile.Text(n.Domain, []state.Record{r})), " IN TXT ")
	return data
}

// stamps are pairs of the stamps of fragments that both plans write in the same
// place: the stamp of one with keys, and that of the one with placeholders.
func stamps(confirmed, actual plan.Plan) []string {
	var pairs []string
	for i := range min(len(confirmed.Stages), len(actual.Stages)) {
		a, b := confirmed.Stages[i].Changes, actual.Stages[i].Changes
		for j := range min(len(a), len(b)) {
			if a[j].Path != b[j].Path || a[j].Path.Dir() != dns.FragmentDir || b[j].After.Kind != state.Regular {
				continue
			}
			was, is := dns.FragmentStamp(a[j].After.Content), dns.FragmentStamp(b[j].After.Content)
			if was != is {
				pairs = append(pairs, includeMark+is, includeMark+was)
			}
		}
	}
	return pairs
}

// includeMark is what stands before the stamp in the line of a zone that includes our
// fragment.
const includeMark = "; mailsetup "
