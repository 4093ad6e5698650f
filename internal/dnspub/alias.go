// Package dnspub has the earlier names of what dnsclient, dnscheck and nsupdate do.
package dnspub

import (
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/nsupdate"
)

type (
	Client      = dnsclient.Client
	Resolver    = dnsclient.Resolver
	Status      = dnsclient.Status
	Fault       = dnsclient.Fault
	Finding     = dnsclient.Finding
	NameServer  = dnsclient.NameServer
	Cover       = dnsclient.Coverage
	Wanted      = dnscheck.Expected
	View        = dnscheck.Result
	ServerView  = dnscheck.ServerResult
	RecordView  = dnscheck.RecordResult
	Updater     = nsupdate.Client
	Primaries   = nsupdate.Session
	Key         = nsupdate.Key
	Question    = nsupdate.Question
	ServerError = nsupdate.ServerError
)

const (
	Unknown  = dnsclient.Unknown
	Found    = dnsclient.Found
	NoData   = dnsclient.NoData
	NXDomain = dnsclient.NXDomain
	OK       = dnsclient.OK
	NotAsked = dnsclient.NotAsked
	Missing  = dnscheck.Missing
)

var (
	New     = dnsclient.New
	Servers = dnsclient.Servers
	Look    = dnscheck.Check
	ReadKey = nsupdate.ReadKey
)
