package finding

// Judged returns in a sentence when a finding of a kind is what, "" if its title says
// it.
func Judged(id string) string { return judged[id] }

// judged has a line for each kind.
var judged = map[string]string{
	"tls.starttls":  "Missing is a note, and a problem where an enforced MTA-STS policy or a TLSA record demands it; offered and failing is a problem.",
	"tls.cert":      "Of nobody whom others trust, for another name or at its end is a note, and a problem under an enforced MTA-STS policy; ending within 14 days is a warning.",
	"tls.version":   "TLS 1.1 or older is a note.",
	"tls.out":       "A level that is empty or none is a problem; to a smarthost a note, or a warning if a password goes there; for other transports a note.",
	"sts.record":    "Missing is a note, a record that senders do not see is a problem.",
	"sts.policy":    "A policy that senders cannot get or use is a problem; one that did not come in time is unknown.",
	"sts.mx":        "An MX that an enforced policy does not name is a problem, in mode testing a note.",
	"sts.mode":      "testing and none are notes.",
	"sts.age":       "Less than a week in mode enforce is a note.",
	"sts.out":       "Never more than a note.",
	"tlsrpt.record": "Missing is a note, a record that senders do not see is a problem.",
	"tlsrpt.send":   "Enabled without a socket is a warning, else a note.",
	"dane.match":    "No TLSA record, or one in an unsigned zone, is a note; records in a signed zone of which none is of the key in use are a problem.",
	"dane.rollover": "One record of a key that certbot will not keep is a warning.",
	"dane.usage":    "Usages 0 and 1, and the whole certificate instead of its key, are warnings.",
	"caa":           "Records that forbid the authority of the certificate in use are a warning; of authorities that are not known nothing is said.",
	"bl.health":     "A list that is dead, refuses or lists everything is unknown.",
	"bl.ip":         "A problem for lists by which many receivers refuse, a warning for others.",
	"bl.code":       "An answer that is no listing is unknown.",
	"bl.class":      "Never more than a note.",
	"bl.domain":     "A problem; beyond 50 domains public lists are not asked.",
}
