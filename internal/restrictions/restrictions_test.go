package restrictions_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/mastercf"
	"mailsetup/internal/restrictions"
	"mailsetup/internal/state"
)

const (
	check = "check_policy_service unix:private/policyd-spf"
	// relayDefault is that of Postfix with a compatibility_level from 1 on.
	relayDefault = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"
	plainMaster  = "smtp inet n - y - - smtpd\n"
)

// server is a Postfix that trusts a network and has users who log in.
func server(t *testing.T, master, relay string) *state.Postfix {
	t.Helper()
	services, err := mastercf.Parse(master)
	if err != nil {
		t.Fatal(err)
	}
	return &state.Postfix{Services: services, Raw: map[string]string{}, Value: map[string]string{
		"smtpd_relay_restrictions": relay, "smtpd_recipient_restrictions": "",
		"mynetworks": "127.0.0.0/8 198.51.100.0/24", "smtpd_sasl_auth_enable": "yes",
	}}
}

// put carries out what Places says; a list that nothing sets gets a line at the end.
func put(main, master string, places []restrictions.Place) (string, string, error) {
	var err error
	for _, p := range places {
		switch {
		case err != nil:
		case len(p.Whole) > 0:
			main += p.Parameter + " = " + strings.Join(append(p.Whole, check), ", ") + "\n"
		case p.Service != "":
			master, err = restrictions.InsertOption(master, p.Service, p.Parameter, p.Index, check)
		default:
			main, err = restrictions.Insert(main, p.Parameter, p.Index, check)
		}
	}
	return main, master, err
}

// back takes the check out again, where put did not add a list.
func back(main, master string, places []restrictions.Place) (string, string, error) {
	var err error
	for _, p := range places {
		switch {
		case err != nil:
		case len(p.Whole) > 0:
			main = strings.TrimSuffix(main, p.Parameter+" = "+strings.Join(append(p.Whole, check), ", ")+"\n")
		case p.Service != "":
			master, err = restrictions.RemoveOption(master, p.Service, p.Parameter, check)
		default:
			main, err = restrictions.Remove(main, p.Parameter, check)
		}
	}
	return main, master, err
}

