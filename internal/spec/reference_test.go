package spec_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/reference"
	"mailsetup/internal/spec"
)

// mailsetup.toml(5) and the schemas have the keys that are read and written, and none else.
func TestEveryKeyIsInTheReference(t *testing.T) {
	paths := func(keys []reference.Key) (all []string) {
		for _, k := range keys {
			all = append(all, k.Path())
		}
		return slices.Sorted(slices.Values(all))
	}
	host, domain := spec.WrittenKeys()
	for what, tt := range map[string]struct{ reference, keys []string }{
		"host.toml, read":          {paths(reference.Host()), spec.KeysOfHost()},
		"host.toml, written":       {paths(reference.Host()), host},
		"a domain's file, read":    {paths(reference.Domain()), spec.KeysOfDomain()},
		"a domain's file, written": {paths(reference.Domain()), domain},
	} {
		slices.Sort(tt.keys)
		if diff := cmp.Diff(tt.keys, tt.reference); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}
