//go:build e2e

package e2e

// spfFaults are those that package spf finds.
var spfFaults = []checkFault{}
