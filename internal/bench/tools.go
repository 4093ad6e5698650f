package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/zonefile"
)

// each is how long one call takes on average.
func each(times int, do func() error) (time.Duration, error) {
	began := time.Now()
	for range times {
		if err := do(); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / time.Duration(times), nil
}

// tool runs a program of others; ok is false where it is not installed.
func tool(times int, dir string, argv ...string) (d time.Duration, ok bool, err error) {
	if _, err := exec.LookPath(argv[0]); err != nil {
		return 0, false, nil
	}
	d, err = each(times, func() error {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", argv[0], err, bytes.TrimSpace(out))
		}
		return nil
	})
	return d, true, err
}

func makeKey() error {
	_, err := keygen.Generate(2048)
	return err
}

// bigZone is a zone with n address records.
func bigZone(n int) []byte {
	var b bytes.Buffer
	b.WriteString("$TTL 3600\n@ IN SOA ns hostmaster ( 2026112201 3600 600 86400 300 )\n@ IN NS ns\nns IN A 192.0.2.53\n")
	for i := range n {
		fmt.Fprintf(&b, "host%05d IN A 192.0.2.%d ; a comment that stays\n", i, i%250+1)
	}
	return b.Bytes()
}

func zoneEdit(include string) state.ZoneEdit {
	return state.ZoneEdit{
		Path: "/etc/bind/db.lab.example", Origin: "lab.example.", Include: state.Path(include),
		Stamp: "01234567", Now: today,
	}
}

// zoneFiles writes a zone, edited by us, and the fragment it includes.
func zoneFiles(dir string, records int) (zone string, err error) {
	fragment := filepath.Join(dir, "lab.example.zone")
	text := zonefile.Fragment("lab.example", []state.Record{
		{Name: "lab.example.", Type: "TXT", TTL: 3600, Value: "v=spf1 ip4:192.0.2.10 ~all"},
	})
	if err := os.WriteFile(fragment, text, 0o644); err != nil {
		return "", err
	}
	edited, err := zonefile.Apply(zoneEdit(fragment), bigZone(records))
	if err != nil {
		return "", err
	}
	zone = filepath.Join(dir, "db.lab.example")
	return zone, os.WriteFile(zone, edited, 0o644)
}
