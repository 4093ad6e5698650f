package text

import (
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

// minSimilarity is the Jaro-Winkler similarity, of at most 1, from which a word is
// taken for another one, mistyped. urfave/cli has suggestions of its own, by the same
// measure, but without such a limit: it proposes something for any word.
const minSimilarity = 0.84

// Nearest returns the name that a mistyped one was meant to be, "" if none is
// like it. A word that begins exactly one name stands for that.
func Nearest(typed string, names []string) string {
	begins := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, typed) })
	if len(begins) == 1 && len(typed) > 1 {
		return begins[0]
	}
	best, name := minSimilarity, ""
	for _, n := range names {
		if is := smetrics.JaroWinkler(typed, n, 0.7, 4); is >= best {
			best, name = is, n
		}
	}
	if name != "" || len(typed) < 3 {
		return name
	}
	for i := range len(typed) - 1 { // two letters in the wrong order are far apart in short words
		swapped := typed[:i] + typed[i+1:i+2] + typed[i:i+1] + typed[i+2:]
		if slices.Contains(names, swapped) {
			return swapped
		}
	}
	return ""
}
