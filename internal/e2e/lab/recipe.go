package lab

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
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
)

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
		"exim4-daemon-light", "sendmail-bin", "opensmtpd",
		// What stands beside Postfix on real servers.
		"rspamd", "dkimpy-milter", "amavisd-new", "opendmarc", "postfix-pcre", "postfix-policyd-spf-python",
		"sasl2-bin libsasl2-modules libsasl2-modules-db",
		// Other name servers.
		"dnsmasq", "unbound", "nsd", "knot", pdnsPackages,
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
	if image == Mail {
		return bare + "\x00" + mailScript + strings.Join(MailPackages(), " ")
	}
	return bare
}

// imageName is RELEASE-IMAGE-HASH: a changed recipe gives another name.
func imageName(release string, image Image) string {
	sum := sha256.Sum256([]byte(recipe(release, image)))
	return fmt.Sprintf("%s-%s-%s", release, image, hex.EncodeToString(sum[:6]))
}
