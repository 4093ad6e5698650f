package zones

import (
	"testing"

	"mailsetup/internal/namedconf"
)

// Whatever named-checkconf prints, the zones in it can be told.
func FuzzZones(f *testing.F) {
	f.Add(namedConf)
	f.Fuzz(func(t *testing.T, text string) {
		if list, err := namedconf.Parse(text); err == nil {
			markConflicts(newConfig(list).zones())
		}
	})
}

func TestWithoutWarnings(t *testing.T) {
	in := "/etc/bind/named.conf.options:12: option 'x' is deprecated\nnamed.conf:3: dup\nzone \"a:3: b\" {\n\tfile \"x\";\n\tlisten 2001:db8::1;\n};\n"
	want := "zone \"a:3: b\" {\n\tfile \"x\";\n\tlisten 2001:db8::1;\n};\n"
	if got := withoutWarnings(in); got != want {
		t.Errorf("got %q", got)
	}
}
