package system

import (
	"context"
	"fmt"

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
	return nil, fmt.Errorf("edit %s: %T is not known here", e.Target(), e)
}
