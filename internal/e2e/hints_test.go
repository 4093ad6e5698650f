//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// hintRow is a situation in which the product prints a hint. Its commands are typed as
// they stand: then what was asked for works, and nothing else is different.
type hintRow struct {
	name   string
	breaks string   // makes the situation
	args   []string // what is asked for, and fails; nil for init
	nobody bool     // by somebody who is not root
	hint   string   // a pattern of the line; its group is what is typed
	again  []string // what works then; nil for what was asked for
	may    []string // paths that may be different after that, and those below them
	undo   string   // takes back what may be different
}

const key = "$(ls /etc/dkimkeys/lab.example/*.private)"

// hintRows are for a server on which init has run.
func hintRows() []hintRow {
	const conf, unit = "/etc/postfix/main.cf", "/etc/systemd/system/opendkim.service"
	return []hintRow{
		{name: "a key of root's", breaks: "chown root: " + key, hint: `^hint: (chown opendkim: \S+ && chmod 600 \S+)$`},
		{name: "a key that others can read", breaks: "chmod 644 " + key, hint: `^hint: (chown opendkim: \S+ && chmod 600 \S+)$`},
		{name: "a directory of keys that is root's", breaks: "chown root: /etc/dkimkeys/lab.example", hint: `^hint: (chown opendkim: /etc/dkimkeys/lab.example && chmod 700 /etc/dkimkeys/lab.example)$`},
		{name: "OpenDKIM stopped", breaks: "systemctl stop opendkim", hint: `^hint: (systemctl \S+ opendkim.*?)(;|$)`},
		{name: "OpenDKIM masked", breaks: "systemctl -q mask --now opendkim", hint: `^hint: (systemctl unmask opendkim.service.*)$`},
		{name: "OpenDKIM hangs", breaks: "kill -STOP $(pidof opendkim)", hint: `^hint: (systemctl restart opendkim);`},
		{name: "Postfix stopped", breaks: "systemctl stop postfix", hint: `^hint: (systemctl \S+ postfix.*?)(;|$)`},
		{
			name: "no_milters", breaks: "echo 'receive_override_options = no_milters' >>" + conf + "; postfix reload",
			hint: `^hint: (postconf -e 'receive_override_options = ' && postfix reload)$`, may: []string{conf}, undo: "postconf -X receive_override_options",
		},
		{
			name: "carriage returns", breaks: `printf 'a_b = 1\r\n' >>` + conf, args: []string{"init", "--yes", "--milter-default-action", "accept"},
			hint: `^hint: convert the file: (sed -i 's/\\r\$//' \S+)$`, again: []string{"init", "--yes"}, may: []string{conf}, undo: "sed -i /^a_b/d " + conf,
		},
		{
			name: "no master.cf", breaks: "mv /etc/postfix/master.cf /root/", hint: `^hint: (cp -p /usr/share/postfix/master.cf.dist /etc/postfix/master.cf)$`,
			may: []string{"/etc/postfix/master.cf"}, undo: "mv /root/master.cf /etc/postfix/",
		},
		{
			name: "a unit of the administrator's", breaks: "sed 's/^ExecStart=.*/& -p inet:8891@localhost/' /lib/systemd/system/opendkim.service >" + unit + "; systemctl daemon-reload",
			hint: `^hint: keep what you need of it in a drop-in .*, then (mv \S+ \S+ && systemctl daemon-reload)$`, may: []string{unit + ".old"}, undo: "rm " + unit + ".old",
		},
		{
			name:   "a drop-in where it cannot be edited",
			breaks: `d=/usr/lib/systemd/system/opendkim.service.d; mkdir -p $d; printf '[Service]\nUser=dkimsign\n' >$d/user.conf; systemctl daemon-reload`,
			hint:   `^hint: move it to where it can be edited, with the same effect: (mkdir -p \S+ && mv \S+ \S+ && systemctl daemon-reload)$`,
			again:  []string{"init", "--yes", "--replace-override"},
			undo:   "rm -rf /usr/lib/systemd/system/opendkim.service.d /etc/systemd/system/opendkim.service.d; systemctl daemon-reload",
		},
		{
			name: "a configuration behind a link", breaks: "mv /etc/opendkim.conf /etc/o.conf; ln -s o.conf /etc/opendkim.conf",
			hint: `^hint: replace the link by what it points to: (cp -p .*)$`, may: []string{"/etc/o.conf"}, undo: "rm /etc/o.conf",
		},
		{
			name: "a directory in the place of a file", breaks: "rm /etc/tmpfiles.d/mailsetup.conf; mkdir /etc/tmpfiles.d/mailsetup.conf",
			hint: `^hint: move it away: (mv \S+ \S+)$`, may: []string{"/etc/tmpfiles.d/mailsetup.conf.old"}, undo: "rmdir /etc/tmpfiles.d/mailsetup.conf.old",
		},
		{name: "BIND stopped", breaks: "systemctl stop named", hint: `^hint: journalctl -u named, then (systemctl start named);`},
		{name: "a file edited by hand", breaks: "echo '# mine' >>/etc/opendkim.conf", hint: `^hint: (mailsetup init .*--overwrite-drift)\b`},
		{
			name: "a read-only directory", breaks: "mount --bind /etc/mailsetup /etc/mailsetup; mount -o remount,ro,bind /etc/mailsetup",
			args: []string{"init", "--yes", "--milter-default-action", "accept"}, hint: `^hint: (findmnt -T /etc/mailsetup\S*) shows what is mounted read-only; journalctl`,
			again: []string{"history"}, undo: "umount /etc/mailsetup",
		},
		{
			name: "a lock that cannot be written", breaks: "touch /run/mailsetup.lock; mount --bind /run/mailsetup.lock /run/mailsetup.lock; mount -o remount,ro,bind /run/mailsetup.lock",
			hint: `^hint: (findmnt -T /run) shows what is mounted read-only; journalctl`, again: []string{"history"}, undo: "umount /run/mailsetup.lock",
		},
		{name: "recover by somebody else", nobody: true, args: []string{"recover"}, hint: `^hint: sudo (mailsetup recover)$`},
		{name: "history by somebody else", nobody: true, args: []string{"history"}, hint: `^hint: sudo (mailsetup history)$`},
		{name: "status by somebody else", nobody: true, args: []string{"status", "lab.example"}, hint: `^hint: sudo (mailsetup status lab.example)$`},
		{
			name: "the private key gone", breaks: "rm " + key, hint: `^hint: put the file back from a backup; without one, (mailsetup rotate-dkim --compromised lab.example) makes`,
			may: []string{"/etc/dkimkeys", "/etc/opendkim", "/etc/bind", "/var/lib/mailsetup"},
		},
		{
			name: "a private key that is junk", breaks: "echo junk >" + key, hint: `^hint: put the file back from a backup; without one, (mailsetup rotate-dkim --compromised lab.example) makes`,
			may: []string{"/etc/dkimkeys", "/etc/opendkim", "/etc/bind", "/var/lib/mailsetup"},
		},
		{
			name: "a key for a domain that was removed", breaks: "mailsetup add-domain --yes shop.example; mailsetup remove-domain --yes shop.example",
			args: []string{"rotate-dkim", "--yes", "--now", "shop.example"}, hint: `^hint: (mailsetup remove-domain shop.example --purge) takes`, again: []string{"list"},
			may: []string{"/etc/dkimkeys", "/etc/opendkim", "/etc/bind", "/var/lib/mailsetup", "/etc/mailsetup"},
		},
		{
			name: "a domain that Postfix delivers for", breaks: "postconf -e \"$(postconf mydestination), shop.example\"; postfix reload", args: []string{"init", "--yes"},
			hint: `^ +(mailsetup add-domain shop.example)$`, undo: "mailsetup remove-domain --yes --purge shop.example; postconf -e \"$(postconf mydestination | sed 's/, shop.example$//')\"; postfix reload",
			may: []string{conf, "/etc/dkimkeys", "/etc/opendkim", "/etc/bind", "/var/lib/mailsetup", "/etc/mailsetup"},
		},
	}
}

