package main

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
)

// Answers as flags are read as the same answers: no question gets lost on the command
// line that is printed after a no.
func TestAnswersAsFlags(t *testing.T) {
	var all spec.Answers
	v := reflect.ValueOf(&all).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case string:
			f.SetString("answer " + v.Type().Field(i).Name)
		case []string:
			f.Set(reflect.ValueOf([]string{"one", "and another " + v.Type().Field(i).Name}))
		}
	}
	all.Inbound.SPF, all.Inbound.DMARC, all.Inbound.DNSBL = "mark", "off", []string{"a.example", "b.example"}
	for _, word := range []string{"yes", "no"} {
		all.NewZone, all.Subdomains, all.SPFRedirect, all.SendOnly = word, word, word, word
		var got spec.Answers
		app := &cli.App{Flags: slices.Concat(answerFlags(), inboundFlags("inbound-"), consentFlags()), Action: func(ctx *cli.Context) error {
			got = answers(ctx)
			return nil
		}}
		if err := app.Run(append([]string{"init"}, propose.Flags(all)...)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Error(diff)
		}
	}
	if got := propose.Flags(spec.Answers{Domain: "lab.example"}); len(got) != 2 {
		t.Errorf("flags of what nobody answered: %q", got)
	}
}