func TestPlaces(t *testing.T) {
	const debian12 = "compatibility_level = 3.6\n" +
		"smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination\nmyhostname = mail\n"
	for name, c := range map[string]struct {
		main, relay, master  string
		wantMain, wantMaster string // "" for no change
	}{
		"Debian's main.cf": {
			main:     debian12,
			wantMain: strings.Replace(debian12, "defer_unauth_destination", "defer_unauth_destination "+check, 1),
		},
		"the relay list is Postfix's own": {
			main:     "myhostname = mail\n",
			relay:    relayDefault,
			wantMain: "myhostname = mail\nsmtpd_relay_restrictions = " + relayDefault + ", " + check + "\n",
		},
		"recipients alone, the relay list empty": {
			main: "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions =\n    permit_mynetworks,\n    permit_sasl_authenticated,\n" +
				"    # nobody relays\n    reject_unauth_destination,\n    reject_unlisted_recipient,\n    permit\n",
			wantMain: "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions =\n    permit_mynetworks,\n    permit_sasl_authenticated,\n" +
				"    # nobody relays\n    reject_unauth_destination,\n    " + check + ",\n    reject_unlisted_recipient,\n    permit\n",
		},
		"compatibility_level 0": {
			main:     "smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination\n",
			wantMain: "smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, " + check + "\n",
		},
		"both lists": {
			main: debian12 + "smtpd_recipient_restrictions = permit_mynetworks\n\tpermit_sasl_authenticated\n\treject_unauth_destination\n" +
				"\tcheck_policy_service inet:127.0.0.1:10023\n",
			wantMain: debian12 + "smtpd_recipient_restrictions = permit_mynetworks\n\tpermit_sasl_authenticated\n\treject_unauth_destination\n" +
				"\t" + check + "\n\tcheck_policy_service inet:127.0.0.1:10023\n",
		},
		"recipients without a guard": {
			main:     "smtpd_recipient_restrictions = permit_mynetworks, reject_rbl_client zen.example, permit\n" + debian12,
			wantMain: "smtpd_recipient_restrictions = permit_mynetworks, reject_rbl_client zen.example, permit\n" + strings.Replace(debian12, "defer_unauth_destination", "defer_unauth_destination "+check, 1),
		},
		"a class": {
			main: "smtpd_restriction_classes = trusted, guard\ntrusted = permit_mynetworks, permit_sasl_authenticated\nguard = Trusted, reject_unauth_destination\n" +
				"smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = GUARD, reject_non_fqdn_recipient\n",
			wantMain: "smtpd_restriction_classes = trusted, guard\ntrusted = permit_mynetworks, permit_sasl_authenticated\nguard = Trusted, reject_unauth_destination\n" +
				"smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = GUARD, " + check + ", reject_non_fqdn_recipient\n",
		},
		"a class that ends the list": {
			main: "smtpd_restriction_classes = guard\nguard =\n  permit_mynetworks permit_sasl_authenticated\n  reject_unauth_destination\n  permit\n" +
				"smtpd_relay_restrictions = guard\n",
			wantMain: "smtpd_restriction_classes = guard\nguard =\n  permit_mynetworks permit_sasl_authenticated\n  reject_unauth_destination\n  " + check + "\n  permit\n" +
				"smtpd_relay_restrictions = guard\n",
		},
		"a parameter of the administrator's": {
			main:     "trusted = permit_mynetworks, permit_sasl_authenticated\nsmtpd_relay_restrictions = $trusted, reject_unauth_destination\n",
			wantMain: "trusted = permit_mynetworks, permit_sasl_authenticated\nsmtpd_relay_restrictions = $trusted, reject_unauth_destination, " + check + "\n",
		},
		"who logged in passes nowhere": {
			main:     "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n",
			wantMain: "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\nsmtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, " + check + "\n",
		},
		"exceptions for clients": {
			main:     "smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated reject_unauth_destination check_client_access hash:/etc/postfix/friends permit_dnswl_client list.example reject_rbl_client zen.example check_client_access cidr:x\n",
			wantMain: "smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated reject_unauth_destination check_client_access hash:/etc/postfix/friends permit_dnswl_client list.example " + check + " reject_rbl_client zen.example check_client_access cidr:x\n",
		},
		"who logged in passes behind the guard": {
			main:     "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination, reject_rbl_client zen.example, permit_sasl_authenticated, permit\n",
			wantMain: "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination, reject_rbl_client zen.example, permit_sasl_authenticated, " + check + ", permit\n",
		},
		"everything in the list for clients": {
			main: "smtpd_delay_reject = yes\nsmtpd_client_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_rbl_client zen.example\n" + debian12,
			wantMain: "smtpd_delay_reject = yes\nsmtpd_client_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_rbl_client zen.example\n" +
				strings.Replace(debian12, "defer_unauth_destination", "defer_unauth_destination "+check, 1),
		},
		"refused at the end": {
			main:     "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, permit_auth_destination, reject\n",
			wantMain: "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, permit_auth_destination, reject\nsmtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, " + check + "\n",
		},
		"an option of the service": {
			main:       debian12,
			master:     "smtp inet n - y - - smtpd\n  -o smtpd_recipient_restrictions=permit_mynetworks,permit_sasl_authenticated,reject_unauth_destination,permit\n",
			wantMaster: "smtp inet n - y - - smtpd\n  -o smtpd_recipient_restrictions=permit_mynetworks,permit_sasl_authenticated,reject_unauth_destination,check_policy_service,unix:private/policyd-spf,permit\n",
		},
		"an option in braces": {
			main: debian12,
			master: "192.0.2.10:smtp inet n - y - - smtpd\n  -o { smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated\n" +
				"# who relays\n     reject_unauth_destination }\n",
			wantMaster: "192.0.2.10:smtp inet n - y - - smtpd\n  -o { smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated\n" +
				"# who relays\n     reject_unauth_destination " + check + " }\n",
		},
		"behind postscreen": {
			main:     debian12,
			master:   "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\nsubmission inet n - y - - smtpd\n  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n",
			wantMain: strings.Replace(debian12, "defer_unauth_destination", "defer_unauth_destination "+check, 1),
		},
		"no final newline": {
			main:     "smtpd_relay_restrictions =\n\tpermit_mynetworks\n\tpermit_sasl_authenticated\n\treject_unauth_destination",
			wantMain: "smtpd_relay_restrictions =\n\tpermit_mynetworks\n\tpermit_sasl_authenticated\n\treject_unauth_destination\n\t" + check,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.master == "" {
				c.master = plainMaster
			}
			p := server(t, c.master, c.relay)
			config, err := restrictions.Read(p, c.main, check)
			if err != nil {
				t.Fatal(err)
			}
			places, err := config.Places()
			if err != nil || len(places) != 1 {
				t.Fatalf("%v, %v", places, err)
			}
			main, master, err := put(c.main, c.master, places)
			if c.wantMain == "" {
				c.wantMain = c.main
			}
			if c.wantMaster == "" {
				c.wantMaster = c.master
			}
			if err != nil || main != c.wantMain || master != c.wantMaster {
				t.Fatalf("%v\ngot\n%s\n%s\nwant\n%s\n%s", err, main, master, c.wantMain, c.wantMaster)
			}
			if places[0].Whole == nil {
				if again, twice, err := put(main, master, places); err != nil || again != main || twice != master {
					t.Errorf("a second time: %v\n%s\n%s", err, again, twice)
				}
			}
			if first, second, err := back(main, master, places); err != nil || first != c.main || second != c.master {
				t.Errorf("taken out: %v\n%q\n%q", err, first, second)
			}
			found, err := rereads(t, main, master, c.relay)
			if err != nil || len(found) != 1 {
				t.Errorf("found at %v, %v", found, err)
			}
		})
	}
}

