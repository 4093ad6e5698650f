package system

import (
	"context"
	"errors"
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

// evaluate adds the path to errors, unless the edit names file and line already.
func (ed editor) evaluate(ctx context.Context, e state.Edit, current state.Object) ([]byte, error) {
	out, err := ed.apply(ctx, e, current)
	var unusable *UnusableError
	switch {
	case errors.As(err, &unusable):
		return nil, unusable
	case err != nil:
		return nil, fmt.Errorf("edit %s: %w", e.Target(), err)
	}
	return out, nil
}

func (ed editor) apply(ctx context.Context, e state.Edit, current state.Object) ([]byte, error) {
	if k := current.Kind; k != state.Regular && k != state.Absent {
		return nil, fmt.Errorf("is a %s, not a file", k)
	}
	switch e := e.(type) {
	case state.PostfixEdit:
		return ed.postfix(ctx, e, current)
	case state.MasterEdit:
		return ed.master(ctx, e, current)
	}
	out, handled, err := edits.Evaluate(e, current.Content)
	if err == nil && !handled {
		err = fmt.Errorf("%T is not known here", e)
	}
	return out, err
}
