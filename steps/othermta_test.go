package steps_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// exim is a bare machine on which exim4 is the mail server, as Debian 11 had it
// by default.
func exim() step.Input {
	in := steptest.Bare()
	in.Facts.MTA = "exim4-daemon-light"
	in.Facts.OtherMTA = &state.OtherMTA{
		Package: "exim4-daemon-light", Counted: true, Spool: "/var/spool/exim4", Flush: "exim4 -qff; mailq",
	}
	in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte("postmaster: root\n")}
	return in
}

func TestReplacingAMailServerNeedsAConsent(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*state.OtherMTA)
		want   string
	}{
		{
			"empty queue", func(*state.OtherMTA) {},
			"exim4-daemon-light is this machine's mail server. With --mta exim4 it stays, and signs itself. Its queue is empty. Installing Postfix removes it.",
		},
		{
			"one message", func(o *state.OtherMTA) { o.Queue = 1 },
			"exim4-daemon-light is this machine's mail server. With --mta exim4 it stays, and signs itself. 1 message waits in its queue and would stay behind undelivered. " +
				"Installing Postfix removes it.",
		},
		{
			"messages", func(o *state.OtherMTA) { o.Queue = 12 },
			"exim4-daemon-light is this machine's mail server. With --mta exim4 it stays, and signs itself. 12 messages wait in its queue and would stay behind undelivered. " +
				"Installing Postfix removes it.",
		},
		{
			"nobody could count", func(o *state.OtherMTA) { o.Counted = false },
			"exim4-daemon-light is this machine's mail server. With --mta exim4 it stays, and signs itself. How many messages wait in its queue could not be found out. " +
				"Installing Postfix removes it.",
		},
		{
			"a program without a queue", func(o *state.OtherMTA) { o.Package, o.Spool = "msmtp-mta", "" },
			"msmtp-mta is this machine's mail server. Installing Postfix removes it.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := exim()
			c.change(in.Facts.OtherMTA)
			got := questionsOf(t, in, state.AskMTA)
			if len(got) != 1 || got[0].Text != c.want || got[0].Declined != "" {
				t.Errorf("got %+v\nwant %q", got, c.want)
			}
		})
	}
	in := exim()
	in.Facts.Installed["postfix"] = true
	if got := questionsOf(t, in, state.AskMTA); len(got) != 0 {
		t.Errorf("asked for a Postfix that is here already: %+v", got)
	}
}

// exim4 removes Postfix, or whatever else is here, and is asked about as Postfix is.
func TestEximReplacesAMailServerOnConsent(t *testing.T) {
	over := steptest.Exim(false)
	over.Facts = steptest.Two("mail.lab.example", "shop.example").Facts
	over.Facts.Postfix.Value["relayhost"] = "[smart.example]"
	got := questionsOf(t, over, state.AskMTA)
	const want = "postfix is this machine's mail server. What waits in its queue (postqueue -p) would stay behind undelivered. Installing exim4 removes it."
	if len(got) != 1 || got[0].Text != want || got[0].Declined != "" {
		t.Errorf("got %+v\nwant %q", got, want)
	}
	packages := steptest.Stage(t, steptest.Build(t, over), "Packages").Packages
	if len(packages) != 1 || packages[0].Name != "exim4-daemon-light" || packages[0].Why != "sends, signs and receives mail in the place of postfix" {
		t.Errorf("packages %+v", packages)
	}
	for _, topic := range []string{"opendkim", "relayhost"} {
		if notes := noteOn(over, topic); len(notes) != 1 {
			t.Errorf("of %s: %+v", topic, notes)
		}
	}
	other := steptest.Exim(false)
	other.Facts.Exim, other.Facts.Installed = nil, map[string]bool{"bind9": true}
	other.Facts.OtherMTA = &state.OtherMTA{Package: "sendmail-bin", Counted: true, Spool: "/var/spool/mqueue"}
	if got := questionsOf(t, other, state.AskMTA); len(got) != 1 || got[0].Text != "sendmail-bin is this machine's mail server. Its queue is empty. Installing exim4 removes it." {
		t.Errorf("of sendmail: %+v", got)
	}
	if got := questionsOf(t, steptest.Exim(false), state.AskMTA); len(got) != 0 {
		t.Errorf("of an exim4 that stays: %+v", got)
	}
}

