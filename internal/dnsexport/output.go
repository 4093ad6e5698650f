package dnsexport

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/outfile"
	"mailsetup/internal/text"
)

// Print writes the records of a list as the options say: to a file, or else to w.
func (r *Records) Print(w io.Writer, list []Domain, o Options) error {
	if o.Output == "" {
		return r.write(w, list, o)
	}
	if o.isPicture() {
		picture, err := qrPicture(list)
		if err != nil {
			return err
		}
		return o.file().Save(picture)
	}
	var b bytes.Buffer
	if err := r.write(text.NewSafeWriter(&b), list, o); err != nil {
		return err
	}
	return o.file().Save(signed(b.Bytes(), o.Form))
}

func (r *Records) write(w io.Writer, list []Domain, o Options) error {
	if o.Form == "json" {
		return jsondoc.Write(w, Document(list))
	}
	return Write(w, r.input, r.domains, list, o.Form)
}

// file is the one that the options name. It may replace what an earlier run wrote there,
// unless somebody edited that.
func (o Options) file() outfile.File {
	return outfile.File{
		Flag: "--output", Name: o.Output, Remedy: "mv --backup=numbered " + hint.Quote(o.Output, o.Output+".old"),
		WhyKeep: func(content []byte) string {
			body, sum := unsigned(content, o.Form)
			switch {
			case comments[o.Form] == "":
				return "the file is there already, and a file of this form does not tell whether somebody edited it"
			case sum == "":
				return "mailsetup did not write that file, and leaves it alone"
			case sum != checksum(body):
				return "somebody edited that file"
			}
			return ""
		},
	}
}

// comments begin a comment in each form that has some.
var comments = map[string]string{
	"zone": ";", "plain": "#", "paste": "#", "dnsmasq": "#", "nsupdate": ";", "unbound": "#", "powerdns": "#",
	"octodns": "#", "dnscontrol": "//", "terraform": "#",
}

const signature = " Written by mailsetup dns, which replaces this file while nobody edits it: "

// signed returns the content of a file with its checksum in a comment at the end, where
// the form has comments.
func signed(content []byte, form string) []byte {
	if comments[form] == "" {
		return content
	}
	return append(content, comments[form]+signature+checksum(content)+"\n"...)
}

// unsigned returns what comes before the checksum at the end, and that, "" for none.
func unsigned(content []byte, form string) (body []byte, sum string) {
	mark := comments[form] + signature
	at := bytes.LastIndex(content, []byte(mark))
	if at < 0 {
		return content, ""
	}
	return content[:at], strings.TrimSuffix(string(content[at+len(mark):]), "\n")
}

func checksum(content []byte) string {
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%x", sum[:8])
}
