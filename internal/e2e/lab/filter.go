package lab

import (
	"fmt"
	"net"
	"time"
)

const filterUnit = `[Unit]
Description=A content filter
After=network.target

[Service]
ExecStart=%s filter -listen %s -reinject %s
DynamicUser=yes
Restart=on-failure

[Install]
WantedBy=multi-user.target
`

// ContentFilter starts an SMTP content filter in the box that behaves like
// amavisd: it takes mail on listen, adds "X-Virus-Scanned: lab" on top, sends
// it to reinject in the same moment and answers what was answered there. The
// usual addresses are "127.0.0.1:10024" and "127.0.0.1:10025". It offers
// XFORWARD and ignores it. It is the unit lab-filter-PORT and comes back with a
// reboot. Postfix is the test's to set up, as amavis documents it:
//
//	content_filter = smtp-amavis:[127.0.0.1]:10024        (main.cf)
//	smtp-amavis unix - - y - 2 smtp                       (master.cf)
//	  -o smtp_data_done_timeout=1200 -o smtp_send_xforward_command=yes
//	127.0.0.1:10025 inet n - y - - smtpd
//	  -o content_filter= -o mynetworks=127.0.0.0/8 ...
//
// For a filter behind smtpd_proxy_filter the same port will do.
func (b *Box) ContentFilter(t T, listen, reinject string) {
	t.Helper()
	b.probe(t)
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatalf("content filter: %v", err)
	}
	unit := "lab-filter-" + port
	b.Write(t, "/etc/systemd/system/"+unit+".service", fmt.Sprintf(filterUnit, probePath, listen, reinject), 0o644)
	b.Sh(t, "systemctl daemon-reload; systemctl -q enable --now "+unit)
	for range 1200 {
		if out, _, _ := b.Exec(t.Context(), nil, "ss", "-tlnH", "sport = :"+port); out != "" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: the content filter does not listen\n%s", b.Name, b.Run(t, "journalctl", "-u", unit, "-n", "20", "--no-pager"))
}
