package signers

import (
	"context"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
)

// RspamdOverride is the file that takes precedence in the configuration of rspamd's
// module dkim_signing.
const RspamdOverride state.Path = "/etc/rspamd/override.d/dkim_signing.conf"

// program recognises the program that listens at an address by the name of its process,
// its arguments and its control group, which is named after its unit.
func program(r system.Reader, list []listener, address string) state.Program {
	l, ok := programAt(list, address)
	if !ok {
		return state.Program{}
	}
	p := state.Program{Unit: unitOf(r, l.pid)}
	args := processArgs(r, l.pid)
	name := l.name
	if len(args) > 0 && strings.HasPrefix(path.Base(args[0]), "python") && len(args) > 1 {
		args = args[1:]
		name = path.Base(args[0])
	}
	switch {
	case strings.HasPrefix(name, "rspamd"):
		p.Kind = state.RspamdProgram
	case name == "opendkim":
		p.Kind, p.Conf = state.OtherOpenDKIM, state.Path(confOf(args))
	case name == "opendmarc":
		p.Kind = state.OpenDMARC
	case name == "dkimpy-milter":
		p.Kind, p.Conf = state.DKIMPyMilter, "/etc/dkimpy-milter/dkimpy-milter.conf"
		if len(args) > 1 {
			if conf, err := state.ParsePath(args[1]); err == nil {
				p.Conf = conf
			}
		}
	}
	return p
}

func processArgs(r system.Reader, pid string) []string {
	o, err := r.Read(state.Path("/proc/" + pid + "/cmdline"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(o.Content), "\x00"), "\x00")
}

// unitOf reads cgroup(5) of a process: 0::/system.slice/rspamd.service.
func unitOf(r system.Reader, pid string) string {
	o, err := r.Read(state.Path("/proc/" + pid + "/cgroup"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(o.Content)) {
		if name := path.Base(strings.TrimSpace(line)); strings.HasSuffix(name, ".service") {
			return name
		}
	}
	return ""
}

// keyFile is a key of a domain in a program's configuration.
type keyFile struct{ domain, selector, file string }

// settings are the keys in a program's configuration.
type settings struct {
	keys []keyFile
	// pattern is the path of keys of any domain, with $domain and $selector.
	pattern  string
	selector string // of that path
}

// others returns the domains among the settings that were not asked about.
func (s settings) others(asked []string) []string {
	var names []string
	for _, k := range s.keys {
		if !slices.Contains(asked, k.domain) {
			names = append(names, k.domain)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// candidate returns the key file that should have made a signature.
func (s settings) candidate(sig state.Signature) string {
	for _, k := range s.keys {
		if k.domain == sig.Domain && k.selector == sig.Selector {
			return k.file
		}
	}
	return strings.NewReplacer("$domain", sig.Domain, "$selector", sig.Selector).Replace(s.pattern)
}

// provenKeyFile returns the file of the key that made a signature, "" if that cannot be
// proven: another message is signed, and must verify with the public half of that key.
func (s settings) provenKeyFile(ctx context.Context, r system.Reader, ask Asker, sig state.Signature, address string) state.Path {
	p, err := state.ParsePath(s.candidate(sig))
	if err != nil {
		return ""
	}
	text, err := source.Text(r, p)
	if err != nil || text == nil {
		return ""
	}
	key, err := keygen.Parse(text)
	if err != nil {
		return ""
	}
	name := dnsname.Key(sig.Selector, sig.Domain)
	again, err := ask(ctx, address, sig.From, sig.Client, func(asked string) ([]string, error) {
		if !strings.EqualFold(dnsname.TrimDot(asked), name) {
			return nil, nil
		}
		return []string{keygen.Record(key.Public())}, nil
	})
	made := func(a state.Signature) bool {
		return a.Domain == sig.Domain && a.Selector == sig.Selector && a.Problem == ""
	}
	if err != nil || !slices.ContainsFunc(again, made) {
		return ""
	}
	return p
}

// configured reads a program's configuration as far as it is understood, and finds what
// prevents switching its signing off.
func configured(ctx context.Context, s Source, p *state.Program) settings {
	switch p.Kind {
	case state.RspamdProgram:
		if o, err := s.Read(RspamdOverride); err != nil || o.Kind != state.Absent {
			p.ConflictingFile = RspamdOverride
		}
		return rspamd(ctx, s)
	case state.OtherOpenDKIM:
		setup, err := opendkim.Parse(string(p.Conf), reading(s))
		if err != nil {
			return settings{}
		}
		var out settings
		for _, row := range setup.Rows {
			out.keys = append(out.keys, keyFile{strings.ToLower(row.Domain), strings.ToLower(row.Selector), row.KeyFile})
		}
		return out
	case state.DKIMPyMilter:
		text, err := source.Text(s, p.Conf)
		if err != nil {
			return settings{}
		}
		return dkimpy(string(text))
	}
	return settings{}
}

// rspamd asks rspamd's tool for the effective settings of the module: rspamadm
// configdump, which may resolve names first.
func rspamd(ctx context.Context, r system.Runner) settings {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	res, err := r.Run(ctx, system.Command{Argv: []string{"rspamadm", "configdump", "-j", "dkim_signing"}})
	if err != nil || res.Code != 0 {
		return settings{}
	}
	return rspamdSettings(res.Stdout)
}

// rspamdSettings parses the section dkim_signing of rspamd 3.x as JSON.
func rspamdSettings(text []byte) settings {
	type one struct {
		Selector string `json:"selector"`
		Path     string `json:"path"`
	}
	var section struct {
		one
		Domain map[string]struct {
			one
			Selectors []one `json:"selectors"`
		} `json:"domain"`
	}
	if err := json.Unmarshal(text, &section); err != nil {
		return settings{}
	}
	out := settings{pattern: section.Path, selector: strings.ToLower(section.Selector)}
	for _, domain := range slices.Sorted(maps.Keys(section.Domain)) {
		d := section.Domain[domain]
		for _, k := range append(d.Selectors, d.one) {
			if k.Selector != "" || k.Path != "" {
				file := strings.NewReplacer("$domain", domain, "$selector", k.Selector).Replace(k.Path)
				out.keys = append(out.keys, keyFile{strings.ToLower(domain), strings.ToLower(k.Selector), file})
			}
		}
	}
	return out
}

// dkimpy parses dkimpy-milter.conf(5): name, white space, value. It does not read
// tables of keys.
func dkimpy(text string) settings {
	value := map[string]string{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if f := strings.Fields(line); len(f) > 1 {
			value[strings.ToLower(f[0])] = strings.Join(f[1:], " ")
		}
	}
	var out settings
	for d := range strings.FieldsFuncSeq(value["domain"], func(r rune) bool { return r == ',' || r == ' ' }) {
		out.keys = append(out.keys, keyFile{strings.ToLower(d), strings.ToLower(value["selector"]), value["keyfile"]})
	}
	return out
}
