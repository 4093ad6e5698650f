package opendmarc

import (
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/state"
)

// Block is the name of our lines at the end of the configuration.
const Block = "DMARC"

// Where things are.
const (
	ConfFile state.Path = "/etc/opendmarc.conf"
	// Suffixes is the list of public suffixes that Debian's file names.
	Suffixes state.Path = "/usr/share/publicsuffix/public_suffix_list.dat"
	// SocketBelowQueue is the socket that we make, seen from queue_directory of Postfix.
	SocketBelowQueue = "opendmarc/opendmarc.sock"

	stockSocket = "local:/run/opendmarc/opendmarc.sock" // in a directory that Postfix cannot enter
	pidFile     = "/run/opendmarc/opendmarc.pid"
)

// Want is what a configuration should do. Whatever it says of refusing, mail is marked
// only: behind a verifier that may be silent, a refusal would lose good mail for good.
type Want struct {
	// Name is what Postfix calls itself, to the letter: OpenDMARC compares the names of
	// results with it so.
	Name string
	// Socket is where to listen, in OpenDMARC's words, unless it listens on a port of the
	// loopback already.
	Socket string
	// Queue is queue_directory of Postfix, below which it reaches every socket.
	Queue string
	// Asked: Postfix asks OpenDMARC where it listens already.
	Asked bool
	// Hosts is the file of clients that are not judged.
	Hosts string
	// Senders are domains in From: whose mail is not judged.
	Senders []string
}

// Decision is a line of the administrator's that stands against what is wanted.
type Decision struct {
	Setting
	Why    string
	Wanted string // "" where no line behind it mends that
}

// Settings returns the lines that a configuration lacks, to stand behind all others, where
// they count, and the decisions of the administrator that they would overrule.
func (w Want) Settings(c Conf) (lines []state.Setting, against []Decision) {
	set := func(name, value string) { lines = append(lines, state.Setting{Name: name, Value: value}) }
	refuse := func(name, wanted, why string) {
		s, _ := c.Get(name)
		against = append(against, Decision{s, why, wanted})
		if wanted != "" {
			set(s.Name, wanted)
		}
	}
	// Without the first two, a header that comes along from outside decides.
	for _, name := range []string{"SPFSelfValidate", "SPFIgnoreResults", "IgnoreAuthenticatedClients"} {
		if !c.Yes(name) {
			set(name, "true")
		}
	}
	for _, o := range []struct{ name, why string }{
		{"RejectFailures", "refuses well signed mail for good while a key cannot be looked up"},
		{"HoldQuarantinedMessages", "holds mail back until somebody looks for it"},
		{"RequiredHeaders", "refuses mail for the form of its header"},
		{"RejectMultiValueFrom", "refuses mail for the form of its header"},
	} {
		if c.Yes(o.name) {
			refuse(o.name, "false", o.why)
		}
	}
	if s, ok := c.Get("ChangeRootDirectory"); ok {
		refuse(s.Name, "", "makes OpenDMARC see other files under the same names")
	}
	if s, ok := c.Get("AuthservID"); ok && s.Value != w.Name {
		refuse(s.Name, w.Name, "is not what Postfix calls itself, "+w.Name+", to the letter, so results of DKIM do not count")
	}
	if s, ok := c.Get("TrustedAuthservIDs"); ok && !slices.Contains(c.list(s.Name), w.Name) {
		refuse(s.Name, strings.Join(append(c.list(s.Name), w.Name), ","), "lacks what Postfix calls itself, "+w.Name+", so results of DKIM do not count")
	}
	switch s, ok := c.Get("IgnoreHosts"); {
	case !ok:
		set("IgnoreHosts", w.Hosts)
	case s.Value != w.Hosts:
		refuse(s.Name, w.Hosts, "is a list of its own, which no longer counts; what is in it can stand in allow of [inbound]")
	}
	w.listen(c, set, refuse)
	if c.Value("PublicSuffixList") == "" {
		set("PublicSuffixList", string(Suffixes))
	}
	senders := c.list("IgnoreMailFrom")
	if more := distinct(slices.Concat(senders, w.Senders)); len(more) > len(distinct(senders)) {
		set("IgnoreMailFrom", strings.Join(more, ","))
	}
	slices.SortFunc(against, func(a, b Decision) int { return a.Line - b.Line })
	return lines, against
}

// listen says where the daemon listens, and that its socket is one for Postfix.
func (w Want) listen(c Conf, set func(name, value string), refuse func(name, wanted, why string)) {
	if s, ok := c.Get("PidFile"); !ok || strings.TrimPrefix(s.Value, "/var") != pidFile {
		set("PidFile", pidFile) // its unit waits for that one
	}
	switch socket := c.Value("Socket"); {
	case w.Asked, IsReached(socket, w.Queue) && socket != w.Socket:
		return // as somebody arranged it
	case !slices.Contains([]string{"", stockSocket, "local:/var/run/opendmarc/opendmarc.sock", w.Socket}, socket):
		refuse("Socket", w.Socket, "is neither a port of 127.0.0.1 nor a socket below "+w.Queue+", where Postfix reaches it")
	case socket != w.Socket:
		set("Socket", w.Socket)
	}
	mask, err := strconv.ParseInt(c.Value("UMask"), 0, 32)
	if err != nil || mask&0o020 != 0 || mask&0o002 == 0 {
		set("UMask", "0002")
	}
}

// onLoopback reports whether a socket is a port of this machine that nobody else reaches.
func onLoopback(socket string) bool {
	kind, rest, _ := strings.Cut(socket, ":")
	_, host, ok := strings.Cut(rest, "@")
	return ok && (kind == "inet" || kind == "inet6") && slices.Contains([]string{"localhost", "127.0.0.1", "[127.0.0.1]", "::1", "[::1]"}, host)
}

// distinct returns the entries of a list, each once.
func distinct(list []string) []string {
	var all []string
	for _, e := range list {
		if !slices.ContainsFunc(all, func(o string) bool { return strings.EqualFold(o, e) }) {
			all = append(all, e)
		}
	}
	return all
}

// UnknownSuffixes returns the last labels of names that a list of public suffixes
// (publicsuffix.org) has no rule for: below those OpenDMARC looks for a policy at the very
// name alone.
func UnknownSuffixes(list string, names []string) []string {
	known := map[string]bool{}
	for line := range strings.Lines(list) {
		rule := strings.TrimPrefix(strings.TrimSpace(line), "*.")
		if rule != "" && !strings.HasPrefix(rule, "//") {
			known[rule[strings.LastIndexByte(rule, '.')+1:]] = true
		}
	}
	var all []string
	for _, n := range names {
		if tld := n[strings.LastIndexByte(n, '.')+1:]; !known[tld] && !slices.Contains(all, tld) {
			all = append(all, tld)
		}
	}
	return all
}

// IsReached reports whether Postfix reaches a socket, whatever its services see as root.
func IsReached(socket, queue string) bool {
	return onLoopback(socket) || strings.HasPrefix(socket, "local:"+queue+"/")
}
