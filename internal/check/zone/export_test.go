package zone

import "time"

func init() { transferTime = 1200 * time.Millisecond }
