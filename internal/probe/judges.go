package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-milter"

	"mailsetup/internal/state"
)

const (
	// stranger is an address of RFC 5737 in a network that no test of ours uses.
	stranger = "203.0.113.77"
	// nobody is a sender that no domain owns (RFC 6761): nobody asked for reports about it.
	nobody = "probe@mailsetup.invalid"
)

// judges returns an error unless a milter gives a message from outside a result of DMARC,
// under the name of the MTA, to the letter: a reader of results compares it so.
func judges(ctx context.Context, address, name string) error {
	s, err := open(ctx, address)
	if err != nil {
		return err
	}
	defer s.close()
	_ = s.Macros(milter.CodeConn, "j", name, "{daemon_name}", name, "{client_addr}", stranger, "{client_name}", "unknown")
	m := testMessage(nobody, 0)
	if err := s.hello("["+stranger+"]", stranger); err != nil {
		return fmt.Errorf("milter %s: %w", address, err)
	}
	if s.accepted {
		return fmt.Errorf("milter %s: mail from %s is not judged", address, stranger)
	}
	if err := s.send(nobody, &m); err != nil {
		return fmt.Errorf("milter %s: %w", address, err)
	}
	other := ""
	for _, f := range m.fields {
		id, results, _ := strings.Cut(f.value, ";")
		switch {
		case !strings.EqualFold(f.name, "Authentication-Results") || !strings.Contains(results, "dmarc="):
		case strings.TrimSpace(id) == name:
			return nil
		default:
			other = strings.TrimSpace(id)
		}
	}
	if other != "" {
		return fmt.Errorf("milter %s: its result of DMARC stands under the name %s, and Postfix calls itself %s", address, other, name)
	}
	return fmt.Errorf("milter %s: %w", address, errNoResult)
}

// filters returns an error unless rspamd gives such a message a result of DMARC, or refuses
// it: it judges by more than that. The one that answers has read what is in a directory now.
func filters(ctx context.Context, address, name string, dir state.Path) error {
	if dir != "" {
		if err := rereads("/proc", "rspamd", string(dir)); err != nil {
			return err
		}
	}
	if err := judges(ctx, address, name); !errors.As(err, new(refusal)) {
		return err
	}
	return nil
}

var errNoResult = errors.New("a message from outside comes out without a result of DMARC")
