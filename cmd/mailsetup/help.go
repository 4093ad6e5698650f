package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/text"
)

// flagGroup is a part of a command's flags under a title of its own.
type flagGroup struct {
	title string
	flags []cli.Flag
}

// withHelp adds the flags to a command, and sets its help text: what it does,
// examples, details, flags. The library's own layout is as wide as the longest line.
func withHelp(cmd *cli.Command, groups ...flagGroup) *cli.Command {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", text.Wrap("mailsetup "+cmd.Name+": "+cmd.Usage, text.HelpWidth), text.Indent(cmd.UsageText, 2))
	if cmd.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", cmd.Description)
	}
	for _, g := range groups {
		cmd.Flags = append(cmd.Flags, g.flags...)
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, f := range g.flags {
			b.WriteString(flagHelp(f))
		}
	}
	cmd.CustomHelpTemplate = b.String()
	cmd.Before = refuseEmptyRoot
	return cmd
}

// flagHelp returns the help for one flag: its names, the word in `quotes` for its
// value, and what it does.
func flagHelp(f cli.Flag) string {
	names := slices.Clone(f.Names())
	for i, n := range names {
		names[i] = "--" + n
		if len(n) == 1 {
			names[i] = "-" + n
		}
	}
	usage := ""
	if d, ok := f.(cli.DocGenerationFlag); ok {
		usage = d.GetUsage()
	}
	value := ""
	if before, rest, ok := strings.Cut(usage, "`"); ok {
		word, after, _ := strings.Cut(rest, "`")
		value, usage = " "+word, before+word+after
	}
	return text.HelpRow("  "+strings.Join(names, ", ")+value, usage)
}

// appHelp returns what mailsetup --help prints.
func appHelp(commands []*cli.Command) string {
	var b strings.Builder
	b.WriteString("mailsetup: make a Debian server's mail arrive (DKIM, SPF, DMARC)\n\n" +
		"  sudo mailsetup init\n" +
		"     asks a few questions, shows the plan, and does it after your yes\n\n" +
		"  mailsetup init --domain example.org --ip 192.0.2.10 --dry-run\n" +
		"     shows the plan and stops\n\nCommands:\n")
	for _, c := range commands {
		b.WriteString(text.HelpRow("  "+c.Name, c.Usage))
	}
	b.WriteString("\nFlags:\n" + text.HelpRow("  --help, -h", "help; mailsetup COMMAND --help lists a command's flags") +
		text.HelpRow("  --version, -v", "the version") + "\nExit codes:\n")
	b.WriteString(text.ExitCodes())
	return b.String()
}
