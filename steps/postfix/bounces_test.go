package postfix_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps/steptest"
)

// TestBounces: bounces get signed, unless somebody else would then read them,
// which is asked for.
func TestBounces(t *testing.T) {
	rspamd := "non_smtpd_milters = inet:127.0.0.1:11332"
	for name, tt := range map[string]struct {
		main    []string
		service state.Service
		answer  string
		want    string // of internal_mail_filter_classes, "" for untouched
		asks    string
	}{
		"nobody else":            {nil, steptest.Service("relay/unix smtp"), "", "bounce", ""},
		"OpenDMARC":              {[]string{"non_smtpd_milters = inet:localhost:8893"}, steptest.Service("relay/unix smtp"), "", "bounce", ""},
		"OpenDKIM of old":        {[]string{"non_smtpd_milters = inet:localhost:8891"}, steptest.Service("relay/unix smtp"), "", "bounce", ""},
		"a milter":               {[]string{rspamd, "internal_mail_filter_classes = notify"}, steptest.Service("relay/unix smtp"), "", "notify, bounce", "inet:127.0.0.1:11332 will then see them"},
		"a milter of both":       {[]string{"smtpd_milters = inet:127.0.0.1:11332", "non_smtpd_milters = $smtpd_milters"}, steptest.Service("relay/unix smtp"), "", "bounce", "inet:127.0.0.1:11332"},
		"a milter, yes":          {[]string{rspamd}, steptest.Service("relay/unix smtp"), "yes", "bounce", ""},
		"a milter, no":           {[]string{rspamd}, steptest.Service("relay/unix smtp"), "no", "", ""},
		"nobody else, no":        {nil, steptest.Service("relay/unix smtp"), "no", "bounce", ""},
		"a milter, listed":       {[]string{rspamd, "internal_mail_filter_classes = bounce"}, steptest.Service("relay/unix smtp"), "", "bounce", ""},
		"header checks":          {[]string{"header_checks = regexp:/x"}, steptest.Service("relay/unix smtp"), "", "bounce", "header_checks will then see them"},
		"checks of cleanup":      {nil, steptest.Service("cleanup/unix cleanup", "body_checks=pcre:/x"), "", "bounce", "body_checks"},
		"checks cleanup has not": {[]string{"body_checks = pcre:/x"}, steptest.Service("cleanup/unix cleanup", "body_checks="), "", "bounce", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := steptest.Tuned(tt.main)
			in.Facts.Postfix.Services = []state.Service{steptest.Service("smtp/inet smtpd"), tt.service}
			in.Spec.Host.SignBounces = tt.answer
			want := steptest.Build(t, in)
			got := ""
			for _, s := range mainSet(steptest.Stage(t, want, "Postfix")) {
				if value, ok := strings.CutPrefix(s, "internal_mail_filter_classes = "); ok {
					got = value
				}
			}
			if got != tt.want {
				t.Errorf("internal_mail_filter_classes = %q, want %q", got, tt.want)
			}
			asks := slices.ContainsFunc(want.Questions, func(q state.Question) bool {
				return q.ID == "bounces" && q.Kind == state.AskBounces && q.Declined == "bounces leave unsigned" && strings.Contains(q.Text, tt.asks)
			})
			if asks != (tt.asks != "") || len(want.Questions) > 1 {
				t.Errorf("questions: %+v", want.Questions)
			}
			settled(t, in, want)
		})
	}
}
