//go:build e2e

package e2e

// dmarcFaults are those that package dmarc finds.
var dmarcFaults = []checkFault{}
