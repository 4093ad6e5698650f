package check

import (
	"context"
	"path/filepath"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/message"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/livepath"
)

// letters are messages whose form and score are judged: those that were named, or else a
// signed test message of the live path.
type letters struct {
	list  []letter
	named bool
}

type letter struct {
	about string
	text  []byte
}

// named reads the messages that were named.
func (o Options) named() (*letters, error) {
	l := &letters{named: len(o.Messages) > 0}
	for _, name := range o.Messages {
		text, err := message.Read(name)
		if err != nil {
			return nil, err
		}
		l.list = append(l.list, letter{filepath.Base(name), text})
	}
	return l, nil
}

// arrived keeps the first test message by sendmail(1).
func (l *letters) arrived(d livepath.Delivery) {
	if len(l.list) == 0 && d.Way == livepath.Sendmail && !d.EightBit {
		l.list = append(l.list, letter{"test message", d.Data})
	}
}

// messageGroup judges messages.
func messageGroup() group {
	return group{name: "msg", server: func(ctx context.Context, w world, s subject.Server, _ []subject.Domain) finding.Result {
		var r finding.Result
		for _, l := range w.letters.list {
			r.Findings = append(r.Findings, message.Form(l.text, l.about, s.Now)...)
			if w.wants("msg.bulk") && (message.IsBulk(l.text) || w.letters.named && slices.Contains(w.only, "msg.bulk")) {
				r.Findings = append(r.Findings, message.Bulk(l.text, l.about)...)
			}
			if w.wants("msg.score") && w.machine.Image == nil {
				o := message.ScoreOptions{Online: w.online, Asked: w.letters.named || slices.Contains(w.only, "msg.score")}
				if len(s.Egress) > 0 && s.Smarthost == "" {
					o.Address, o.Name = s.Egress[0].Address.String(), s.Name
				}
				r.Findings = append(r.Findings, message.Score(ctx, w.machine.Sys, l.text, l.about, o)...)
			}
		}
		return r
	}}
}
