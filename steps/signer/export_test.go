package signer

// What tests from outside need.
var TablesDir = tablesDir

const (
	TheirTmpfiles = theirTmpfiles
	Tmpfiles      = tmpfiles
)
