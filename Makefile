# mailsetup: what can be made is listed by `make help`; plain `make` builds.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory

PREFIX   ?= /usr/local
DESTDIR  ?=
# Where zsh looks for functions of packages, and of others.
ZSH       = share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
# Where systemd looks for units: not below any other PREFIX.
UNITS     = $(if $(filter /usr /usr/local,$(PREFIX)),$(PREFIX)/lib,/etc)/systemd/system
# Programs that change records; other people may have put theirs beside them.
HOOKS     = $(PREFIX)/lib/mailsetup/hooks
TIMER     = mailsetup-rotate.timer
PROGRAM  ?= mailsetup
RELEASE  ?= trixie
FUZZTIME ?= 20s
RUN      ?=
# How many end-to-end tests run at a time, at most: a server boots only while the
# processors have room for it. Some tests have two, and twenty servers use up the
# 128 inotify instances that Linux allows a user (inotify(7)).
PARALLEL ?= 10

# Go as its own archive or Debian's backports install it, which sudo leaves out
# of PATH.
export PATH := $(PATH):/usr/local/go/bin:$(HOME)/go/bin
# Stamping needs a repository that belongs to the user; sudo make has none.
export GOFLAGS := -buildvcs=false $(GOFLAGS)

GIT     := git -c safe.directory='*'
VERSION := $(shell $(GIT) describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell $(GIT) rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# What the packages are made of, for whom, and the time of all that is in them.
ARCHES  ?= amd64 arm64
DIST    ?= dist
export SOURCE_DATE_EPOCH ?= $(shell $(GIT) log -1 --format=%ct 2>/dev/null || date +%s)
TOOL    := go tool -modfile=tools/go.mod
LAB     := go run ./internal/e2e/cmd/lab

# What tests need beyond Go; installed on a Debian-like machine when missing.
DEBIAN := mmdebstrap systemd-container debian-archive-keyring iproute2 util-linux tmux less bind9-utils gcc libc6-dev python3
# Looks at the page of mailsetup check: 100 MB, a quarter of a minute. Relatives of Debian
# that do not have it leave that test out, and say so.
BROWSER := chromium-headless-shell

.PHONY: help
help: ## list the targets
	@echo "usage: make [TARGET] [VARIABLE=VALUE]..."
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "variables: RUN=PATTERN (e2e, soak) RELEASE=$(RELEASE) (e2e-shell, demo) FUZZTIME=$(FUZZTIME) PARALLEL=$(PARALLEL) PREFIX=$(PREFIX) DESTDIR="
	@echo "MAILSETUP_KEEP=1 keeps the server of a failed e2e test; MAILSETUP_LAB is where images are cached."

.PHONY: build
build: go ## build ./mailsetup, static (the default)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o mailsetup ./cmd/mailsetup

.PHONY: deb
deb: go ## build Debian packages for amd64 and arm64 in dist/ (ARCHES="amd64")
	@go build -C packaging -o $(abspath $(DIST))/packaging .
	@for arch in $(ARCHES); do dir=$(DIST)/$$arch; rm -rf $$dir; \
	CGO_ENABLED=0 GOARCH=$$arch go build -trimpath -ldflags '$(LDFLAGS)' -o $$dir/mailsetup ./cmd/mailsetup; \
	$(MAKE) -s install DESTDIR=$$dir/root PREFIX=/usr PROGRAM=$$dir/mailsetup >/dev/null; \
	$(DIST)/packaging -root $$dir/root -source . -version '$(VERSION)' -arch $$arch -time $(SOURCE_DATE_EPOCH) -o $(DIST); done

.PHONY: test
test: go ## run the tests: the quick ones, then e2e where possible
	@if $(root_on_debian); then $(MAKE) deps; fi
	@[ -x /usr/bin/python3 ] || echo '*** SKIPPED: tests of the hooks that come with mailsetup, for want of /usr/bin/python3. ***'
	@if command -v gcc >/dev/null; then race=-race; else race=; echo "no gcc: without the race detector"; fi; \
	set -x; go test $$race -vet=off -shuffle=on ./... # make lint vets
	@if why=$$($(no_boot)); then MAILSETUP_TURNS=1 $(MAKE) e2e AGAIN=1; else \
		printf '%s\n' '' '****************************************************************' \
			'*** SKIPPED: all end-to-end tests (booted Debian 12 and 13). ***' \
			"*** Why: $$why" \
			'*** The tests above do not prove that mail leaves signed.    ***' \
			'****************************************************************' ''; fi

.PHONY: lint
lint: go ## gofumpt, go vet and staticcheck; any finding fails
	@echo gofumpt; found=$$($(TOOL) gofumpt -l .); [ -z "$$found" ] || { echo "not formatted (gofumpt -w):"; echo "$$found"; exit 1; }
	go vet -tags e2e ./...
	go vet -C packaging ./...
	$(TOOL) staticcheck -tags e2e ./...

.PHONY: race
race: go ## the quick tests alone, with the race detector, in random order
	go test -race -shuffle=on -count=1 ./...

.PHONY: fuzz
fuzz: go ## run every fuzz target for FUZZTIME
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u); do \
		for target in $$(go test -list '^Fuzz' $$dir | grep '^Fuzz' || true); do \
			echo "--- $$dir $$target for $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir; \
		done; \
	done

