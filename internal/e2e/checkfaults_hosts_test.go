//go:build e2e

package e2e

// hostsFaults are those that package hosts finds.
var hostsFaults = []checkFault{}
