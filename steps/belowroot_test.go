package steps_test

import (
	"slices"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

func questionsOf(t *testing.T, in step.Input, kind state.QuestionKind) []state.Question {
	t.Helper()
	return slices.DeleteFunc(steptest.Build(t, in).Questions, func(q state.Question) bool { return q.Kind != kind })
}

func TestOtherReleasesNeedAConsent(t *testing.T) {
	for _, c := range []struct {
		name    string
		release state.Release
		want    string // "" for no question
	}{
		{"Debian 12", state.Release{ID: "debian", Version: "12", Pretty: "Debian GNU/Linux 12 (bookworm)"}, ""},
		{"Debian 13", state.Release{ID: "debian", Version: "13", Pretty: "Debian GNU/Linux 13 (trixie)"}, ""},
		{"Debian 14", state.Release{ID: "debian", Version: "14", Pretty: "Debian GNU/Linux forky/sid"}, ""},
		{
			"Debian 11",
			state.Release{ID: "debian", Version: "11", Pretty: "Debian GNU/Linux 11 (bullseye)"},
			"This is Debian GNU/Linux 11 (bullseye). mailsetup is made for Debian 12, 13 and 14 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"Debian testing",
			state.Release{ID: "debian", Pretty: "Debian GNU/Linux duke/sid"},
			"This is Debian GNU/Linux duke/sid. mailsetup is made for Debian 12, 13 and 14 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"Ubuntu",
			state.Release{ID: "ubuntu", Version: "24.04", Pretty: "Ubuntu 24.04.1 LTS", Like: []string{"debian"}},
			"This is Ubuntu 24.04.1 LTS, which derives from Debian. mailsetup is made for Debian 12, 13 and 14 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"another with the number of a Debian",
			state.Release{ID: "raspbian", Version: "12", Like: []string{"debian"}},
			"This is raspbian 12, which derives from Debian. mailsetup is made for Debian 12, 13 and 14 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
		{
			"nothing in os-release",
			state.Release{},
			"This is a system that does not say its name (os-release(5)). mailsetup is made for Debian 12, 13 and 14 and tested on nothing else: " +
				"packages, units and defaults may differ here.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := steptest.Bare()
			in.Facts.Release = c.release
			got := questionsOf(t, in, state.AskRelease)
			switch {
			case c.want == "" && len(got) == 0:
			case len(got) != 1 || got[0].Text != c.want || got[0].Declined != "":
				t.Errorf("got %+v\nwant %q", got, c.want)
			default:
				in.Consents = map[string]bool{got[0].ID: true}
				if again := questionsOf(t, in, state.AskRelease); len(again) != 0 {
					t.Errorf("asked again: %+v", again)
				}
			}
		})
	}
}

func TestTheUnitOfAPostfixThatAptOffers(t *testing.T) {
	in := steptest.Bare()
	for _, c := range []struct {
		release state.Release
		offered string
		want    string
	}{
		{state.Release{ID: "ubuntu", Version: "24.04"}, "postfix@-.service", "postfix@-.service"},
		{state.Release{ID: "debian", Version: "12"}, "postfix.service", "postfix.service"}, // from backports
		{state.Release{ID: "debian", Version: "12"}, "", "postfix@-.service"},
		{state.Release{ID: "debian", Version: "13"}, "", "postfix.service"},
	} {
		in.Facts.Release, in.Facts.PostfixUnit = c.release, c.offered
		if got := steptest.Stage(t, steptest.Build(t, in), "Postfix").Units[0].Name; got != c.want {
			t.Errorf("%v, %q offered: %s, want %s", c.release, c.offered, got, c.want)
		}
	}
}

// A directory is no machine: nobody's mail server goes, and its release counts
// for nothing.
func TestBelowRootNothingIsAskedOfTheMachine(t *testing.T) {
	in := exim()
	in.Facts.Release = state.Release{ID: "ubuntu", Version: "24.04"}
	got, err := steps.BelowRoot(steptest.Build(t, in), func(state.Path) bool { return true })
	if err != nil || len(got.Questions) != 0 {
		t.Errorf("%+v, %v", got.Questions, err)
	}
}
