//go:build e2e

package e2e

// transportFaults are those that package transport finds.
var transportFaults = []checkFault{}
