// Command year draws a year that TestSoakYear lived through.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mailsetup/internal/e2e/year"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: year FILE DIRECTORY\nFILE is what TestSoakYear wrote to MAILSETUP_YEAR.")
		os.Exit(2)
	}
	if err := draw(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func draw(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var records []year.Record
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r year.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("%s, line %d: %w", file, len(records)+1, err)
		}
		records = append(records, r)
	}
	if len(records) == 0 {
		return fmt.Errorf("%s is empty", file)
	}
	fmt.Println(year.Summary(records))
	var errs []error
	for name, svg := range map[string]string{"cost": year.Cost(records), "keys": year.Keys(records), "gap": year.Gap(records)} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, "year-"+name+".svg"), []byte(svg), 0o644))
	}
	return errors.Join(errs...)
}
