#!/bin/sh
# Exim 4.96 (exim4-daemon-light of Debian 12): the SRS of its own, ${srs_encode} and inbound_srs.
#
# The SRS paper, and postsrsd, pysrs and Mail::SRS after it: SRS0=hash=stamp=domain=local with a hash
# in base64 that is compared without regard to case; an address that is rewritten already becomes
# SRS1, so that it does not grow. Local parts keep their case (RFC 5321 2.4).
# Guess: with one secret on all of them, a bounce may come back by any of a domain's servers.
# Seen: postsrsd 1.10, pysrs 1.0.4 and Mail::SRS 0.31 read each other's addresses; nobody reads those
# of Exim, and Exim reads those of nobody. Exim also does not read its own when somebody put it in
# capitals, gives the local part back in small letters, makes an SRS0 in an SRS0, and cannot
# read back a quoted local part that it rewrote.
set -eu
dir=$(mktemp -d)
trap 'kill $daemon 2>/dev/null || true; rm -rf "$dir"' EXIT
daemon=
cd "$dir"
apt-get download -qq exim4-daemon-light=4.96-15+deb12u11 libgnutls-dane0=3.7.9-2+deb12u7 libunbound8=1.17.1-2+deb12u4 libidn12=1.41-1 \
	libevent-2.1-7=2.1.12-stable-8+deb12u1 libnsl2=1.3.0-2 libnss-wrapper=1.1.12-1 postsrsd=1.10-2+b1 python3-srs=1.0.4-2 libmail-srs-perl=0.31-9 \
	libdigest-hmac-perl=1.04+dfsg-2 2>apt.log || { cat apt.log; exit 1; }
for deb in *.deb; do dpkg -x "$deb" root; done
# Exim asks for the account it runs as.
echo 'root:x:0:0::/:/bin/sh
Debian-exim:x:4242:4242::/:/bin/false' >passwd
echo 'root:x:0:
Debian-exim:x:4242:' >group
printf 'primary_hostname = fwd.example\nspool_directory = %s\nlog_file_path = %s/%%slog\nkeep_environment =\n' "$dir" "$dir" >exim.conf
printf secret >secret
port=$((20000 + $$ % 20000))
root/usr/sbin/postsrsd -4 -s secret -d fwd.example -f $port -r $((port + 1)) >postsrsd.log 2>&1 &
daemon=$!
cat >run.py <<'PY'
import glob, os, socket, subprocess, sys, time, urllib.parse
sys.path.insert(0, 'root/usr/lib/python3/dist-packages')
from SRS.Guarded import Guarded
port = int(sys.argv[1])
libs = dict(os.environ, LD_LIBRARY_PATH=':'.join(glob.glob('root/usr/lib/*-linux-gnu')), NSS_WRAPPER_PASSWD='passwd', NSS_WRAPPER_GROUP='group',
            LD_PRELOAD=glob.glob(os.getcwd() + '/root/usr/lib/*-linux-gnu/libnss_wrapper.so')[0])
def exim(text):
    return subprocess.run(['root/usr/sbin/exim4', '-C', os.getcwd() + '/exim.conf', '-be', text], env=libs, capture_output=True, text=True).stdout.strip()
def ask(port, address):
    for _ in range(50):
        try:
            s = socket.create_connection(('127.0.0.1', port))
            break
        except OSError:
            time.sleep(.1)
    s.sendall(f'get {urllib.parse.quote(address, safe="@=+")}\n'.encode())
    code, text = urllib.parse.unquote(s.recv(4096).decode().strip()).split(' ', 1)
    return text if code == '200' else 'no'
def perl(method, *args):
    code = "use lib 'root/usr/share/perl5'; use Mail::SRS; my ($m, @a) = @ARGV; $SIG{__WARN__} = sub {}; print eval { Mail::SRS->new(Secret => ['secret'])->$m(@a) } // 'no'"
    return subprocess.run(['perl', '-e', code, method, *args], capture_output=True, text=True).stdout
def pysrs(address):
    sys.stderr = open(os.devnull, 'w')
    try:
        return Guarded(secret='secret').reverse(address)
    except AssertionError:
        return 'no'
forward = {'Exim': lambda a: exim('${srs_encode {secret}{%s}{fwd.example}}' % a), 'postsrsd': lambda a: ask(port, a),
           'pysrs': lambda a: Guarded(secret='secret').forward(a, 'fwd.example'), 'Mail::SRS': lambda a: perl('forward', a, 'fwd.example')}
reverse = {'Exim': lambda a: exim('${if inbound_srs {${local_part:%s}}{secret}{$srs_recipient}{no}}' % a), 'postsrsd': lambda a: ask(port + 1, a),
           'pysrs': pysrs, 'Mail::SRS': lambda a: perl('reverse', a)}
for writer in forward:
    address = forward[writer]('ann@ex.example')
    print(f'{writer} writes, ' + ', '.join(f'{reader} reads {reverse[reader](address)}' for reader in reverse))
for name in ('Exim', 'postsrsd'):
    address = forward[name]('ann@ex.example')
    print(f'{name}, in capitals:', reverse[name](address.upper()))
    print(f'{name}, Ann.Smith@ex.example:', reverse[name](forward[name]('Ann.Smith@ex.example')))
    print(f'{name}, "ann smith"@ex.example:', reverse[name](forward[name]('"ann smith"@ex.example')))
    again = forward[name]('SRS0=abcd=JT=ex.example=ann@first.example')
    print(f'{name}, a second hop:', again.split('=')[0], '...', again.split('first.example=')[1])
PY
python3 run.py $port >seen
cat seen
cat >expected <<'TXT'
Exim writes, Exim reads ann@ex.example, postsrsd reads no, pysrs reads no, Mail::SRS reads no
postsrsd writes, Exim reads no, postsrsd reads ann@ex.example, pysrs reads ann@ex.example, Mail::SRS reads ann@ex.example
pysrs writes, Exim reads no, postsrsd reads ann@ex.example, pysrs reads ann@ex.example, Mail::SRS reads ann@ex.example
Mail::SRS writes, Exim reads no, postsrsd reads ann@ex.example, pysrs reads ann@ex.example, Mail::SRS reads ann@ex.example
Exim, in capitals: no
Exim, Ann.Smith@ex.example: ann.smith@ex.example
Exim, "ann smith"@ex.example: no
Exim, a second hop: SRS0 ... SRS0=abcd=JT=ex.example=ann@fwd.example
postsrsd, in capitals: ANN@EX.EXAMPLE
postsrsd, Ann.Smith@ex.example: Ann.Smith@ex.example
postsrsd, "ann smith"@ex.example: "ann smith"@ex.example
postsrsd, a second hop: SRS1 ... =abcd=JT=ex.example=ann@fwd.example
TXT
diff expected seen
