package inbound

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsbl"
	"mailsetup/internal/edits"
	"mailsetup/internal/inbound"
	"mailsetup/internal/postconf"
	"mailsetup/internal/restrictions"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

const (
	// class is our restriction class (RESTRICTION_CLASS_README): one word in a list of the
	// administrator's, and what it means in lines of ours.
	class = "mailsetup_inbound"
	// doorBlock is the name of these lines in main.cf.
	doorBlock = "incoming mail"

	classes, replies = "smtpd_restriction_classes", "rbl_reply_maps"
)

// allowFiles are the tables of who passes: clients by address and by name, and senders.
var allowFiles = []state.Path{
	"/etc/postfix/mailsetup-networks.cidr", "/etc/postfix/mailsetup-hosts.regexp", "/etc/postfix/mailsetup-senders.regexp",
}

// Door has Postfix ask the policy service and the block lists, in the list that guards
// its port for other servers, behind what refuses to relay.
func Door(in step.Input) (state.Stage, []state.Note, error) {
	main := content(in, postconf.MainCF)
	_, around, _ := edits.BlockLines(main, doorBlock)
	d := door{in: in, around: around}
	if err := d.read(); err != nil {
		return state.Stage{}, nil, refused(err)
	}
	wanted, err := d.checks()
	switch {
	case err != nil:
		return state.Stage{}, nil, refused(err)
	case len(wanted) > 0:
		err = d.put(wanted)
	case strings.Contains(main, class), strings.Contains(content(in, postconf.MasterCF), class):
		err = d.takeOut()
	}
	if err != nil || len(d.edits) == 0 {
		return state.Stage{}, d.notes, refused(err)
	}
	stage := postfix.Stage(in, d.edits...)
	stage.Files = d.files
	if address := postfix.SMTPAddress(in.Facts); address != "" {
		stage.Units[0].Probes = append(stage.Units[0].Probes, state.Probe{
			Kind: state.ProbeDoor, Address: address, Recipients: []string{"postmaster@" + in.Spec.Host.Hostname}, Within: 40 * time.Second,
		})
	}
	return stage, d.notes, nil
}

// refused returns an error about Postfix's files as a refusal with what to type.
func refused(err error) error {
	var at *restrictions.Error
	if errors.As(err, &at) {
		return step.Refuse(at.Hint, "%v", at)
	}
	return err
}

// door is main.cf while checks are put into it.
type door struct {
	in     step.Input
	around string               // main.cf without our lines
	config *restrictions.Config // nil while Postfix is not installed
	edits  []state.Edit
	files  []state.File
	notes  []state.Note
	// theirChecks are the places where the administrator asks something of it already.
	theirChecks []string
}

func (d *door) read() (err error) {
	p := d.in.Facts.Postfix
	if p == nil || !d.in.Spec.Host.Inbound.On() && !strings.Contains(content(d.in, postconf.MainCF)+content(d.in, postconf.MasterCF), class) {
		return nil
	}
	d.config, err = restrictions.Read(p, d.around, class)
	return err
}

