package wizard

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// An address for root's mail, or for notices, that nobody has is asked for again, with
// what was answered before, and is judged once.
func TestAnAddressThatNobodyHasIsAskedForAgain(t *testing.T) {
	var asked []string
	out := &strings.Builder{}
	a, err := Ask(t.Context(), Options{
		In: strings.NewReader("wile@lab.example\nann@lab.example\nwile@lab.example\n\n\n"), Out: out, Accessible: true,
		Fixed: spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, Receive: "yes", DNS: "manual"},
		WhyUnread: func(_ context.Context, a spec.Answers) error {
			asked = append(asked, a.RootAlias+" "+a.Notify+" of "+a.Domain)
			if strings.HasPrefix(a.RootAlias, "wile") || strings.HasPrefix(a.Notify, "wile") {
				return &syntax.BadValue{Field: "address", Value: "wile@lab.example", Why: "would not do: there is no user or alias wile here", Hint: "make that user first: adduser wile"}
			}
			return nil
		},
	})
	if err != nil || a.RootAlias != "ann@lab.example" || a.Notify != "ann@lab.example" {
		t.Fatalf("%q, %v\n%s", a.RootAlias, err, out)
	}
	if got := strings.Join(asked, "; "); got != "wile@lab.example  of lab.example; ann@lab.example  of lab.example; "+
		"ann@lab.example wile@lab.example of lab.example; ann@lab.example ann@lab.example of lab.example" {
		t.Errorf("judged: %s", got)
	}
	said := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"there is no user or alias wile here", "adduser wile"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing about %q in\n%s", want, out)
		}
	}
}

// What a table of Postfix says is shown, and not obeyed.
func TestWhyAnAnswerWouldNotDo(t *testing.T) {
	bad := &syntax.BadValue{Field: "address", Value: "x", Why: "would not do: \x1b]0;owned\a\u009b", Hint: "another\x1b[2J"}
	const want = `"x" would not do: \x1b]0;owned\x07\u009b`
	if got := explain(bad); !strings.Contains(got, want) || !strings.HasSuffix(got, "\nhint: another\\x1b[2J") {
		t.Errorf("%q", got)
	}
	if got := explain(errors.New("\x1b[2J")); got != `\x1b[2J` {
		t.Errorf("%q", got)
	}
}
