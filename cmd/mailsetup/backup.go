package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/backup"
	"mailsetup/internal/console"
	"mailsetup/internal/propose"
	"mailsetup/internal/spec"
)

var passphraseFlag = &cli.StringFlag{Name: "passphrase-file", Usage: "`FILE` with the passphrase, that only root can read, or a pipe as in /dev/fd/3 (default: you are asked)"}

func backupCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:      "backup",
		Usage:     "write settings, ledger and private keys into an encrypted file",
		ArgsUsage: "FILE",
		UsageText: "sudo mailsetup backup /root/mail.backup\n" +
			"   asks for a passphrase, and writes what a new server needs to go on\n\n" +
			"sudo mailsetup backup --recipient age1ql3z7hjy54... /root/mail.backup\n" +
			"   encrypts it to a key whose private half is elsewhere: for cron",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if ctx.NArg() != 1 {
				return usage("mailsetup backup /root/mail.backup", "backup takes the file to write")
			}
			return runBackup(ctx.Context, ui{c, modeOptions(ctx)}, backup.Options{
				File: ctx.Args().First(), Overwrite: ctx.Bool("overwrite"), Secrets: secrets(c, ctx), Version: version,
			})
		},
	}, flagGroup{"Flags", []cli.Flag{
		passphraseFlag,
		&cli.StringSliceFlag{Name: "recipient", Usage: "public `KEY` of age(1) or ssh that can open it; repeat for more"},
		&cli.StringSliceFlag{Name: "recipients-file", Usage: "`FILE` with such keys, one a line; repeat for more"},
		&cli.BoolFlag{Name: "overwrite", Usage: "write over a file that is there"},
		&cli.BoolFlag{Name: "json", Usage: "print data"},
		rootFlag(),
	}})
}

// secrets are those that the command line names. A person is asked for a passphrase.
func secrets(c console.Console, ctx *cli.Context) backup.Secrets {
	s := backup.Secrets{
		PassphraseFile: ctx.String("passphrase-file"), Recipients: ctx.StringSlice("recipient"),
		RecipientFiles: ctx.StringSlice("recipients-file"), IdentityFiles: ctx.StringSlice("identity"),
	}
	if c.Interactive && !ctx.Bool("json") {
		s.Ask = c.ReadPassphrase
	}
	return s
}

func runBackup(ctx context.Context, u ui, o backup.Options) error {
	res, err := backup.Write(ctx, u.machine(), o)
	if err == nil && u.o.json {
		return u.print(res)
	}
	fmt.Fprint(u.c.Out, backup.Text(res))
	return err
}

func restoreCommand(c console.Console) *cli.Command {
	return withHelp(&cli.Command{
		Name:      "restore",
		Usage:     "set this server up from a backup, with the same keys",
		ArgsUsage: "FILE",
		UsageText: "sudo mailsetup restore /root/mail.backup\n" +
			"   asks for the passphrase, shows the plan, and does it after your yes\n\n" +
			"sudo mailsetup restore --identity key.txt --dry-run mail.backup\n" +
			"   opens it with a key of age(1), shows the plan and changes nothing",
		Description: "The whole file is read and checked before anything is put in place. Packages\n" +
			"are installed, and it is proven that mail leaves signed, as after init. What\n" +
			"names the old server (its name, its addresses in SPF) is told.",
		OnUsageError: usageError,
		Action: func(ctx *cli.Context) error {
			if ctx.NArg() != 1 {
				return usage("mailsetup restore /root/mail.backup", "restore takes the file that backup wrote")
			}
			return runRestore(ctx.Context, ui{c, modeOptions(ctx)}, ctx.Args().First(), secrets(c, ctx), answers(ctx), ctx.Bool("replace"))
		},
	}, flagGroup{"What opens it", []cli.Flag{
		passphraseFlag,
		&cli.StringSliceFlag{Name: "identity", Usage: "`FILE` with a private key of age(1) or ssh; repeat for more"},
	}}, flagGroup{"What is other here", append(only(answerFlags(), "hostname", "ip", "dns", "root-alias"),
		&cli.BoolFlag{Name: "replace", Usage: "put it in place of other settings and keys that are here"})},
		flagGroup{"What may change that is yours", consentFlags()}, flagGroup{"How to go about it", modeFlags()})
}

func runRestore(ctx context.Context, u ui, file string, s backup.Secrets, a spec.Answers, replace bool) error {
	if err := cmp.Or(checkFlags(a, u.o), u.machine().Allowed()); err != nil {
		return err
	}
	b, err := backup.Open(ctx, file, s)
	if err != nil {
		return err
	}
	p, err := openProvisioner(ctx, u, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	r, err := b.Propose(ctx, p, a, replace, func() *propose.Proposer { return proposer(u, p) })
	if err != nil {
		return err
	}
	return carryOutProposal(ctx, u, p, r, "")
}