// checks returns what the class has: who passes, block lists, the policy service. What the
// administrator has asked already is not asked twice.
func (d *door) checks() (all []string, err error) {
	policy := d.in.Spec.Host.Inbound
	if guardedByRspamd(d.in) {
		return nil, nil // see DMARC
	}
	for _, text := range policy.DNSBL {
		site, err := dnsbl.Parse(text)
		if err != nil {
			return nil, step.Refuse("mailsetup inbound --dnsbl none", "[inbound] of /etc/mailsetup/host.toml: dnsbl: %v", err)
		}
		check := dnsbl.Restrictions([]dnsbl.Site{site})[0]
		theirs, err := d.theirs(func(r restrictions.Restriction) bool {
			zone, _, _ := strings.Cut(r.Arg, "=")
			return strings.HasPrefix(check, r.Name+" ") && strings.EqualFold(zone, site.Zone)
		})
		if err != nil {
			return nil, err
		}
		if theirs == "" {
			all = append(all, check)
			if cost := dnsbl.Named(site.Zone).Cost; cost != "" && !strings.Contains(content(d.in, postconf.MainCF), site.Zone) {
				d.notes = append(d.notes, state.Note{Topic: "dnsbl", Informational: true, Text: dnsbl.Shown(site.Zone) + " is " + cost})
			}
			continue
		}
		d.notes = append(d.notes, state.Note{Topic: "dnsbl", Informational: true, Text: fmt.Sprintf("%s asks %s already and stays as it is", theirs, site.Shown())})
	}
	if policy.SPF != inbound.Off {
		service, err := otherService(d.in)
		if err != nil {
			return nil, err
		}
		server := "private/" + serviceName(service)
		theirs, err := d.theirs(func(r restrictions.Restriction) bool { return strings.HasSuffix(r.PolicyServer(), server) })
		switch {
		case err != nil:
			return nil, err
		case theirs == "":
			all = append(all, "check_policy_service unix:"+server)
		default:
			d.notes = append(d.notes, state.Note{Topic: "spf", Informational: true, Text: theirs + " asks policyd-spf already and stays as it is"})
		}
	}
	if len(all) > 0 || len(d.theirChecks) > 0 {
		all = append(d.allowed(), all...)
	}
	if len(all) > 0 && len(policy.Allow) > 0 && len(d.theirChecks) > 0 {
		d.notes = append(d.notes, state.Note{Topic: "allow", Informational: true, Text: fmt.Sprintf(
			"who is let past passes at %s: what you have in front of it, or in another list, still judges them (%s)", class, step.Enumerate(d.theirChecks))})
	}
	return all, nil
}

// theirs returns the place of a check of the administrator's, "" if there is none.
func (d *door) theirs(is func(restrictions.Restriction) bool) (string, error) {
	if d.config == nil {
		return "", nil
	}
	found, err := d.config.Find(is)
	if err != nil || len(found) == 0 {
		return "", err
	}
	at := fmt.Sprintf("%s:%d: %s", found[0].Path, found[0].Line, found[0].Parameter)
	d.theirChecks = append(d.theirChecks, at)
	return at, nil
}

// allowed returns the checks that let pass whom the policy lets pass, and makes their
// tables. A client that matches passes what stands behind in the list as well.
func (d *door) allowed() (checks []string) {
	rows := make([][]string, len(allowFiles))
	for _, e := range d.in.Spec.Host.Inbound.Passes() {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(e.Name), "/", `\/`)
		switch e.Kind {
		case inbound.Network:
			rows[0] = append(rows[0], e.Network.String()+" OK")
		case inbound.Host:
			if !strings.HasPrefix(e.Name, ".") {
				pattern = "^" + pattern
			}
			rows[1] = append(rows[1], "/"+pattern+"$/ OK")
		case inbound.Domain:
			rows[2] = append(rows[2], "/@"+pattern+"$/ OK")
		case inbound.Sender:
			rows[2] = append(rows[2], "/^"+pattern+"$/ OK")
		}
	}
	kinds := []string{"check_client_access cidr:", "check_client_access regexp:", "check_sender_access regexp:"}
	for i, p := range allowFiles {
		if len(rows[i]) == 0 {
			continue
		}
		checks = append(checks, kinds[i]+string(p))
		d.files = append(d.files, state.File{
			Path: p, Mode: 0o644, Owner: state.Root, Why: "who passes the checks of incoming mail",
			Content: []byte("# Written by mailsetup: allow in /etc/mailsetup/host.toml\n" + strings.Join(rows[i], "\n") + "\n"),
		})
	}
	return checks
}

