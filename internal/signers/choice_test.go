package signers_test

import (
	"testing"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/signers"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/keygen"
	"mailsetup/steps/step"
)

// run is a run about two domains that rspamd signs: the key of one is a file, that
// of the other is not known.
type run struct {
	choice   signers.Choice
	in       step.Input
	pairs    []dkimkeys.Pair
	question state.Question
	key      *keygen.Key
}

func twoSigned(t *testing.T) *run {
	t.Helper()
	key, err := keygen.Generate(1024)
	if err != nil {
		t.Fatal(err)
	}
	files := systemtest.NewMem()
	files.Put("/var/lib/rspamd/a.key", state.Object{Kind: state.Regular, Mode: 0o400, Owner: state.Root, Content: key.PEM()})
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	sp := spec.Spec{Domains: []spec.Domain{{Name: "a.example", Selector: "202611", KeyBits: 2048}, {Name: "b.example", Selector: "202611", KeyBits: 2048}}}
	r := &run{
		choice: signers.Choice{Files: files, Now: now}, key: key,
		question: state.Question{Kind: state.AskSigner, Subject: "inet:localhost:11332", Domains: []string{"a.example", "b.example"}},
		in: step.Input{
			Spec: sp, Keys: step.KeyChanges{Private: map[state.Path][]byte{}}, Ledger: keyring.Ledger{}, Now: now,
			Milters: []state.Milter{{
				Endpoint: "inet:localhost:11332", Addresses: []string{"localhost:11332"}, Program: state.Program{Kind: state.RspamdProgram},
				Signatures: []state.Signature{
					{Domain: "a.example", Selector: "mail", Key: "/var/lib/rspamd/a.key"}, {Domain: "b.example", Selector: "mail"},
				},
			}},
		},
	}
	for _, d := range sp.Domains {
		r.pairs = append(r.pairs, dkimkeys.NewPair(d, "202611", now))
	}
	dkimkeys.AddPairs(&r.in, r.pairs)
	return r
}

func (r *run) answer(replace bool) (changed bool) {
	r.pairs, changed = r.choice.Apply(&r.in, r.pairs, r.question, replace)
	return changed
}

// A yes brings a copy of the key where its file is known, under its selector; the
// others get a new one.
func TestAnotherSignersKeyIsCopied(t *testing.T) {
	r := twoSigned(t)
	before := r.in.Spec.Domains
	if !r.answer(true) {
		t.Error("the spec did not change")
	}
	a, _ := r.in.Ledger.Signing("a.example")
	if a.Selector != "mail" || a.Public != r.key.Public() || a.Bits != 1024 || a.File != "/etc/dkimkeys/a.example/mail.private" || a.Adopted {
		t.Errorf("%+v", a)
	}
	if got := string(r.in.Keys.Private["/etc/dkimkeys/a.example/mail.private"]); got != string(r.key.PEM()) {
		t.Error("the file is not a copy")
	}
	b, _ := r.in.Ledger.Signing("b.example")
	if b.Selector != "202611" || !b.Pending() {
		t.Errorf("%+v", b)
	}
	if len(r.pairs) != 1 || r.pairs[0].Domain != "b.example" || len(r.in.Keys.Private) != 2 || r.in.Spec.Domains[0].Selector != "mail" {
		t.Errorf("pairs %v, %d new keys, %+v", r.pairs, len(r.in.Keys.Private), r.in.Spec.Domains)
	}
	if before[0].Selector != "202611" {
		t.Error("the spec that was asked for changed")
	}
}

// A selector that was asked for, or was used before, is no reason to refuse, nor is a
// key that cannot be read: the domain gets a new key.
func TestAnotherSignersKeyIsNotCopied(t *testing.T) {
	for name, before := range map[string]func(*run){
		"another selector":  func(r *run) { r.choice.Selector = "mine" },
		"used before":       func(r *run) { r.choice.Ledger = keyring.Ledger{"a.example": {{Selector: "mail", Stage: keyring.Gone}}} },
		"a file that is no": func(r *run) { r.choice.Files = systemtest.NewMem() },
	} {
		r := twoSigned(t)
		before(r)
		r.answer(true)
		if a, _ := r.in.Ledger.Signing("a.example"); a.Selector != "202611" || !a.Pending() || len(r.pairs) != 2 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	r := twoSigned(t)
	r.choice.Selector = "MAIL"
	r.answer(true)
	if a, _ := r.in.Ledger.Signing("a.example"); a.Selector != "mail" {
		t.Errorf("its own selector was asked for: %+v", a)
	}
}

// A no makes no key; one that signs here already drains.
func TestSigningIsLeftToAnother(t *testing.T) {
	r := twoSigned(t)
	r.pairs = r.pairs[:1]
	r.in.Ledger = keyring.Ledger{
		"a.example": r.in.Ledger["a.example"],
		"b.example": {{Selector: "old", Public: "x", Stage: keyring.Active}},
	}
	if !r.answer(false) {
		t.Error("the spec did not change")
	}
	for _, d := range r.in.Spec.Domains {
		if _, signs := r.in.Ledger.Signing(d.Name); signs || d.SignedBy != "other" {
			t.Errorf("%s: %+v", d.Name, r.in.Ledger[d.Name])
		}
	}
	if b := r.in.Ledger["b.example"]; len(b) != 1 || b[0].Stage != keyring.Draining || len(r.pairs) != 0 {
		t.Errorf("%+v, pairs %v", b, r.pairs)
	}
}

// A milter on another machine was not asked: the person says that it signs nothing,
// and is not asked again.
func TestARemoteMilterSignsNothing(t *testing.T) {
	r := twoSigned(t)
	r.in.Milters[0].Addresses = nil
	for range 2 {
		if !r.answer(true) || len(r.in.Spec.Host.NonsigningMilters) != 1 || r.in.Spec.Host.NonsigningMilters[0] != "inet:localhost:11332" {
			t.Errorf("%+v", r.in.Spec.Host)
		}
	}
	if len(r.pairs) != 2 {
		t.Errorf("pairs %v", r.pairs)
	}
	r.question.Subject = "inet:gone:1"
	if r.answer(true) {
		t.Error("an answer about a milter that is none changes the spec")
	}
}