// rereads finds the check in the new texts.
func rereads(t *testing.T, main, master, relay string) ([]restrictions.Place, error) {
	config, err := restrictions.Read(server(t, master, relay), main, check)
	if err != nil {
		return nil, err
	}
	return config.Find(func(r restrictions.Restriction) bool { return r.Is(check) })
}

func TestPlacesRefused(t *testing.T) {
	for name, c := range map[string]struct{ main, master, want string }{
		"users who log in would be judged": {
			"# x\nsmtpd_relay_restrictions = permit_mynetworks,\n  reject_unauth_destination\nsmtpd_recipient_restrictions =\n", "",
			"/etc/postfix/main.cf:2: smtpd_relay_restrictions: permit_sasl_authenticated does not stand before reject_unauth_destination, so a check behind it would judge them, too",
		},
		"nothing refuses": {
			"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, permit\n", "",
			"/etc/postfix/main.cf:1: smtpd_relay_restrictions: no place in it or in smtpd_recipient_restrictions is behind what refuses to relay",
		},
		"permitted before anything refuses": {
			"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, permit, reject_unauth_destination\n", "",
			"/etc/postfix/main.cf:1: smtpd_relay_restrictions: no place in it or in smtpd_recipient_restrictions is behind what refuses to relay",
		},
		"only warned of": {
			"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, warn_if_reject reject_unauth_destination\n", "",
			"/etc/postfix/main.cf:1: smtpd_relay_restrictions: no place in it or in smtpd_recipient_restrictions is behind what refuses to relay",
		},
		"a parameter that is not set": {
			"smtpd_relay_restrictions =\n  permit_mynetworks, $guards\n", "",
			"/etc/postfix/main.cf:1: smtpd_relay_restrictions: guards is not set",
		},
		"a loop": {
			"a = $b\nb = $a\nsmtpd_relay_restrictions = $a\n", "",
			"/etc/postfix/main.cf:1: a: refers to itself, which Postfix cannot expand",
		},
		"a condition": {
			"smtpd_relay_restrictions = ${x?reject_unauth_destination}\n", "",
			`/etc/postfix/main.cf:1: smtpd_relay_restrictions: "${x?reject_unauth_destination}" cannot be expanded here`,
		},
		"a wrong word": {
			"smtpd_relay_restrictions = permit_mynetwork, reject_unauth_destination\n", "",
			"/etc/postfix/main.cf:1: smtpd_relay_restrictions: permit_mynetwork is no restriction that is known",
		},
		"no argument": {
			"smtpd_relay_restrictions = check_client_access, reject_unauth_destination\n", "",
			"/etc/postfix/main.cf:1: smtpd_relay_restrictions: check_client_access: its argument is missing",
		},
		"a number sign": {
			"smtpd_relay_restrictions = permit_mynetworks # ours\n", "",
			`/etc/postfix/main.cf:1: smtpd_relay_restrictions: "#" in the middle of a line begins no comment, but is part of the value`,
		},
		"set twice": {
			"smtpd_relay_restrictions = permit_mynetworks\n\nsmtpd_relay_restrictions = reject_unauth_destination\n", "",
			"/etc/postfix/main.cf:3: smtpd_relay_restrictions: set a second time, after line 1",
		},
		"CRLF": {"a = b\r\n", "", "/etc/postfix/main.cf:1: the line ends with a carriage return (CRLF)"},
		"no setting": {
			"permit_mynetworks\n", "", "/etc/postfix/main.cf:1: this is neither a comment nor a setting (name = value)",
		},
		"in the service": {
			"", "smtp inet n - y - - smtpd\n -o smtpd_relay_restrictions=permit_mynetworks,$guard\n",
			"/etc/postfix/master.cf:2: smtp/inet: smtpd_relay_restrictions: guard is not set",
		},
		"a class of several lists that ends them": {
			"smtpd_restriction_classes = guard\nguard = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, permit\n" +
				"smtpd_recipient_restrictions = guard\nsmtpd_relay_restrictions = guard\n", "",
			"/etc/postfix/main.cf:3: smtpd_recipient_restrictions: guard refuses to relay and ends the list, and is used 2 times",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.master == "" {
				c.master = plainMaster
			}
			config, err := restrictions.Read(server(t, c.master, ""), c.main, check)
			if err == nil {
				var places []restrictions.Place
				if places, err = config.Places(); err == nil {
					t.Fatalf("got %v", places)
				}
			}
			if err.Error() != c.want {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
			var at *restrictions.Error
			if !errors.As(err, &at) || at.Hint == "" || len(at.Hints()) != 1 {
				t.Errorf("no hint: %#v", err)
			}
		})
	}
}

