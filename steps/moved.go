package steps

import (
	"slices"

	"mailsetup/internal/state"
	"mailsetup/steps/daemons"
	"mailsetup/steps/dns"
	"mailsetup/steps/keys"
	"mailsetup/steps/postfix"
	"mailsetup/steps/recipients"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// What has moved, under its old name.
var (
	Addressees     = recipients.Addressees
	AliasesText    = recipients.AliasesText
	Authorisations = records.ReportConsentNames
	BeginsToSign   = postfix.BeginsToSign
)

const Conf = signer.ConfFile

var (
	Copies      = dns.Copies
	DroppedZone = dns.DroppedZone
	Fragment    = dns.Fragment
)

const FragmentDir = dns.FragmentDir

var (
	FragmentStamp = dns.FragmentStamp
	FragmentsOf   = dns.FragmentsOf
	Further       = postfix.OtherDomains
	Halted        = daemons.Halted
)

type Input = step.Input

const KeyDir = signer.KeyDir

var KeyFile = signer.KeyFile

const KeyTable = signer.KeyTable

var (
	KeysAfter  = keys.After
	Lives      = LifetimeWarnings
	MailRoutes = recipients.MailRoutes
	Mailname   = signer.Mailname
	Missing    = records.ExplainMissing
)

const OpenAll = records.OpenAll

var (
	OtherMilters    = postfix.OtherMilters
	Planned         = records.Planned
	PostfixSettings = postfix.Settings
	Printed         = dns.Printed
	Proof           = signer.Proof
	Published       = dns.Published
	Read            = recipients.WithoutUnread
)

type Refusal = step.Refusal

var (
	Requests     = dns.Requests
	RevokeByHand = records.RevocationNote
	Senders      = signer.Senders
	Served       = dns.Served
	Sharing      = dns.Sharing
	SignerConf   = signer.DefaultConf
)

const SigningTable = signer.SigningTable

type Step = step.Step

var (
	Sum      = dns.Fingerprint
	TakenKey = postfix.TakenKey
	Texts    = records.TXTRecords
)

const TrustedHosts = signer.TrustedHosts

var (
	TrustedNetworks  = signer.TrustedNetworks
	Unread           = recipients.Unread
	UnreadSince      = recipients.UnreadSince
	Watched          = dns.Watched
	WithoutSizeLimit = records.WithoutSizeLimit
	Zone             = dns.Publish
	ZoneFiles        = dns.ZoneFiles
)

var WithoutFile = step.WithoutFile

// Leaving is Input.Leaving.
func Leaving(in Input) []string { return in.Leaving() }

// Rotation and Withdrawal under their old names.
var (
	Rotating = Rotation
	Ending   = Withdrawal
)

// Some is Build for a caller that does not say whether it is about a rotation.
func Some(list []step.Step, in step.Input) (state.State, error) {
	takes := func(name string) bool {
		return slices.ContainsFunc(list, func(s step.Step) bool { return s.Name == name })
	}
	in.KeysOnly = takes(recordKeys.Name) && !takes(writeSpec.Name)
	return Build(list, in)
}