.PHONY: soak
soak: go deps images ## the long tests, an hour or more
	MAILSETUP_SOAK=$(or $(MAILSETUP_SOAK),500) go test -count=1 -timeout 1h -run Soak ./internal/keyring ./internal/rotation
	@$(call e2e_run,-timeout 6h -run '$(or $(RUN),Soak)')

.PHONY: bench
bench: go ## judge what was promised of many domains (a quiet machine, an hour)
	@if $(root_on_debian); then $(MAKE) deps images; fi
	@go run ./internal/bench
	@echo; go test -run '^$$' -bench . -benchmem $$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -r -n 1 dirname | sort -u)

.PHONY: golden
golden: go ## rewrite the golden files; look at the diff before committing
	@for dir in $$(grep -rl --include='*_test.go' '"update"' . | xargs -r -n 1 dirname | sort -u); do \
		echo "--- $$dir"; go test -count=1 $$dir -update; done
	@git status --short -- '*testdata*'

.PHONY: e2e
e2e: go deps images ## all tests on booted Debian 12 and on 13, one on 14, as root (RUN=PATTERN)
	@$(call e2e_run,-timeout 80m -skip Soak $(if $(RUN),-run '$(RUN)'))

.PHONY: e2e-shell
e2e-shell: go deps ## a shell in a throw-away Debian server (RELEASE=bookworm|trixie|forky)
	@$(LAB) shell $(RELEASE)

.PHONY: demo
demo: go deps ## see mailsetup set up a throw-away server, as root
	@$(LAB) demo $(RELEASE)

.PHONY: pictures
pictures: go deps ## draw anew what docs/*.svg and docs/report.png show, from a real run
	@$(LAB) pictures $(RELEASE) docs

