package detect

import (
	"testing"

	"mailsetup/internal/system"
)

func TestPostfixUnit(t *testing.T) {
	for kind, want := range map[string]string{"oneshot": "postfix@-.service", "forking": "postfix.service"} {
		m := newMachine()
		m.units["postfix.service"] = system.UnitStatus{Load: "loaded", Type: kind}
		if got, err := postfixUnit(t.Context(), m); got != want || err != nil {
			t.Errorf("unit of type %s: %q, %v", kind, got, err)
		}
	}
}