// TestHints: each hint mends what it is about, typed as it stands, and breaks nothing.
func TestHints(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := signing(t, release)
		b.Named(t, "shop.example")
		b.Sh(t, "cp -a /etc /var/lib/mailsetup /root/")
		for i, r := range hintRows() {
			if !lab.TakesTurn(i, release) {
				continue
			}
			if !t.Run(strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) { r.run(t, b) }) {
				r.restore(t, b)
			}
		}
		flows(t, b, sink)
	})
}

func (r hintRow) run(t *testing.T, b *lab.Box) {
	t.Helper()
	began := time.Now()
	if r.args == nil {
		r.args = []string{"init", "--yes"}
	}
	if r.again == nil {
		r.again = r.args
	}
	was := look(t, b)
	b.Sh(t, r.breaks)
	said := r.ask(t, b)
	m := regexp.MustCompile("(?m)" + r.hint).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("%s: no hint like %s:\n%s", r.name, r.hint, said)
	}
	command := m[1]
	if strings.HasPrefix(command, "mailsetup ") && !strings.Contains(command, "--yes") && r.args[len(r.args)-1] != "recover" && !r.nobody {
		command += " --yes" // a person would be asked
	}
	b.Sh(t, command)
	if out, said := product(t, b, 0, r.again...); strings.Contains(out+said, m[0]) && r.may == nil {
		t.Errorf("%s: is said again:\n%s%s", r.name, out, said)
	}
	if r.undo != "" {
		b.Sh(t, r.undo)
	}
	is := look(t, b)
	for _, p := range r.may {
		for _, c := range []condition{was, is} {
			maps.DeleteFunc(c.tree, func(at, _ string) bool { return at == p || strings.HasPrefix(at, p+"/") })
			maps.DeleteFunc(c.zones, func(at, _ string) bool { return strings.HasPrefix(at, p+"/") })
		}
	}
	unchanged(t, was, is)
	t.Logf("%s: %.1f s: %s", r.name, time.Since(began).Seconds(), command)
}

