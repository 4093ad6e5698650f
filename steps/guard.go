package steps

import (
	"time"

	"mailsetup/internal/milters"
	"mailsetup/internal/state"
)

// Guard makes mail wait while OpenDKIM restarts on a server that is already
// signing and would otherwise let it out unsigned in those seconds.
func Guard(in Input) (state.Stage, []state.Note, error) {
	p := in.Facts.Postfix
	if p == nil {
		return state.Stage{}, nil, nil
	}
	ours, has := milters.Has(p.Raw["smtpd_milters"], endpoint, p.QueueDirectory)
	if !has || action(ours, p) == "tempfail" {
		return state.Stage{}, nil, nil
	}
	files, err := signerFiles(in)
	if err != nil || signerAction(in, files[0].Content) != state.Restart {
		return state.Stage{}, nil, err
	}
	set, err := mainSettings(in, "tempfail")
	if err != nil {
		return state.Stage{}, nil, err
	}
	stage := postfixStage(in, state.PostfixEdit{
		Path: mainCf, Set: set, Reason: "mail waits while the signer restarts",
	})
	// A session that began before would let its mail out unsigned. An idle one
	// ends after smtpd_timeout, which is five minutes.
	stage.Units[0].Settled = append(stage.Units[0].Settled,
		state.Probe{Kind: state.ProbeSessions, Address: string(mainCf), Within: 6 * time.Minute})
	return stage, nil, nil
}

func action(m milters.Milter, p *state.Postfix) string {
	for _, o := range m.Options {
		if o.Name == "default_action" {
			return o.Value
		}
	}
	return p.Value["milter_default_action"]
}
