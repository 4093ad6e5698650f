package dnsclient

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// All look-ups of a run have one deadline, and its clock stands while a person thinks.
func TestRoomHasOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		r.within = 10 * time.Second
		enter := func() error { return r.enter(t.Context()) }
		for range 4 { // two at a time, two seconds
			if err := errors.Join(enter(), enter()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			r.leave("ns", true, false)
			time.Sleep(time.Second)
			r.leave("ns", true, false)
			time.Sleep(time.Hour)
		}
		if err := enter(); err != nil {
			t.Fatalf("after eight seconds: %v", err)
		}
		time.Sleep(2*time.Second + time.Nanosecond)
		if err := enter(); !errors.Is(err, errNoTime) {
			t.Errorf("after ten seconds: %v", err)
		}
		r.leave("ns", false, true)
		time.Sleep(time.Hour)
		if err := enter(); !errors.Is(err, errNoTime) {
			t.Errorf("later: %v", err)
		}
	})
}

// Somebody who waits is told how it goes on.
func TestRoomSaysHowManyAnswersThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []int
		r := newRoom()
		r.next, r.say = sayAfter, func(answers int) { said = append(said, answers) }
		for range 100 { // a tenth of a second each
			if err := r.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			r.leave("ns", true, false)
			time.Sleep(time.Minute)
		}
		if !slices.Equal(said, []int{20, 70}) {
			t.Errorf("said %v", said)
		}
	})
}

// Who waits for a place when the time is over gets none.
func TestRoomIsClosedToThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		r.within, r.most = time.Second, 1
		if err := r.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		late := make(chan error, 2)
		for range 2 {
			go func() { late <- r.enter(t.Context()) }()
		}
		time.Sleep(2 * time.Second)
		r.leave("ns", true, false)
		for range 2 {
			if err := <-late; !errors.Is(err, errNoTime) {
				t.Errorf("%v", err)
			}
		}
	})
}
