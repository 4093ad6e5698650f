package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/text"
)

const (
	helpWidth  = 80
	helpColumn = 26 // where what a flag does begins
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
	fmt.Fprintf(&b, "%s\n\n%s\n", text.Wrap("mailsetup "+cmd.Name+": "+cmd.Usage, helpWidth), text.Indent(cmd.UsageText, 2))
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
	return helpRow("  "+strings.Join(names, ", ")+value, usage)
}

// helpRow puts a text beside its head, or below a head that is too long.
func helpRow(head, what string) string {
	what = text.Indent(text.Wrap(what, helpWidth-helpColumn), helpColumn)
	if len(head)+2 > helpColumn {
		return head + "\n" + what + "\n"
	}
	return head + what[len(head):] + "\n"
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
		b.WriteString(helpRow("  "+c.Name, c.Usage))
	}
	b.WriteString("\nFlags:\n" + helpRow("  --help, -h", "help; mailsetup COMMAND --help lists a command's flags") +
		helpRow("  --version, -v", "the version") + "\nExit codes:\n")
	for _, e := range []struct{ code, means string }{
		{"0", "done, or nothing to do"},
		{"1", "failed, and the machine is as it was; also if there was nothing to do and mail does not leave signed or a unit was stopped; of rotate-dkim: domains that are named could not go on, and the others did"},
		{"2", "usage, a wish that makes no sense, or no consent to a change of what is yours; nothing touched"},
		{"3", "--dry-run --exit-code or apply --check found changes, dns --wait or check found problems, all was done but mail does not leave signed or a unit was stopped, or rotate-dkim waits for you or for a name server, or found that records are gone"},
		{"4", "failed, and not fully undone"},
		{"5", "as 0 or 3, but standard output could not be written (a full disk); a reader that went away is no failure"},
		{"130", "interrupted and undone"},
	} {
		b.WriteString(helpRow("  "+e.code, e.means))
	}
	return b.String()
}