// put puts the class where it belongs, and what it means behind all other lines.
func (d *door) put(checks []string) error {
	places := []restrictions.Place{{Path: postconf.MainCF, Parameter: restrictions.RelayList, Index: 3}} // of a main.cf of Debian's
	if d.config != nil {
		var err error
		if places, err = d.config.Places(); err != nil {
			return err
		}
		if len(places) == 0 {
			return step.Refuse("mailsetup inbound --spf off --dnsbl none", "%s: no smtpd listens on port 25 for others, so no mail comes in", postconf.MasterCF)
		}
	}
	var lines []string
	if err := d.addClass(&lines); err != nil {
		return err
	}
	lines = append(lines, class+" =")
	for i, c := range checks {
		lines = append(lines, "    "+c+[]string{",", ""}[min(1, (i+1)/len(checks))])
	}
	shown, err := d.shown()
	if err != nil {
		return err
	}
	lines = append(lines, shown...)
	for _, p := range places {
		if len(p.Whole) > 0 {
			lines = append(lines, p.Parameter+" = "+strings.Join(append(p.Whole, class), ", "))
			continue
		}
		d.edits = append(d.edits, state.RestrictionEdit{
			Path: p.Path, Service: p.Service, Parameter: p.Parameter, Element: class, Index: p.Index, Reason: "incoming mail is checked, behind what refuses to relay",
		})
	}
	d.edits = append(d.edits, state.BlockEdit{Path: postconf.MainCF, Name: doorBlock, Stamp: true, Lines: lines, Reason: "what incoming mail meets"})
	return nil
}

// shown returns the replies to clients of lists whose zone has a key, which nobody is told.
func (d *door) shown() ([]string, error) {
	var sites []dnsbl.Site
	for _, text := range d.in.Spec.Host.Inbound.DNSBL {
		if s, err := dnsbl.Parse(text); err == nil {
			sites = append(sites, s)
		}
	}
	table := dnsbl.ReplyMap(sites)
	switch {
	case table == "":
		return nil, nil
	case sets(d.around, replies):
		return nil, step.Refuse("put "+table+" in front there, and take the line out of [inbound]",
			"%s: %s is set, and the key of a block list would be told to everybody whom it refuses", postconf.MainCF, replies)
	}
	return []string{replies + " = " + table}, nil
}

// addClass adds our class to those of the administrator's, in main.cf and in services that
// have classes of their own.
func (d *door) addClass(lines *[]string) (err error) {
	add := func(path state.Path, service, value string) error {
		list, err := restrictions.Parse(value)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", path, classes, err)
		}
		d.edits = append(d.edits, state.RestrictionEdit{
			Path: path, Service: service, Parameter: classes, Element: class, Index: len(list), Reason: "the class of what incoming mail meets",
		})
		return nil
	}
	if sets(d.around, classes) {
		err = add(postconf.MainCF, "", d.in.Facts.Postfix.Raw[classes])
	} else {
		*lines = append(*lines, classes+" = "+class)
	}
	if d.config == nil {
		return err
	}
	for _, s := range postconf.PublicServices(d.in.Facts.Postfix) {
		if o, own := s.Option(classes); own {
			err = cmp.Or(err, add(postconf.MasterCF, s.Name, o.Value))
		}
	}
	return err
}

// takeOut takes the class out of all lists, and then what it means.
func (d *door) takeOut() error {
	places, err := d.config.Find(func(r restrictions.Restriction) bool { return r.Is(class) })
	if err != nil {
		return err
	}
	if sets(d.around, classes) {
		places = append(places, restrictions.Place{Path: postconf.MainCF, Parameter: classes})
	}
	for _, s := range postconf.PublicServices(d.in.Facts.Postfix) {
		if _, own := s.Option(classes); own {
			places = append(places, restrictions.Place{Path: postconf.MasterCF, Service: s.Name, Parameter: classes})
		}
	}
	why := "incoming mail is no longer checked"
	for _, p := range places {
		e := state.RestrictionEdit{Path: p.Path, Service: p.Service, Parameter: p.Parameter, Element: class, Drop: true, Reason: why}
		if !slices.Contains(d.edits, state.Edit(e)) {
			d.edits = append(d.edits, e)
		}
	}
	d.edits = append(d.edits, state.BlockEdit{Path: postconf.MainCF, Name: doorBlock, Stamp: true, Drop: true, Reason: why})
	return nil
}
