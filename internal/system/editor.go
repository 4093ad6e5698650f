package system

import (
	"context"
	"fmt"

	"mailsetup/internal/edits"
	"mailsetup/internal/state"
)

// editor evaluates edits without touching their targets.
type editor struct {
	files   *files
	run     Runner
	scratch string
}

func (ed editor) evaluate(ctx context.Context, e state.Edit, current state.Object) ([]byte, error) {
	if k := current.Kind; k != state.Regular && k != state.Absent {
		return nil, fmt.Errorf("edit %s: is a %s, not a file", e.Target(), k)
	}
	if pe, ok := e.(state.PostfixEdit); ok {
		return ed.postfix(ctx, pe, current)
	}
	out, handled, err := edits.Pure(e, current.Content)
	if err == nil && !handled {
		err = fmt.Errorf("%T is not known here", e)
	}
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", e.Target(), err)
	}
	return out, nil
}
