//go:build e2e

package e2e

// liveFaults are those that package live finds.
var liveFaults = []checkFault{}
