package stdio

import (
	"context"
	"io"
	"os"
)

// Open opens a file to be read. It ends with the context: to open a pipe waits for
// somebody who writes.
func Open(ctx context.Context, file string) (*os.File, error) {
	return Within(ctx, func() (*os.File, error) { return os.Open(file) })
}

// ReadAll reads to the end of an input, which may be a pipe or a terminal, or until the
// context ends.
func ReadAll(ctx context.Context, r io.Reader) ([]byte, error) {
	return Within(ctx, func() ([]byte, error) { return io.ReadAll(r) })
}

// Within calls f and returns its result, or the end of the context if that comes first.
func Within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
