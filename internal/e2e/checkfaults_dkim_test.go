//go:build e2e

package e2e

// dkimFaults are those that package dkim finds.
var dkimFaults = []checkFault{}
