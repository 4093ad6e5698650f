package adopt_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/adopt"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

const taken = "taken over: /etc/opendkim.conf was set up by hand and signs nothing "

// Of an OpenDKIM that signs nothing, the settings stay: those that differ from ours,
// and that do not say what is signed.
func TestDetectIdle(t *testing.T) {
	for _, c := range []struct {
		name, conf string
		lines      []string
		notes      string
	}{
		{
			"only another socket", "Syslog yes\nUserID opendkim\nUMask 007\nSocket inet:8891@localhost\nTrustAnchorFile /usr/share/dns/root.key\n",
			nil, taken + "(it names neither a domain nor tables). None of its settings differs from ours; it signs from then on, at the socket of mailsetup",
		},
		{
			"verifies", "Mode v\nSocket inet:8891@localhost\nAuthservID mx.lab.example\nNameservers 127.0.0.1\nOn-BadSignature reject\nDomain old.example\nInternalHosts 127.0.0.1, 10.9.0.0/16\n",
			[]string{"AuthservID mx.lab.example", "Nameservers 127.0.0.1", "On-BadSignature reject", "TrustAnchorFile"},
			taken + "(Mode v). Its settings are kept in /etc/mailsetup/host.toml (AuthservID, Nameservers, On-BadSignature); it signs from then on, at the socket of mailsetup\n" +
				"taken over: mail of the hosts in its InternalHosts is signed, too: 10.9.0.0/16\n" +
				"left out: /etc/opendkim.conf:6: Domain old.example, with which nothing was signed",
		},
		{
			"signs alone, no domain yet", "Mode s\nCanonicalization simple/simple\nTrustAnchorFile /usr/share/dns/root.key\n",
			[]string{"Mode s", "Canonicalization simple/simple"},
			taken + "(it names neither a domain nor tables). Its settings are kept in /etc/mailsetup/host.toml (Mode, Canonicalization); it signs from then on, at the socket of mailsetup",
		},
		{
			"empty tables", "KeyTable file:/etc/opendkim/none\nSigningTable file:/etc/opendkim/none\nTrustAnchorFile /usr/share/dns/root.key\n",
			nil, taken + "(no row of its tables counts). None of its settings differs from ours; it signs from then on, at the socket of mailsetup\n" +
				"left out: /etc/opendkim.conf:1: KeyTable file:/etc/opendkim/none, with which nothing was signed\n" +
				"left out: /etc/opendkim.conf:2: SigningTable file:/etc/opendkim/none, with which nothing was signed",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			files, f, _ := byHand(t)
			files.PutFile("/etc/opendkim.conf", c.conf)
			files.PutFile("/etc/opendkim/none", "")
			found := detected(t, files, f)
			if d := cmp.Diff(c.lines, found.OpenDKIM); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.notes, texts(found.Notes)); d != "" {
				t.Error(d)
			}
			if !found.SignsNothing() || len(found.Names()) != 0 || len(found.Keys) != 0 || found.Hashes["/etc/opendkim.conf"] != plan.Hash([]byte(c.conf)) {
				t.Errorf("%+v", found)
			}
			if a, err := found.Answer(spec.Answers{}, "mail.lab.example"); err != nil || a.Domain != "" {
				t.Errorf("answers %+v, %v", a, err)
			}
		})
	}
}

// Who begins anew is told what goes; of our own file the difference is shown.
func TestDropped(t *testing.T) {
	files, f, _ := byHand(t)
	files.PutFile("/etc/opendkim.conf", "Mode v\nAuthservID mx.lab.example\nNameservers 127.0.0.1\nSocket inet:1@localhost\n")
	want := "opendkim: these settings of /etc/opendkim.conf go, since --overwrite-drift begins anew: AuthservID mx.lab.example; Nameservers 127.0.0.1"
	if got := texts(adopt.Dropped(files, f, adopt.Options{})); got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	if got := adopt.Dropped(files, f, adopt.Options{Hashes: plan.FileHashes{"/etc/opendkim.conf": "a digest"}}); got != nil {
		t.Errorf("of ours: %q", texts(got))
	}
	if got := adopt.Dropped(files, state.Facts{}, adopt.Options{}); got != nil {
		t.Errorf("without OpenDKIM: %q", texts(got))
	}
}
