package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"net/mail"
	"net/netip"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/dkim"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/spfcheck"
)

// resolver asks the box's own name server and nobody else.
func resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, "127.0.0.1:53")
	}}
}

// verify prints what go-msgauth makes of each signature of the message on r.
func verify(r io.Reader) error {
	msg, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	found, err := dkim.VerifyWithOptions(bytes.NewReader(msg), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) { return resolver().LookupTXT(ctx, name+".") },
	})
	if err != nil {
		return err
	}
	selectors, err := selectors(msg)
	if err != nil {
		return err
	}
	out := make([]lab.Verification, len(found))
	for i, v := range found {
		out[i] = lab.Verification{Domain: v.Domain, Selector: selectors[i], HeaderKeys: v.HeaderKeys}
		if v.Err != nil {
			out[i].Err = v.Err.Error()
		}
	}
	return print(out)
}

// selectors are the s= tags of the signatures, in the order of the message.
func selectors(msg []byte) ([]string, error) {
	m, err := mail.ReadMessage(bytes.NewReader(msg))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, field := range m.Header["Dkim-Signature"] {
		selector := ""
		for tag := range strings.SplitSeq(field, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(tag), "s="); ok {
				selector = strings.TrimSpace(v)
			}
		}
		found = append(found, selector)
	}
	return found, nil
}

// checkSPF prints the SPF result for one client and sender.
func checkSPF(args []string) error {
	flags := flag.NewFlagSet("spf", flag.ContinueOnError)
	ip := flags.String("ip", "", "address of the client")
	helo := flags.String("helo", "", "name it greets with")
	from := flags.String("from", "", "envelope sender")
	product := flags.Bool("product", false, "say what the product says instead of the library, of every domain that is named")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *product {
		return productSPF(*ip, flags.Args())
	}
	result, err := spf.CheckHostWithSender(net.ParseIP(*ip), *helo, *from, spf.WithResolver(resolver()))
	out := lab.SPFResult{Result: string(result)}
	if err != nil {
		out.Err = err.Error()
	}
	return print(out)
}

// productSPF prints what the product says of each domain.
func productSPF(ip string, domains []string) error {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	names := spfcheck.NewNames(dnsclient.New("127.0.0.1"))
	said := map[string]string{}
	for _, d := range domains {
		said[d] = string(names.Check(context.Background(), spfcheck.Receiver{}, spfcheck.Client{Address: a, HELO: d, Sender: d}).Result)
	}
	return print(said)
}
