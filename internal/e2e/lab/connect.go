package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// cable joins two boxes.
type cable struct{ a, b *Box }

// Connect lays a cable between two running boxes of one test: each reaches all
// addresses of the other's Options from its own first one of that family, and
// the world inside each box goes on as before. Give the boxes different
// Addresses and names: the second might be
//
//	lab.Boot(t, lab.Options{Release: release, Hostname: "ns2.lab.example",
//		Addresses: []string{"192.0.2.53/32"}})
//
// A box may be joined to several others. A reboot of either end lays the cable
// anew as soon as the system is up, which is after its daemons began.
func Connect(t T, a, b *Box) {
	t.Helper()
	c := &cable{a, b}
	if err := c.lay(); err != nil {
		t.Fatalf("connect %s and %s: %v", a.Name, b.Name, err)
	}
	a.cables, b.cables = append(a.cables, c), append(b.cables, c)
}

// plug is the name of the interface that leads to a box: at most 15 octets.
func plug(to *Box) string { return "to-" + strings.TrimPrefix(to.Name, "ms-") }

// lay makes the pair of interfaces, one in each network namespace. An old pair
// went with the namespace of the box that was rebooted.
func (c *cable) lay() error {
	argv := []string{
		"link", "add", "name", plug(c.b), "netns", strconv.Itoa(c.a.leader),
		"type", "veth", "peer", "name", plug(c.a), "netns", strconv.Itoa(c.b.leader),
	}
	if out, err := exec.Command("ip", argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(argv, " "), err, out)
	}
	for _, end := range []struct {
		at, to       *Box
		mine, theirs string
	}{{c.a, c.b, "fe80::1", "fe80::2"}, {c.b, c.a, "fe80::2", "fe80::1"}} {
		commands, err := routes(end.at.opts.Addresses, end.to.opts.Addresses, plug(end.to), end.mine, end.theirs)
		if err != nil {
			return err
		}
		cmd := exec.Command("nsenter", "--net=/proc/"+strconv.Itoa(end.at.leader)+"/ns/net", "ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(commands)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip -batch: %w: %s\n%s", err, out, commands)
		}
	}
	return nil
}

// routes are the commands of ip(8) that lead from one box to the other's
// addresses. A host answers ARP for the addresses of all its interfaces, but
// IPv6 neighbour discovery only for those of the one asked, so that IPv6 goes
// by way of link-local addresses.
func routes(ours, theirs []string, dev, mine, next string) (string, error) {
	text := "link set " + dev + " up\naddr add " + mine + "/64 dev " + dev + " nodad\n"
	var from [2]string
	var errs []error
	family := func(cidr string) (addr string, six int) {
		p, err := netip.ParsePrefix(cidr)
		errs = append(errs, err)
		if p.Addr().Is6() {
			six = 1
		}
		return p.Addr().String(), six
	}
	for _, cidr := range ours {
		if addr, six := family(cidr); from[six] == "" {
			from[six] = addr
		}
	}
	for _, cidr := range theirs {
		switch addr, six := family(cidr); {
		case from[six] == "":
		case six == 1:
			text += fmt.Sprintf("route replace %s via %s dev %s src %s\n", addr, next, dev, from[six])
		default:
			text += fmt.Sprintf("route replace %s dev %s src %s\n", addr, dev, from[six])
		}
	}
	return text, errors.Join(errs...)
}

// replug lays the cables of a box that was rebooted, to those boxes that are
// still there.
func (b *Box) replug() error {
	for _, c := range b.cables {
		other := c.a
		if other == b {
			other = c.b
		}
		if _, err := os.Stat("/proc/" + strconv.Itoa(other.leader)); err != nil || other.hold == nil {
			continue
		}
		if err := c.lay(); err != nil {
			return err
		}
	}
	return nil
}
