package dnsexport

import (
	"fmt"
	"strings"

	"rsc.io/qr"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
)

// keyRecords returns the records of keys, each once: their values are those that nobody
// can type, and a code carries one from this screen to that of a phone or a tablet.
func keyRecords(list []Domain) []state.Record {
	var keys []state.Record
	seen := map[state.Record]bool{}
	for _, d := range list {
		for _, r := range d.Records {
			if dnsname.IsKey(r.Name) && r.Type == "TXT" && !seen[r.Record] {
				seen[r.Record] = true
				keys = append(keys, r.Record)
			}
		}
	}
	return keys
}

// quiet is the width of the light margin of a code, in modules (ISO/IEC 18004).
const quiet = 4

// qrText returns the values of the keys as codes for a terminal with light letters on a
// dark ground.
func qrText(list []Domain) ([]byte, error) {
	var b strings.Builder
	for i, r := range keyRecords(list) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "# %s TXT, %d octets\n", dnsname.TrimDot(r.Name), len(r.Value))
		code, err := qr.Encode(r.Value, qr.L)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dnsname.TrimDot(r.Name), err)
		}
		if width := code.Size + 2*quiet; width > screen {
			fmt.Fprintf(&b, "# Its code has %d columns, which a terminal of %d has no room for: --output FILE.png\n", width, screen)
			continue
		}
		halfBlocks(&b, code)
	}
	return []byte(b.String()), nil
}

// halfBlocks writes a code, two rows of modules a line. Outside of a code all is light.
func halfBlocks(b *strings.Builder, code *qr.Code) {
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			below := y+1 < code.Size+quiet && !code.Black(x, y+1)
			switch above := !code.Black(x, y); {
			case above && below:
				b.WriteString("█")
			case above:
				b.WriteString("▀")
			case below:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString("\n")
	}
}

// qrPicture returns the value of the one key as a picture. A domain has two in a rotation.
func qrPicture(list []Domain) ([]byte, error) {
	keys := keyRecords(list)
	const says = "a picture has room for the code of one key, and there are %d"
	switch {
	case len(keys) == 0:
		return nil, hint.NewUsage("mailsetup dns prints the other records", "there is no record of a key, whose code a picture would have")
	case len(list) > 1 && len(keys) > 1:
		return nil, hint.NewUsage("name one domain; without --output FILE.png there is room for several", says, len(keys))
	case len(keys) > 1:
		return nil, hint.NewUsage("leave --output out: a terminal has room for several", says, len(keys))
	}
	code, err := qr.Encode(keys[0].Value, qr.L)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dnsname.TrimDot(keys[0].Name), err)
	}
	return code.PNG(), nil
}

// isPicture reports whether the options ask for a picture.
func (o Options) isPicture() bool { return o.Form == "qr" && strings.HasSuffix(o.Output, ".png") }
