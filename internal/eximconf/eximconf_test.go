package eximconf_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/eximconf"
)

func TestValues(t *testing.T) {
	got := eximconf.Values("# dc_x='no'\ndc_eximconfig_configtype='internet'\n dc_use_split_config=\"true\"\nCFILEMODE=644\ndc_empty=''\n")
	for name, want := range map[string]string{"dc_eximconfig_configtype": "internet", "dc_use_split_config": "true", "CFILEMODE": "644", "dc_empty": "", "dc_x": ""} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// Debian's own transport passes macros on, and that is no DKIM of anybody's.
func TestSigningLines(t *testing.T) {
	text := `remote_smtp:
  driver = smtp
.ifdef DKIM_DOMAIN
dkim_domain = DKIM_DOMAIN
.endif
# DKIM_DOMAIN = example.org
DKIM_DOMAIN = example.org
DKIM_SELECTOR == s1
  dkim_private_key = /etc/exim4/dkim.key
DCsmarthost = DKIM_DOMAIN
`
	if got := eximconf.SigningLines(text); !slices.Equal(got, []int{7, 8, 9}) {
		t.Errorf("got %v", got)
	}
}

func TestForProbe(t *testing.T) {
	text := `exim_path = /usr/sbin/exim4
SPOOLDIR = /var/spool/exim4
spool_directory = SPOOLDIR
log_file_path = syslog
begin acl
acl_check_rcpt:
  accept
begin routers
dnslookup:
  driver = dnslookup
  transport = remote_smtp
begin transports
remote_smtp:
  driver = smtp
  hosts_try_auth = <; ${if exists{/etc/exim4/passwd.client} \
        {a} \
        {} \
      }
  hosts_require_tls = *
  dkim_domain = ${lookup{x} \
    lsearch{y}}
begin retry
* * F,2h,15m
`
	got, err := eximconf.ForProbe(text, eximconf.Probe{Spool: "/run/p", Port: 2525})
	want := `spool_directory = /run/p/spool
log_file_path = /run/p/log/%slog
exim_path = /usr/sbin/exim4
SPOOLDIR = /var/spool/exim4
begin acl
acl_check_rcpt:
  accept
begin routers

mailsetup_probe:
  driver = manualroute
  route_list = * 127.0.0.1::2525
  self = send
  transport = remote_smtp
  no_more

dnslookup:
  driver = dnslookup
  transport = remote_smtp
begin transports
remote_smtp:
  driver = smtp
  dkim_domain = ${lookup{x} \
    lsearch{y}}
begin retry
* * F,2h,15m
`
	if err != nil || got != want {
		t.Errorf("%v, got\n%s", err, got)
	}
	if got, err := eximconf.ForProbe("DC_eximconfig_configtype=satellite\nbegin routers\n", eximconf.Probe{}); err != nil || !strings.Contains(got, "transport = remote_smtp_smarthost\n") {
		t.Errorf("%v, by a smarthost\n%s", err, got)
	}
	if _, err := eximconf.ForProbe("exim_path = /x\n", eximconf.Probe{}); err == nil || !strings.Contains(err.Error(), "no routers") {
		t.Errorf("without routers: %v", err)
	}
}

func TestSet(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"# dc_eximconfig_configtype='local'\ndc_eximconfig_configtype='local'\ndc_smarthost=''\n", "# dc_eximconfig_configtype='local'\ndc_eximconfig_configtype='internet'\ndc_smarthost=''\n"},
		{"dc_eximconfig_configtype=none\ndc_eximconfig_configtype='local'", "dc_eximconfig_configtype=none\ndc_eximconfig_configtype='internet'\n"},
		{"dc_smarthost=''", "dc_smarthost=''\ndc_eximconfig_configtype='internet'\n"},
		{"", "dc_eximconfig_configtype='internet'\n"},
	} {
		set := []string{"dc_eximconfig_configtype='internet'"}
		got := eximconf.Set(tt.text, set)
		if got != tt.want || eximconf.Set(got, set) != got {
			t.Errorf("of %q: %q", tt.text, got)
		}
	}
}
