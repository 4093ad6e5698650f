package lab

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Image names one of the root file systems that boxes start from.
type Image string

const (
	// Bare is a Debian with BIND and no mail package, which carries the
	// packages of a mail server as files: apt installs them without a network.
	Bare Image = "bare"
	// Mail is Bare with postfix, opendkim and opendkim-tools installed and
	// otherwise as the packages left them.
	Mail Image = "mail"
	// Staged is Mail as most tests want it: BIND serves Origin, as Named has it,
	// the sink takes what is sent, and mailsetup is there, see Install. Hostname
	// and Addresses have to be the usual ones.
	Staged Image = "staged"
	// Signing is Staged on which mailsetup has run, see SigningArgs.
	Signing Image = "signing"
)

// Origin is the domain of the server in Staged and Signing.
const Origin = "lab.example"

// InitArgs set up the server of Staged.
func InitArgs() []string {
	return []string{"init", "--yes", "--domain", Origin, "--ip", "192.0.2.10", "--root-alias", "ann@mail." + Origin}
}

// SigningArgs are those with which mailsetup has made the image Signing. What
// resolvers remember of its keys they forget soon.
func SigningArgs() []string { return append(InitArgs(), "--ttl", "60") }

// below is the image that another one is made from.
var below = map[Image]Image{Mail: Bare, Staged: Mail, Signing: Staged}

// MailPackages are what the Mail image adds to Bare.
func MailPackages() []string { return []string{"postfix", "opendkim", "opendkim-tools"} }

// installed are the packages of a bare image, beyond Debian's minimal set.
const installed = "systemd,systemd-sysv,dbus,libpam-systemd,iproute2,procps,ca-certificates," +
	"bind9,bind9-utils,bind9-dnsutils,python3,python3-dkim"

// carried are groups of packages whose .deb files a bare image holds; each
// group is resolved on its own, because mail servers exclude one another.
func carried() []string {
	return []string{
		strings.Join(MailPackages(), " "),
		// Other mail servers: each would throw the others out.
		"exim4-daemon-light", "exim4-daemon-heavy", "sendmail-bin", "opensmtpd",
		// What stands beside Postfix on real servers.
		"rspamd", "dkimpy-milter", "amavisd-new", "opendmarc", "dbconfig-no-thanks", "postfix-pcre", "postfix-policyd-spf-python",
		"sasl2-bin libsasl2-modules libsasl2-modules-db",
		// Other judges of mail and records.
		"spamassassin libmail-spf-perl",
		// Other name servers.
		"dnsmasq", "unbound", "nsd", "knot", pdnsPackages,
		// What writes resolv.conf.
		"resolvconf", "network-manager", "systemd-resolved",
	}
}

//go:embed customize.sh
var customize string

//go:embed network.service
var networkUnit string

//go:embed network.sh
var networkScript string

//go:embed mail.sh
var mailScript string

// recipe is everything that decides what an image contains.
func recipe(release string, image Image) string {
	bare := strings.Join(append([]string{release, installed, customize, networkUnit, networkScript}, carried()...), "\x00")
	if image != Bare {
		return bare + "\x00" + mailScript + strings.Join(MailPackages(), " ")
	}
	return bare
}

// imageName is RELEASE-IMAGE-HASH: a changed recipe gives another name, and so do
// the contents that the recipe does not tell.
func imageName(release string, image Image, contents ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{recipe(release, image)}, contents...), "\x00")))
	return fmt.Sprintf("%s-%s-%s", release, image, hex.EncodeToString(sum[:6]))
}

// imageName names an image of this source tree.
func (l *Lab) imageName(release string, image Image) (string, error) {
	if image != Staged && image != Signing {
		return imageName(release, image), nil
	}
	z, err := homeZone(Options{}.withDefaults().Addresses)
	if err != nil {
		return "", err
	}
	contents := []string{z.text, namedOptions, sinkUnit}
	for _, pkg := range []string{productPackage, probePackage} {
		program, err := l.program(pkg)
		if err != nil {
			return "", err
		}
		contents = append(contents, program)
	}
	if image == Signing { // a key's name has the month
		contents = append(append(contents, SigningArgs()...), time.Now().UTC().Format(time.DateOnly))
	}
	return imageName(release, image, contents...), nil
}
