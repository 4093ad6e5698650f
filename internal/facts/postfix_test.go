package facts_test

import (
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/facts"
	"mailsetup/internal/state"
)

// After a plan, what is written counts, and what did not change stays.
func TestPostfixNow(t *testing.T) {
	before := &state.Postfix{
		Unit: "postfix.service", QueueDirectory: "/var/spool/postfix", Value: map[string]string{"header_checks": "regexp:/etc/postfix/gone"},
	}
	now, err := facts.PostfixNow(t.Context(), detecttest.Bookworm(), before)
	if err != nil {
		t.Fatal(err)
	}
	if now.Unit != "postfix.service" || now.QueueDirectory != "/var/spool/postfix" {
		t.Errorf("unit %q, queue %q", now.Unit, now.QueueDirectory)
	}
	if now.Value["header_checks"] != "" || now.Raw["compatibility_level"] != "3.6" || len(now.Services) != 2 {
		t.Errorf("settings: %+v", now)
	}
	if before.Value["header_checks"] != "regexp:/etc/postfix/gone" {
		t.Errorf("the facts from before changed: %+v", before)
	}
}
