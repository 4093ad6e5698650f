//go:build e2e

package e2e

// zoneFaults are those that package zone finds.
var zoneFaults = []checkFault{}
