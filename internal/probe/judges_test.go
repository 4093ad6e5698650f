package probe

import (
	"context"
	"strings"
	"testing"

	"github.com/emersion/go-milter"
	nettextproto "net/textproto"
)

// judge is a milter that gives mail a result of DMARC, as told by its fields.
type judge struct {
	milter.NoOpMilter
	id, results string
	ignores     bool
	refuses     bool
}

func (j *judge) Headers(_ nettextproto.MIMEHeader, _ *milter.Modifier) (milter.Response, error) {
	if j.ignores {
		return milter.RespAccept, nil
	}
	return milter.RespContinue, nil
}

func (j *judge) Body(m *milter.Modifier) (milter.Response, error) {
	if j.refuses {
		return milter.RespReject, nil
	}
	if j.results == "" {
		return milter.RespAccept, nil
	}
	return milter.RespAccept, m.InsertHeader(1, "Authentication-Results", j.id+"; "+j.results)
}

func TestJudges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		judge judge
		want  string
	}{
		"a result":              {judge{id: "mail.lab.example", results: "dmarc=none (p=none dis=none) header.from=mailsetup.invalid"}, ""},
		"no result of DMARC":    {judge{id: "mail.lab.example", results: "spf=none"}, "a message from outside comes out without a result of DMARC"},
		"nothing":               {judge{}, "a message from outside comes out without a result of DMARC"},
		"strangers are ignored": {judge{ignores: true}, "a message from outside comes out without a result of DMARC"},
		"another name":          {judge{id: "Mail.lab.example", results: "dmarc=none"}, "its result of DMARC stands under the name Mail.lab.example, and Postfix calls itself mail.lab.example"},
		"refuses":               {judge{refuses: true}, "end of message: refused"},
	} {
		address := milterServer(t, func() milter.Milter { own := tt.judge; return &own })
		err := judges(context.Background(), address, "mail.lab.example")
		if got := ""; err != nil {
			got = err.Error()
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: %s", name, got)
			}
		} else if tt.want != "" {
			t.Errorf("%s: no error", name)
		}
	}
}

// A filter judges by more than DMARC, so a refusal is a verdict as well.
func TestFilters(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		judge judge
		want  string
	}{
		"a result":    {judge{id: "mail.lab.example", results: "dmarc=temperror"}, ""},
		"refuses":     {judge{refuses: true}, ""},
		"nothing yet": {judge{}, "a message from outside comes out without a result of DMARC"},
	} {
		address := milterServer(t, func() milter.Milter { own := tt.judge; return &own })
		err := filters(context.Background(), address, "mail.lab.example", "")
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
