package check

import (
	"mailsetup/internal/check/page"
	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
)

// Page is an HTML page of a report.
type Page struct {
	File    string
	Version string // of this program
}

// check reports why the page cannot be written, before anything is looked at.
func (p *Page) check() error {
	if p == nil {
		return nil
	}
	return page.CheckFile(p.File)
}

func (p *Page) save(r report.Report, typed hint.Typed) error {
	if p == nil {
		return nil
	}
	return page.Save(p.File, r, page.Options{Version: p.Version, Typed: typed})
}
