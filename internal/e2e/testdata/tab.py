# Types lines into a shell on a terminal, with Tab at the end, and wants to see each
# become another one: tab.py SHELL... -- TYPED WANTED [TYPED WANTED...]
import os, pty, re, select, sys, time

split = sys.argv.index("--")
shell, pairs = sys.argv[1:split], sys.argv[split + 1:]
pid, term = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", PS1="$ ", COLUMNS="200", LINES="50")
    os.execvp(shell[0], shell)
shown = ""


def read(seconds):
    global shown
    if select.select([term], [], [], seconds)[0]:
        data = os.read(term, 65536).decode(errors="replace")
        if "\x1b[c" in data or "\x1b[0c" in data:  # fish asks what the terminal is
            os.write(term, b"\x1b[?62c")
        shown += re.sub(r"\x1b\[[0-9;?>=]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07]*\x07|[\x00-\x08\x0b-\x1f]", "", data)


def see(wanted, seconds=60):
    end = time.time() + seconds
    while wanted not in shown:
        if time.time() > end:
            sys.exit("no %r within a minute on\n%s" % (wanted, shown))
        read(0.2)


def type(text):
    os.write(term, text.encode())


type("echo rea''dy\r")
see("ready")
for typed, wanted in zip(pairs[::2], pairs[1::2]):
    shown = ""
    type(typed)
    for _ in range(5):
        read(0.1)
    shown = ""
    type("\t")
    see(wanted)
    type("\x15")  # Ctrl-U: another line
    read(0.3)
print("seen")
