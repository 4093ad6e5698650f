package milters

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// Ours is our milter, and how to recognise it in a list.
type Ours struct {
	// Milter is what is written: the endpoint and the options that we insist on.
	Milter
	// Former are the endpoints, in Postfix's words, where the same daemon listens until
	// now: an entry with one of them is ours and has to be moved.
	Former []string
	// Queue is queue_directory: where chrooted services see their root.
	Queue state.Path
	// Value is what main.cf says about a parameter, for endpoints that are put
	// together from parameters; nil if nothing is known.
	Value func(parameter string) string
}

// Is reports whether the entry is our daemon. Two spellings of one socket are the same
// endpoint: unix: and local:, relative to the queue directory and absolute, as seen
// from outside or inside Postfix's chroot; localhost and the loopback addresses. An
// entry that is only a parameter ($x) is not.
func (o Ours) Is(m Milter) bool {
	if _, ok := reference(m.Endpoint); ok && !strings.HasPrefix(m.Raw, "{") {
		return false
	}
	is := o.canonical(m.Endpoint)
	return is == o.canonical(o.Endpoint) ||
		slices.ContainsFunc(o.Former, func(f string) bool { return is == o.canonical(f) })
}

// In returns our entry in a list.
func (o Ours) In(value string) (Milter, bool) {
	list, err := Parse(value)
	if err != nil {
		return Milter{}, false
	}
	i := slices.IndexFunc(list, o.Is)
	if i < 0 {
		return Milter{}, false
	}
	return list[i], true
}

// HasFormer reports whether the list has an entry for an endpoint that our daemon is
// about to leave.
func (o Ours) HasFormer(value string) bool {
	list, err := Parse(value)
	return err == nil && slices.ContainsFunc(list, func(m Milter) bool {
		return o.Is(m) && o.canonical(m.Endpoint) != o.canonical(o.Endpoint)
	})
}

var (
	anyReference   = regexp.MustCompile(`\$(?:\w+|\{\w+\}|\(\w+\))`)
	wholeReference = regexp.MustCompile(`^\$(?:(\w+)|\{(\w+)\}|\((\w+)\))$`)
)

// reference returns the name in $name, ${name} or $(name).
func reference(text string) (string, bool) {
	m := wholeReference.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return m[1] + m[2] + m[3], true
}

// References returns the parameters that are elements of a list: a milter in one of
// them is in the list, too.
func References(value string) []string {
	list, err := Parse(value)
	if err != nil {
		return nil
	}
	var names []string
	for _, m := range list {
		if name, ok := reference(m.Endpoint); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// canonical writes a socket file as unix: and a path relative to the queue directory. A
// chrooted service sees that directory as /, so an absolute path counts as relative
// too.
func (o Ours) canonical(endpoint string) string {
	transport, address, found := strings.Cut(o.Expand(endpoint), ":")
	if !found {
		return endpoint
	}
	switch transport = strings.ToLower(transport); transport {
	case "unix", "local":
	case "inet":
		return "inet:" + canonicalHost(strings.ToLower(address))
	default:
		return transport + ":" + strings.ToLower(address)
	}
	if o.Queue != "" {
		address = strings.TrimPrefix(address, string(o.Queue)+"/")
	}
	parts := strings.FieldsFunc(address, func(r rune) bool { return r == '/' })
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "." })
	if len(parts) > 2 && parts[0] == "var" && parts[1] == "run" {
		parts = parts[1:] // a symlink to /run since Debian 7
	}
	return "unix:" + strings.Join(parts, "/")
}

// canonicalHost writes this machine's loopback in one way.
func canonicalHost(address string) string {
	at := strings.LastIndexByte(address, ':')
	host, port := address[:max(at, 0)], address[at+1:]
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		host = "localhost"
	}
	return host + ":" + port
}

// Expand expands parameters in an endpoint.
func (o Ours) Expand(text string) string {
	return Expand(text, func(name string) string {
		if name == "queue_directory" {
			return string(o.Queue)
		}
		if o.Value == nil {
			return ""
		}
		return o.Value(name)
	})
}

// Expand expands parameters, a few levels deep: two may refer to each other.
// Conditionals such as ${name?text} stay as they are.
func Expand(text string, value func(parameter string) string) string {
	for range 5 {
		if !strings.Contains(text, "$") {
			break
		}
		text = anyReference.ReplaceAllStringFunc(text, func(ref string) string {
			name, _ := reference(ref)
			return value(name)
		})
	}
	return text
}

// Listening returns the endpoints by which Postfix may name the Socket of
// opendkim.conf(5). Own are this machine's names and addresses, for an OpenDKIM that
// listens on all of them.
func Listening(socket string, own ...string) []string {
	transport, address, found := strings.Cut(strings.TrimSpace(socket), ":")
	if !found {
		transport, address = "local", transport
	}
	switch strings.ToLower(transport) {
	case "local", "unix":
		if strings.HasPrefix(address, "/") {
			return []string{"unix:" + address}
		}
		return nil
	case "inet", "inet6":
	default:
		return nil
	}
	port, host, _ := strings.Cut(address, "@")
	if port == "" {
		return nil
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	hosts := []string{host}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		hosts = append([]string{"localhost"}, own...)
	}
	var endpoints []string
	for _, h := range hosts {
		if strings.Contains(h, ":") {
			h = "[" + h + "]"
		}
		endpoints = append(endpoints, "inet:"+h+":"+port)
	}
	return endpoints
}
