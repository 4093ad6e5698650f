//go:build e2e

package clock

import (
	"fmt"
	"os"
	"time"
)

// Variable of the environment that says by how much the wall clock and the time since
// boot are ahead of the kernel's, as "8760h 8760h". A test lives through a year so.
const Variable = "MAILSETUP_CLOCK"

func init() {
	var wall, boot string
	if given := os.Getenv(Variable); given == "" {
		return
	} else if _, err := fmt.Sscan(given, &wall, &boot); err != nil {
		panic(fmt.Sprintf("%s=%s: %v", Variable, given, err))
	}
	ahead.wall, ahead.boot = parse(wall), parse(boot)
}

func parse(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", Variable, err))
	}
	return d
}
