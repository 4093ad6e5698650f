package plan_test

import (
	"bytes"
	"slices"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

func updatePlan(key string) plan.Plan {
	rec := func(name, value string) state.Record {
		return state.Record{Name: name, Type: "TXT", TTL: 3600, Value: value}
	}
	return plan.Plan{Stages: []plan.StageChanges{{Name: "DNS", Updates: []state.Update{{
		Origin: "example.org.", Server: "192.0.2.53:53", KeyFile: "/etc/update.key", Why: "publish the records that it lacks",
		Add:    []state.Record{rec("s._domainkey.example.org.", "v=DKIM1; p="+key), rec("example.org.", "v=spf1 mx -all")},
		Remove: []state.Record{rec("example.org.", "v=spf1 -all")},
	}}}}}
}

func TestUpdatesAreShown(t *testing.T) {
	var text, summary bytes.Buffer
	if err := updatePlan("AAAA").Text(&text, plan.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	const want = `DNS
  > update example.org. on 192.0.2.53:53
      publish the records that it lacks
      - example.org. 3600 TXT "v=spf1 -all"
      + s._domainkey.example.org. 3600 TXT "v=DKIM1; p=AAAA"
      + example.org. 3600 TXT "v=spf1 mx -all"
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
	if err := updatePlan("AAAA").Summary(&summary, plan.TextOptions{}); err != nil || summary.String() != "  DNS  update example.org. on 192.0.2.53:53\n" {
		t.Errorf("%q, %v", summary.String(), err)
	}
	data, err := asJSON(updatePlan("AAAA"))
	if err != nil || !bytes.Contains(data, []byte(`"server": "192.0.2.53:53"`)) || !bytes.Contains(data, []byte(`"value": "v=spf1 mx -all"`)) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestUpdatesAreCompared(t *testing.T) {
	shown, applied := updatePlan("PLACEHOLDER"), updatePlan("AAAA")
	announce := func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("AAAA"), []byte("PLACEHOLDER"))
	}
	if diff := plan.Differences(shown, applied, announce); len(diff) != 0 {
		t.Errorf("but for the key they are the same: %q", diff)
	}
	if diff := plan.Differences(shown, applied, nil); !slices.Equal(diff, []string{"DNS: other records"}) {
		t.Errorf("got %q", diff)
	}
	if extra := plan.Unannounced(shown, shown); len(extra) != 0 {
		t.Errorf("a plan does not cover itself: %q", extra)
	}
	want := []string{`add to example.org. on 192.0.2.53:53: s._domainkey.example.org. 3600 TXT "v=DKIM1; p=AAAA"`}
	if extra := plan.Unannounced(shown, applied); !slices.Equal(extra, want) {
		t.Errorf("got %q, want %q", extra, want)
	}
}
