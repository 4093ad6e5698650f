package hint_test

import (
	"slices"
	"testing"

	"mailsetup/internal/hint"
)

// A command in a hint works when it is typed as it stands.
func TestTypedLines(t *testing.T) {
	typed := hint.Typed{Line: "mailsetup rotate-dkim --compromised shop.example"}
	root, tree := hint.Typed{Root: true}, hint.TypedAs([]string{"mailsetup", "init", "--root", "image/"}, true)
	for _, tt := range []struct {
		name     string
		typed    hint.Typed
		in, want string
	}{
		{"the whole command line", typed, hint.AsRoot, "sudo mailsetup rotate-dkim --compromised shop.example"},
		{"without a command line", hint.Typed{}, hint.AsRoot, "run it as root (sudo)"},
		{"again", hint.TypedAs([]string{"mailsetup", "init", "--domain", "lab.example"}, true), hint.Again("--overwrite-drift") + " writes it", "mailsetup init --domain lab.example --overwrite-drift writes it"},
		{"again, of inbound", hint.TypedAs([]string{"mailsetup", "inbound", "--spf", "off", "--yes"}, true), hint.Again("--overwrite-drift") + " writes it", "mailsetup inbound --spf off --yes --overwrite-drift writes it"},
		{"inbound, of a tree", hint.TypedAs([]string{"mailsetup", "inbound", "--root", "t"}, true), "mailsetup inbound --spf off", "mailsetup inbound --root t --spf off"},
		{"again, what only init does", hint.TypedAs([]string{"mailsetup", "adopt", "--yes"}, false), hint.Again("--overwrite-drift") + " writes it", "sudo mailsetup init --overwrite-drift writes it"},
		{"again, of uninstall", hint.TypedAs([]string{"mailsetup", "uninstall", "--root", "t"}, true), hint.Again("--overwrite-drift") + " puts them back", "mailsetup uninstall --root t --overwrite-drift puts them back"},
		{"again, of restore", hint.TypedAs([]string{"mailsetup", "restore", "b.age", "--yes"}, true), hint.Again("--overwrite-drift") + " writes it", "mailsetup restore b.age --yes --overwrite-drift writes it"},
		{"restore, by somebody", typed, "mailsetup restore b.age; mailsetup uninstall; mailsetup backup b.age", "sudo mailsetup restore b.age; sudo mailsetup uninstall; sudo mailsetup backup b.age"},
		{"again, nobody knows what", hint.Typed{}, hint.Again("--x"), "again, with --x"},
		{"another command", typed, "mailsetup list shows the domains", "sudo mailsetup list shows the domains"},
		{"by root", root, "mailsetup list shows the domains", "mailsetup list shows the domains"},
		{"by root, who may have no sudo", root, "sudo mailsetup init", "mailsetup init"},
		{"sudo once", typed, "sudo mailsetup init", "sudo mailsetup init"},
		{"two in a line", typed, "mailsetup init; mailsetup dns --wait", "sudo mailsetup init; sudo mailsetup dns --wait"},
		{"a plan needs no root", typed, "mailsetup init --dry-run shows the difference", "mailsetup init --dry-run shows the difference"},
		{"help needs no root", typed, "mailsetup init --help lists the flags", "mailsetup init --help lists the flags"},
		{"a guess", typed, "did you mean: mailsetup init", "did you mean: mailsetup init"},
		{"a directory", tree, "mailsetup recover", "mailsetup recover --root image/"},
		{"two in a directory", tree, "mailsetup init, then mailsetup dns lab.example", "mailsetup init --root image/, then mailsetup dns --root image/ lab.example"},
		{"a directory is named already", tree, "mailsetup init --root DIR writes the files", "mailsetup init --root DIR writes the files"},
		{"not of a directory", tree, "mailsetup rotate-dkim --compromised lab.example makes another key", "mailsetup rotate-dkim --compromised lab.example makes another key"},
		{"the world is not in a directory", tree, "mailsetup dns --wait", "mailsetup dns --wait"},
		{"files of a directory", tree, "mv /etc/x /etc/x.old; chown opendkim: /var/lib/y", "mv image/etc/x image/etc/x.old; chown opendkim: image/var/lib/y"},
		{"a table of Postfix", tree, "postconf -e 'alias_maps = hash:/etc/aliases' && postfix reload", "postconf -c image/etc/postfix -e 'alias_maps = hash:/etc/aliases'"},
		{"files of the machine", root, "mv /etc/x /etc/x.old", "mv /etc/x /etc/x.old"},
		{"no command of ours", typed, "systemctl start opendkim", "systemctl start opendkim"},
		{"the name alone", typed, "mailsetup never rewrites what it cannot read", "mailsetup never rewrites what it cannot read"},
	} {
		if got := tt.typed.Lines([]string{tt.in}); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTypedAs(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want hint.Typed
	}{
		{nil, hint.Typed{Root: true}},
		{[]string{"/usr/sbin/mailsetup", "recover", "--root", "a dir"}, hint.Typed{Line: "mailsetup recover --root 'a dir'", Root: true, Tree: []string{"--root", "'a dir'"}}},
		{[]string{"./mailsetup", "init", "--root=image"}, hint.Typed{Line: "mailsetup init --root=image", Root: true, Tree: []string{"--root=image"}}},
		{[]string{"mailsetup", "init", "--root"}, hint.Typed{Line: "mailsetup init --root", Root: true}},
	} {
		if got := hint.TypedAs(tt.args, true); got.Line != tt.want.Line || !slices.Equal(got.Tree, tt.want.Tree) || !got.Root {
			t.Errorf("%q: %+v, want %+v", tt.args, got, tt.want)
		}
	}
}

// Hints within a text are typed as well, and typing twice changes nothing more.
func TestTypedText(t *testing.T) {
	tree := hint.TypedAs([]string{"mailsetup", "rotate-dkim", "--root", "image"}, true)
	const text, want = "b.example: gone\nhint: mailsetup add-domain b.example; mv /etc/x /etc/y", "b.example: gone\nhint: mailsetup add-domain --root image b.example; mv image/etc/x image/etc/y"
	nobody := hint.TypedAs([]string{"mailsetup", "rollback", "--dry-run"}, false)
	if got := nobody.Text(nobody.Text("hint: " + hint.AsRoot)); got != "hint: sudo mailsetup rollback --dry-run" {
		t.Errorf("%q", got)
	}
	got := tree.Text(text)
	if got != want || tree.Text(got) != want || tree.Text("mailsetup init") != "mailsetup init" {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	if got, want := hint.Quote("mailsetup", "init", "--ip", "192.0.2.10", "--root", "a dir", "it's", ""), `mailsetup init --ip 192.0.2.10 --root 'a dir' 'it'\''s' ''`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
