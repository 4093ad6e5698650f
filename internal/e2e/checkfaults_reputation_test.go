//go:build e2e

package e2e

// reputationFaults are those that package reputation finds.
var reputationFaults = []checkFault{}
