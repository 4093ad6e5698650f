package check

import (
	"context"
	"path/filepath"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/message"
	"mailsetup/internal/check/subject"
)

// letter is a message whose form and score are judged.
type letter struct {
	about string
	text  []byte
	asked bool // somebody wants to know of this one
}

// letters reads the messages that were named.
func (o Options) letters() ([]letter, error) {
	var list []letter
	for _, name := range o.Messages {
		text, err := message.Read(name)
		if err != nil {
			return nil, err
		}
		list = append(list, letter{filepath.Base(name), text, true})
	}
	return list, nil
}

// messageGroup judges messages that were named.
func messageGroup() group {
	return group{name: "msg", server: func(ctx context.Context, w world, s subject.Server, _ []subject.Domain) finding.Result {
		var r finding.Result
		for _, l := range w.letters {
			r.Findings = append(r.Findings, message.Form(l.text, l.about, s.Now)...)
			if w.wants("msg.bulk") && (message.IsBulk(l.text) || slices.Contains(w.only, "msg.bulk")) {
				r.Findings = append(r.Findings, message.Bulk(l.text, l.about)...)
			}
			if w.wants("msg.score") && w.machine.Image == nil {
				r.Findings = append(r.Findings, message.Score(ctx, w.machine.Sys, l.text, l.about, message.ScoreOptions{Online: w.online, Asked: l.asked})...)
			}
		}
		return r
	}}
}
