# What spfquery of libspf2 1.2.10 (Debian 12; OpenDMARC and Exim use the library) says of SPF
# records. Each line of standard input is CLIENT and RECORD, for MAIL FROM ann@ex.example;
# the zone beside it is ZONE.json (see nameserver.py). Prints what it says, and the names of
# the A records that it asked for.
import json, os, subprocess, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ["spfquery=1.2.10-7.2+b1", "libspf2-2=1.2.10-7.2+b1"]


def sh(*argv, **more):
    return subprocess.run(argv, check=True, **more)


def ask(client, record, zone):
    zone = zone | {"ex.example": {"TXT": [[record[i : i + 255] for i in range(0, len(record), 255)]]}}
    json.dump(zone, open("zone.json", "w"))
    with open("asked", "w") as asked:
        server = subprocess.Popen([sys.executable, here + "/nameserver.py", "zone.json"], stderr=asked)
    while subprocess.run(["ss", "-Hltn", "sport = :53"], capture_output=True, check=True).stdout == b"":
        time.sleep(0.05)
    said = subprocess.run(
        ["root/usr/bin/spfquery.libspf2", "-i", client, "-s", "ann@ex.example", "-h", "mx.ex.example"],
        capture_output=True, text=True, env={"LD_LIBRARY_PATH": "root/usr/lib"}, timeout=60,
    ).stdout.splitlines()
    server.terminate()
    server.wait()
    errors = [line.removeprefix("Error: ") for line in said if line.startswith("Error: ")]
    names = [line.removesuffix(" A\n") for line in open("asked") if line.endswith(" A\n")]
    result = said[0] if said[0] != "StartError" else said[said.index("EndError") + 1].strip("()")
    return result, errors[:1], names


if "LIBSPF2" not in os.environ:
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        sh("apt-get", "download", "-q", *PACKAGES, cwd=d, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for deb in os.listdir(d):
            sh("dpkg", "-x", deb, "root", cwd=d)
        # A network and a resolv.conf of their own.
        sys.exit(subprocess.run(["unshare", "-mn", sys.executable, __file__, *map(os.path.abspath, sys.argv[1:])], cwd=d, env=os.environ | {"LIBSPF2": d}).returncode)

sh("ip", "link", "set", "lo", "up")
open("resolv.conf", "w").write("nameserver 127.0.0.1\n")
sh("mount", "--bind", "resolv.conf", "/etc/resolv.conf")
zone = json.load(open(sys.argv[1])) if len(sys.argv) > 1 else {}
for line in sys.stdin:
    client, record = line.rstrip("\n").split(" ", 1)
    result, errors, names = ask(client, record, zone)
    shown = record if len(record) < 100 else f"{record[:40]} ... {record[-30:]} ({len(record.split()) - 1} terms)"
    print(" ".join([f"{client}: {shown} -> {result}", *[f"({e})" for e in errors], *[f"asked for {n}" for n in names]]))