// restore puts the server back after a failure, so that the rows below it tell their own.
func (r hintRow) restore(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "{ "+cmp.Or(r.undo, ":")+"; } || :\n"+`systemctl -q unmask opendkim postfix named || :
mountpoint -q /etc/mailsetup && umount /etc/mailsetup
umount /run/mailsetup.lock 2>/dev/null || :
rm -rf /etc/tmpfiles.d/mailsetup.conf /etc/opendkim.conf /etc/systemd/system/opendkim.service /etc/dkimkeys /etc/opendkim /var/lib/mailsetup
cp -a /root/mailsetup /var/lib/
cp -a /root/etc/. /etc/
systemctl daemon-reload
systemctl -q enable opendkim postfix named
systemctl kill -s CONT opendkim || :
systemctl restart named opendkim postfix`)
}

// ask runs what is asked for, and returns what is said of it.
func (r hintRow) ask(t *testing.T, b *lab.Box) string {
	t.Helper()
	argv := append([]string{"mailsetup"}, r.args...)
	if r.nobody {
		argv = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, argv...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, said, code := b.Exec(ctx, nil, argv...)
	if code == 0 && !strings.HasPrefix(r.hint, "^ +") {
		t.Fatalf("%s: nothing is wrong:\n%s%s", r.name, out, said)
	}
	return out + said
}

// TestHalfOfATutorial: the tables that somebody named are not there, and OpenDKIM is
// down. The hint names the way to a set-up that works.
func TestHalfOfATutorial(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Sh(t, `printf 'Mode sv\nSocket inet:8891@localhost\nKeyTable /etc/opendkim/KeyTable\nSigningTable refile:/etc/opendkim/SigningTable\n' >/etc/opendkim.conf
systemctl stop opendkim`)
		_, said := product(t, b, 2, initArgs()...)
		says(t, said, "/etc/opendkim.conf:3: /etc/opendkim/KeyTable: no such file", "hint: make the file, or take the line out")
		m := regexp.MustCompile(`(?m)^hint: (mailsetup init .* --overwrite-drift) sets`).FindStringSubmatch(said)
		if m == nil {
			t.Fatalf("no way out:\n%s", said)
		}
		b.Sh(t, m[1])
		flows(t, b, sink)
	})
}