func noteOn(in step.Input, topic string) []state.Note {
	want, err := steps.Build(steps.All(), in)
	if err != nil {
		return []state.Note{{Topic: topic, Text: err.Error()}}
	}
	return slices.DeleteFunc(append(want.Notes, steps.Advice(in)...), func(n state.Note) bool { return n.Topic != topic })
}

// What another mail server did, and Postfix will not do by itself.
func TestWhatGoesWithAMailServer(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*step.Input)
		topic  string
		want   []state.Note
	}{
		{"nothing waits", func(*step.Input) {}, "queue", nil},
		{
			"messages wait", func(in *step.Input) { in.Facts.OtherMTA.Queue = 2 }, "queue",
			[]state.Note{{
				Topic: "queue", Informational: true,
				Text: "2 messages wait in the queue of exim4-daemon-light. They STAY BEHIND in /var/spool/exim4, " +
					"where nobody delivers mail any more: empty the queue first",
				Action: "exim4 -qff; mailq",
			}},
		},
		{
			"messages stayed", func(in *step.Input) { in.Facts.OtherMTA.Queue, in.Facts.Installed["postfix"] = 1, true }, "queue",
			[]state.Note{{
				Topic: "queue",
				Text: "1 message stayed behind in /var/spool/exim4 when exim4-daemon-light was removed. To deliver it, " +
					"take /var/spool/exim4 to a machine where exim4-daemon-light runs: here apt would remove Postfix for it",
				Action: "there: exim4 -qff; mailq",
			}},
		},
		{"it delivers itself", func(*step.Input) {}, "relayhost", nil},
		{
			"it has a relay", func(in *step.Input) { in.Facts.OtherMTA.Relay = "[mail.isp.example]:587" }, "relayhost",
			[]state.Note{{
				Topic: "relayhost",
				Text: "exim4-daemon-light hands all mail to [mail.isp.example]:587; Postfix delivers it itself, from this machine's own " +
					"addresses, unless you say so (and where it wants a password: smtp_sasl_password_maps)",
				Action: "postconf -e 'relayhost = [mail.isp.example]:587' && postfix reload",
			}},
		},
		{
			"it has Maildirs", func(in *step.Input) { in.Facts.OtherMTA.Maildir = true }, "mailboxes",
			[]state.Note{{
				Topic: "mailboxes", Text: "exim4-daemon-light puts local mail into ~/Maildir, Postfix into /var/mail",
				Action: "postconf -e home_mailbox=Maildir/ && postfix reload",
			}},
		},
		{"its aliases are Postfix's", func(*step.Input) {}, "aliases", nil},
		{
			"it has aliases of its own", func(in *step.Input) {
				in.Facts.OtherMTA.Package, in.Facts.OtherMTA.Aliases = "sendmail-bin", "/etc/mail/aliases"
			}, "aliases",
			[]state.Note{{
				Topic: "aliases", Text: "the aliases of sendmail-bin are in /etc/mail/aliases, those of Postfix in /etc/aliases; it can read both",
				Action: "postalias hash:/etc/mail/aliases && postconf -e 'alias_maps = hash:/etc/mail/aliases, hash:/etc/aliases' " +
					"'alias_database = hash:/etc/mail/aliases, hash:/etc/aliases'",
			}},
		},
		{
			"its aliases are a directory", func(in *step.Input) {
				in.Facts.OtherMTA.Package, in.Facts.OtherMTA.Aliases = "courier-mta", "/etc/courier/aliases"
			}, "aliases",
			[]state.Note{{
				Topic: "aliases", Text: "the aliases of courier-mta are in /etc/courier/aliases, those of Postfix in /etc/aliases",
				Action: "write those that you need into /etc/aliases, then run newaliases",
			}},
		},
		{
			"aliases that only exim understands", func(in *step.Input) {
				in.Facts.Files["/etc/aliases"] = []byte("# x: :blackhole:\nnoreply: :blackhole:\nlists: :include:/etc/lists\nbob: ann,\n  :fail: moved\n")
			}, "aliases",
			[]state.Note{{
				Topic: "aliases", Text: "/etc/aliases has in lines 2 and 5 what only exim understands (:blackhole:, :fail:): " +
					"Postfix bounces such mail as if for an unknown user",
				Action: "write /dev/null for :blackhole:, take :fail: lines out, then run newaliases",
			}},
		},
		{"the mail name stays", func(in *step.Input) { in.Facts.Files["/etc/mailname"] = []byte("lab.example\n") }, "mailname", nil},
		{
			"another mail name", func(in *step.Input) { in.Facts.Files["/etc/mailname"] = []byte("old.lab.example\n") }, "mailname",
			[]state.Note{{
				Topic: "mailname", Informational: true,
				Text: "/etc/mailname says old.lab.example; the package postfix writes lab.example there, which is what follows the @ " +
					"in mail from root and from programs",
			}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := exim()
			c.change(&in)
			if diff := cmp.Diff(c.want, noteOn(in, c.topic), cmp.Comparer(steptest.SameNotes)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The aliases of another mail server work under Postfix: whatever database lies
// there, it is made again.
func TestAliasesCarryOver(t *testing.T) {
	in := exim()
	st := steptest.Stage(t, steptest.Build(t, in), "Aliases")
	want := []state.Derived{{Path: "/etc/aliases.db", From: "/etc/aliases", Argv: []string{"postalias", "hash:/etc/aliases"}, Always: true}}
	if diff := cmp.Diff(want, st.Derived); diff != "" || len(st.Edits) != 0 {
		t.Errorf("edits %v\n%s", st.Edits, diff)
	}
	if st := steptest.Stage(t, steptest.Build(t, steptest.Installed()), "Aliases"); len(st.Derived) != 0 {
		t.Errorf("a Postfix that was here is given a database: %v", st.Derived)
	}
}

// Only the table of /etc/aliases that Postfix reads is made again: newaliases(1) would
// take others along, which may be missing, or edited and not yet meant to go live.
func TestAliasesAmongOthers(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.RootAlias = "ops@lab.example"
	in.Facts.Postfix.Value["alias_maps"] = "hash:/etc/mail/aliases, proxy:cdb:/etc/aliases"
	in.Facts.Postfix.Value["alias_database"] = "hash:/etc/mail/aliases"
	want := []state.Derived{{Path: "/etc/aliases.cdb", From: "/etc/aliases", Argv: []string{"postalias", "cdb:/etc/aliases"}}}
	if diff := cmp.Diff(want, steptest.Stage(t, steptest.Build(t, in), "Aliases").Derived); diff != "" {
		t.Error(diff)
	}
	in.Facts.Postfix.Value["alias_maps"] = "texthash:/etc/aliases"
	if st := steptest.Stage(t, steptest.Build(t, in), "Aliases"); len(st.Derived) != 0 || len(st.Edits) != 1 {
		t.Errorf("of a text that Postfix reads itself: %v, %v", st.Edits, st.Derived)
	}
}

// Where Postfix does not read /etc/aliases, as on servers with virtual mailboxes
// only, the run goes on without it and says so.
func TestAliasesThatPostfixDoesNotRead(t *testing.T) {
	for maps, is := range map[string]string{"": "alias_maps is empty", "hash:/etc/mail/aliases": "alias_maps = hash:/etc/mail/aliases"} {
		in := steptest.Installed()
		in.Spec.Host.RootAlias = "ops@lab.example"
		in.Facts.Postfix.Value["alias_maps"], in.Facts.Postfix.Value["alias_database"] = maps, ""
		if st := steptest.Stage(t, steptest.Build(t, in), "Aliases"); len(st.Edits)+len(st.Derived)+len(st.Probes) != 0 {
			t.Errorf("%q: %v, %v, %v", maps, st.Edits, st.Derived, st.Probes)
		}
		notes := steps.Advice(in)
		if !slices.ContainsFunc(notes, func(n state.Note) bool {
			return n.Text == is+": Postfix does not read /etc/aliases, and no alias there sends root's mail to ops@lab.example"
		}) {
			t.Errorf("%q: nobody is told: %v", maps, notes)
		}
	}
}
