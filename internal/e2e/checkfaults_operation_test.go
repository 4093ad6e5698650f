//go:build e2e

package e2e

// operationFaults are those that package operation finds.
var operationFaults = []checkFault{}
