#!/bin/sh
# Run inside a booted bare box: turns it into the mail image.
# The arguments are the packages to install.
set -eu
export DEBIAN_FRONTEND=noninteractive
debconf-set-selections <<EOF
postfix postfix/main_mailer_type select Internet Site
postfix postfix/mailname string mail.lab.example
EOF
apt-get install -y -q --no-install-recommends "$@" </dev/null