// Who trusts nobody but this machine needs nobody to be let pass.
func TestNobodyTrusted(t *testing.T) {
	p := server(t, plainMaster, "")
	p.Value["mynetworks"], p.Value["smtpd_sasl_auth_enable"] = "127.0.0.0/8 [::1]/128", "no"
	config, err := restrictions.Read(p, "smtpd_relay_restrictions = reject_unauth_destination\n", check)
	if err != nil {
		t.Fatal(err)
	}
	places, err := config.Places()
	if got := fmt.Sprint(places); err != nil || got != "[{/etc/postfix/main.cf  smtpd_relay_restrictions 1 1 []}]" {
		t.Errorf("%s, %v", got, err)
	}
}

// A check that the administrator wrote is found wherever it stands, each once.
func TestFind(t *testing.T) {
	const main = "smtpd_client_restrictions = $both\nboth = check_policy_service unix:private/policyd-spf\n" +
		"smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination, Check_Policy_Service unix:private/policyd-spf\n" +
		"smtpd_recipient_restrictions = check_policy_service { unix:private/policyd-spf, timeout=10s }\n"
	config, err := restrictions.Read(server(t, plainMaster+"submission inet n - y - - smtpd -o smtpd_helo_restrictions="+strings.ReplaceAll(check, " ", ",")+"\n", ""), main, check)
	if err != nil {
		t.Fatal(err)
	}
	places, err := config.Find(func(r restrictions.Restriction) bool {
		return r.PolicyServer() == "unix:private/policyd-spf"
	})
	const want = "[{/etc/postfix/main.cf  both 2 0 []} {/etc/postfix/main.cf  smtpd_relay_restrictions 3 2 []} {/etc/postfix/main.cf  smtpd_recipient_restrictions 4 0 []}]"
	if got := fmt.Sprint(places); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
}

// A list that nothing sets is not made, nor one that became shorter filled up.
func TestInsertRefuses(t *testing.T) {
	for _, c := range []struct {
		text  string
		index int
	}{{"", 0}, {"a = b\n", 0}, {"smtpd_relay_restrictions = reject\n", 2}, {"smtpd_relay_restrictions = { reject\n", 0}} {
		if got, err := restrictions.Insert(c.text, restrictions.RelayList, c.index, check); err == nil {
			t.Errorf("%q became %q", c.text, got)
		}
	}
	for _, master := range []string{"", plainMaster, "smtp inet n - y - - smtpd -o smtpd_relay_restrictions=\n"} {
		if got, err := restrictions.InsertOption(master, "smtp/inet", restrictions.RelayList, 1, check); err == nil {
			t.Errorf("%q became %q", master, got)
		}
	}
}
