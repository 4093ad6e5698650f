package route

import (
	"slices"
	"testing"
)

const (
	smtpOnly = "inline:{[127.83.77.1]=smtp:[127.83.77.1]:24}"
	both     = "inline:{[127.83.77.1]=smtp:[127.83.77.1]:24, relay@[127.83.77.1]=relay:[127.83.77.1]:24}"
)

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		transports  []string
		want        string
	}{
		{"nothing there", "", []string{"smtp", "relay"}, both},
		{"ours stays", both, []string{"smtp", "relay"}, both},
		{"kept behind ours", "hash:/etc/postfix/transport", []string{"smtp"}, smtpOnly + ", hash:/etc/postfix/transport"},
		{"odd text is kept as it is", "hash:$config_directory/a,,  proxy:mysql:/etc/b", []string{"smtp"}, smtpOnly + ", hash:$config_directory/a,,  proxy:mysql:/etc/b"},
		{"a transport more", smtpOnly + ", hash:/a  hash:/b", []string{"smtp", "relay"}, both + ", hash:/a  hash:/b"},
		{"first again", "hash:/a " + smtpOnly + ", hash:/b", []string{"smtp"}, smtpOnly + ", hash:/a hash:/b"},
		{"first again, from the end", "hash:/a, " + smtpOnly, []string{"smtp"}, smtpOnly + ", hash:/a"},
		{"first again, from the end, with a comma left over", "hash:/a\t" + smtpOnly + ",", []string{"smtp"}, smtpOnly + ", hash:/a"},
		{"taken out at the end", "hash:/a, " + smtpOnly, nil, "hash:/a"},
		{"inline of others", "inline:{ {a.example = smtp:[192.0.2.1]}, b.example=smtp:[192.0.2.2] }", []string{"smtp"}, smtpOnly + ", inline:{ {a.example = smtp:[192.0.2.1]}, b.example=smtp:[192.0.2.2] }"},
		{"taken out", both + ", hash:/a", nil, "hash:/a"},
		{"taken out alone", both, nil, ""},
		{"unbalanced braces", "inline:{{a=b", []string{"smtp"}, smtpOnly + ", inline:{{a=b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Merge(tt.value, tt.transports)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if again := Merge(got, tt.transports); again != got {
				t.Errorf("again %s", again)
			}
		})
	}
}

func TestOwn(t *testing.T) {
	for table, want := range map[string]bool{
		smtpOnly: true, both: true, Table([]string{"smtp", "relay", "slow"}): true,
		"inline:{[127.83.77.1]=smtp:[127.83.77.1]:24, a.example=smtp:[192.0.2.1]}":   false, // edited
		"inline:{[127.83.77.1]=smtp:[127.83.77.1]:24,a.example=smtp:[192.0.2.1]}":    false,
		"inline:{{[127.83.77.1]=smtp:[127.83.77.1]:24}, {a.example=smtp:192.0.2.1}}": false,
		"inline:{a.example=smtp:[127.83.77.1]:24}":                                   false, "hash:/etc/postfix/transport": false, "": false,
	} {
		if got := Own(table); got != want {
			t.Errorf("%s: %v", table, got)
		}
	}
}

func TestMaps(t *testing.T) {
	got := Maps("hash:/a, inline:{ {k = a, b}, c=d },\tregexp:/x proxy:mysql:/y")
	want := []string{"hash:/a", "inline:{ {k = a, b}, c=d }", "regexp:/x", "proxy:mysql:/y"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
