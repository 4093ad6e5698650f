package stdio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A pipe whose reader has gone takes nothing, and whoever writes does not notice.
func TestReaderThatWentAway(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	var lost bytes.Buffer
	o := New(w, func(p []byte) { lost.Write(p) })
	for _, text := range []string{"one\n", "two\n"} {
		if n, err := io.WriteString(o, text); n != 4 || err != nil {
			t.Errorf("write: %d, %v", n, err)
		}
	}
	if err := o.Flush(nil); !errors.Is(err, syscall.EPIPE) || !ReaderGone(err) {
		t.Errorf("error %v", err)
	}
	if lost.String() != "one\ntwo\n" {
		t.Errorf("lost %q", lost.String())
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err) // every Linux has it
	}
	o := New(full, nil)
	if n, err := io.WriteString(o, "result\n"); n != 7 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
	if err := o.Flush(nil); !errors.Is(err, syscall.ENOSPC) || ReaderGone(err) {
		t.Errorf("error %v", err)
	}
}

// A reader that does not read holds nobody up, and misses nothing when it reads
// again: a terminal after Ctrl-S and Ctrl-Q, less(1) on a long report.
func TestReaderThatWaits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := New(w, nil)
	o.patience = 20 * time.Millisecond
	var want strings.Builder
	began := time.Now()
	for i := range 50 {
		text := strings.Repeat(string(rune('a'+i%26)), 10_000)
		want.WriteString(text)
		io.WriteString(o, text)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("50 writes to a reader that waits took %v", took)
	}
	done := make(chan struct{})
	close(done)
	began = time.Now()
	if err := o.Flush(done); err != nil || time.Since(began) > 30*time.Second {
		t.Errorf("told to end: %v after %v", err, time.Since(began))
	}
	got := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		got <- string(text)
	}()
	if err := o.Flush(nil); err != nil {
		t.Error(err)
	}
	w.Close()
	if text := <-got; text != want.String() {
		t.Errorf("%d octets arrived of %d, or in another order", len(text), want.Len())
	}
}

// Two outputs on one terminal keep the order of what is written.
func TestOrderOfTwo(t *testing.T) {
	var mu sync.Mutex
	var seen bytes.Buffer
	both := writer(func(p []byte) (int, error) {
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		return seen.Write(p)
	})
	out, errs := New(both, nil), New(both, nil)
	for range 5 {
		io.WriteString(out, "o")
		io.WriteString(errs, "e")
	}
	if seen.String() != "oeoeoeoeoe" {
		t.Errorf("seen %q", seen.String())
	}
}

// A descriptor that somebody else made non-blocking is tried again.
func TestNotNow(t *testing.T) {
	var seen bytes.Buffer
	calls := 0
	o := New(writer(func(p []byte) (int, error) {
		if calls++; calls < 3 {
			seen.WriteByte(p[0])
			return 1, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EAGAIN}
		}
		return seen.Write(p)
	}), nil)
	io.WriteString(o, "abcdef")
	if err := o.Flush(nil); err != nil || seen.String() != "abcdef" {
		t.Errorf("%q, %v", seen.String(), err)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestLinesForTheLog(t *testing.T) {
	var got []string
	l := newLines(func(line string) { got = append(got, line) })
	for _, p := range []string{"put", "ting back\nOpenDKIM: ", "restart\n\n", "\r[###] 3 of 7\x1b[K", "\r\x1b[Kdone \x1b[31mred\x07\n", "unfinished"} {
		l.add([]byte(p))
	}
	if want := []string{"putting back", "OpenDKIM: restart", "[###] 3 of 7", "done red"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	for range 1000 {
		l.add([]byte("x\n"))
	}
	if len(got) != maxLines {
		t.Errorf("%d lines went to the log", len(got))
	}
}
