package clock_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/clock"
)

func TestSinceBoot(t *testing.T) {
	a, err := clock.SinceBoot()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	b, err := clock.SinceBoot()
	if err != nil {
		t.Fatal(err)
	}
	if a.Boot != b.Boot || len(a.Boot) != 36 {
		t.Errorf("boots %q and %q", a.Boot, b.Boot)
	}
	if d := a.Sub(b); d < 20*time.Millisecond || d > time.Minute {
		t.Errorf("%v passed, want 20ms and a little", d)
	}
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Skip("no /proc/uptime")
	}
	up, _ := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if d := b.At.Seconds() - up; d > 60 || d < -60 {
		t.Errorf("up for %v, /proc/uptime says %v s", b.At, up)
	}
}
