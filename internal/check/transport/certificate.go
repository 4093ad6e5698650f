package transport

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"mailsetup/internal/check/finding"
)

// fewDays is when a certificate should have been renewed: certbot does a month before
// the end.
const fewDays = 14

// certificates judges the certificates of a host. Nobody looks at them unless a policy
// says so: MTA-STS asks for one that the web would trust (RFC 8461 section 4.2), DANE
// for that of the TLSA record.
func (h mxHost) certificates(roots *x509.CertPool, now time.Time) []finding.Finding {
	var list []finding.Finding
	for _, chain := range h.chains() {
		list = append(list, h.certificate(chain, roots, now))
	}
	return list
}

func (h mxHost) certificate(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) finding.Finding {
	leaf := chain[0]
	f := finding.Finding{ID: "tls.cert", Subject: h.name, Expected: "a certificate for " + h.name + " of an authority that others trust"}
	left := int(leaf.NotAfter.Sub(now).Hours() / 24)
	until := leaf.NotAfter.UTC().Format(time.DateOnly)
	at := now
	if now.After(leaf.NotAfter) { // of whom it is can be told all the same
		at = leaf.NotAfter.Add(-time.Minute)
	}
	untrusted, misnamed := verify(chain, roots, at), leaf.VerifyHostname(h.name)
	switch {
	case untrusted != nil:
		f.Severity, f.Seen = finding.Note, "not of an authority that others trust: "+clip(untrusted.Error())
	case misnamed != nil:
		f.Severity, f.Seen = finding.Note, clip(misnamed.Error())
	case now.After(leaf.NotAfter):
		f.Severity, f.Seen = finding.Warning, "ended on "+until
	case left < fewDays:
		f.Severity, f.Seen = finding.Warning, fmt.Sprintf("ends in %d days, on %s", left, until)
	default:
		f.Severity, f.Seen = finding.OK, "valid until "+until
		return f
	}
	if len(h.enforcing) > 0 && (untrusted != nil || misnamed != nil || now.After(leaf.NotAfter)) {
		f.Severity = finding.Problem
		f.Why = "The MTA-STS policy of " + h.enforcing[0] + " has senders refuse to deliver where the certificate does not convince them."
	}
	if f.Severity != finding.Note {
		f.Remedy = withCertificate(h.name)
		if untrusted == nil && misnamed == nil {
			f.Remedy = h.renewal()
		}
	}
	return f
}

// renewal says how to renew a certificate that is right otherwise.
func (h mxHost) renewal() finding.Remedy {
	if h.certbot {
		return finding.Command("certbot renew && postfix reload && systemctl list-timers certbot.timer")
	}
	return finding.Text("renew it by the way it was made, then:").Command("postfix reload")
}

// verify returns why an authority that is trusted does not stand behind a chain, nil if
// one does.
func verify(chain []*x509.Certificate, roots *x509.CertPool, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		if chain[0].Issuer.String() == chain[0].Subject.String() {
			return errors.New("it is signed by itself")
		}
		return errors.New("its issuer is " + chain[0].Issuer.String())
	}
	return err
}