.PHONY: install
install: ## install the program, manual and completion (below PREFIX), and the schedule
	@if [ -z "$(DESTDIR)" ] && $(packaged); then echo "mailsetup is installed as a Debian package: apt-get remove mailsetup, or install the new package (make deb)."; exit 1; fi
	@[ -x $(PROGRAM) ] || $(MAKE) build
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/mailsetup
	for page in docs/mailsetup*.[1-9]; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page#docs/}; done
	install -D -m 644 internal/completion/mailsetup.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/mailsetup
	install -D -m 644 internal/completion/mailsetup.zsh $(DESTDIR)$(PREFIX)/$(ZSH)/_mailsetup
	install -D -m 644 internal/completion/mailsetup.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/mailsetup.fish
	install -d $(DESTDIR)$(HOOKS)
	install -m 755 $(filter-out %.py,$(wildcard contrib/hooks/*)) $(DESTDIR)$(HOOKS)
	install -m 644 contrib/hooks/mailsetup_hook.py $(DESTDIR)$(HOOKS)
	install -d $(DESTDIR)$(UNITS) $(DESTDIR)/etc/cron.d
	sed 's,@BIN@,$(PREFIX)/bin,' schedule/mailsetup-rotate.service >$(DESTDIR)$(UNITS)/mailsetup-rotate.service
	sed 's,@BIN@,$(PREFIX)/bin,' schedule/mailsetup-check.service >$(DESTDIR)$(UNITS)/mailsetup-check.service
	install -m 644 schedule/mailsetup-check.timer $(DESTDIR)$(UNITS)/mailsetup-check.timer
	sed 's,@BIN@,$(PREFIX)/bin,' schedule/mailsetup.cron >$(DESTDIR)/etc/cron.d/mailsetup
	chmod 644 $(DESTDIR)$(UNITS)/mailsetup-rotate.service $(DESTDIR)$(UNITS)/mailsetup-check.service $(DESTDIR)/etc/cron.d/mailsetup
	@new=$$([ -e $(DESTDIR)$(UNITS)/$(TIMER) ] || echo yes); \
	(set -x; install -m 644 schedule/$(TIMER) $(DESTDIR)$(UNITS)/$(TIMER)); \
	$(systemd_runs) || exit 0; systemctl daemon-reload; \
	case "$$new$$(systemctl is-enabled $(TIMER) 2>/dev/null || true)" in \
		disabled|*masked*) echo "$(TIMER) stays as you left it";; \
		*) (set -x; systemctl enable --now $(TIMER));; esac

.PHONY: uninstall
uninstall: ## remove what install put there; a configured server stays as it is
	@if $(systemd_runs) && ! $(packaged); then (set -x; systemctl disable --now $(TIMER) mailsetup-check.timer || true); fi
	rm -f $(addprefix $(DESTDIR)$(HOOKS)/,$(notdir $(wildcard contrib/hooks/*)))
	@rmdir $(DESTDIR)$(HOOKS) $(DESTDIR)$(dir $(HOOKS)) 2>/dev/null || true # hooks of others stay
	rm -f $(DESTDIR)$(PREFIX)/bin/mailsetup $(DESTDIR)$(PREFIX)/share/man/man[1-9]/mailsetup*.[1-9]
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/mailsetup $(DESTDIR)$(PREFIX)/$(ZSH)/_mailsetup $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/mailsetup.fish
	rm -f $(DESTDIR)$(UNITS)/mailsetup-rotate.service $(DESTDIR)$(UNITS)/$(TIMER)
	rm -f $(DESTDIR)$(UNITS)/mailsetup-check.service $(DESTDIR)$(UNITS)/mailsetup-check.timer
	@if [ -n "$(DESTDIR)" ] || ! $(packaged); then (set -x; rm -f $(DESTDIR)/etc/cron.d/mailsetup); fi
	@if $(systemd_runs); then systemctl daemon-reload; ! $(packaged) || (set -x; systemctl reenable $(TIMER); systemctl restart $(TIMER)); fi

.PHONY: clean
clean: ## remove what was built here; cached e2e images stay
	rm -rf mailsetup dist

# Below: steps of the targets above.

# The Debian package is installed, which has the same units and file of cron.
packaged = { dpkg-query -W -f '$${db:Status-Status}' mailsetup 2>/dev/null | grep -qx installed; }

# What is put below DESTDIR is for another machine.
systemd_runs = [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]

root_on_debian = [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null

# Succeeds where containers can be booted, and says why not elsewhere.
no_boot = { [ "$$(id -u)" = 0 ] || { echo "not root"; false; }; } && \
	{ [ -e /etc/debian_version ] || { echo "not a Debian-like machine"; false; }; } && \
	{ unshare --mount true 2>/dev/null || { echo "this container may not mount file systems"; false; }; }

# One line for each test as it ends, and at the end once more what failed, with its
# output: tests write among each other. Tests run side by side within a package only:
# -p 1 makes their output appear at once. `make test` runs a test that failed once more,
# alone: daemons that start late on a busy machine are no fault of a change. What failed
# at first is printed all the same, and is to be mended.
e2e_run = echo "go test -tags e2e $(1) ./internal/e2e/..."; \
	$(TOOL) gotestsum --format standard-verbose --hide-summary=skipped --packages=./internal/e2e/... \
		$(if $(AGAIN),--rerun-fails=1 --rerun-fails-run-root-test --rerun-fails-max-failures=12) -- \
		-tags e2e -vet=off -count=1 -p 1 -parallel $(PARALLEL) $(1) \
	| { grep --line-buffered -v -e '^=== \(RUN\|PAUSE\|CONT\|NAME\)' -e 'no test files' || true; }

.PHONY: go
go:
	@command -v go >/dev/null || { echo "Go is missing. Install 1.26 or later from https://go.dev/dl/ (unpack it to /usr/local/go)."; exit 1; }

.PHONY: deps
deps:
	@$(root_on_debian) || { echo "This needs root on a Debian-like machine (sudo make ...)."; exit 1; }
	@missing=; for p in $(DEBIAN); do \
		[ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; done; \
	[ -n "$$missing" ] || exit 0; \
	echo "installing:$$missing"; \
	get="apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install $$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$get >/dev/null 2>&1 || { apt-get -qq update && $$get >/dev/null; }
	@command -v $(BROWSER) chromium >/dev/null || { echo "installing: $(BROWSER)"; \
	get="apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install $(BROWSER)"; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$get >/dev/null 2>&1 || { apt-get -qq update && $$get >/dev/null; } || \
		echo "*** SKIPPED: nobody looks at the page of mailsetup check, for want of a Chromium. ***"; }

.PHONY: images
images: go
	@$(LAB) images
