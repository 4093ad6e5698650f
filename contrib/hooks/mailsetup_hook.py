"""What the hooks of mailsetup have in common. A hook gives serve() three functions.

zones()                        the names of its zones
rrsets(zone, names)            RRsets of a zone, as {(name, type): (ttl, [data, ...])}: all,
                               or at least those of some names
put(zone, name, type, ttl, old, new)
                               has the data of an RRset be new in place of old; [] is none

Names end with a dot. Data is as in a zone file: of TXT strings in quotes. The settings, with
the credential, are a JSON file that only root may read; systemd gives the hook its copy.
"""

import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

FAILED, REFUSED, CHANGED, LATER, DENIED = 1, 2, 3, 4, 5

PATIENCE = 40  # seconds for one request; mailsetup ends a hook after 60
END = time.monotonic() + PATIENCE


class Trouble(Exception):
    """Ends the hook with an exit code and one line."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def settings(*keys):
    """Returns the settings, in which these keys must have a value."""
    name = os.path.basename(sys.argv[0])
    try:
        with open(os.path.join(os.environ["CREDENTIALS_DIRECTORY"], name), encoding="utf-8") as f:
            found = json.load(f)
        missing = [k for k in keys if not found.get(k)]
    except KeyError:
        raise Trouble(REFUSED, "there are no settings: /etc/mailsetup/hooks/" + name) from None
    except OSError as e:
        raise Trouble(REFUSED, f"the settings cannot be read: {e.strerror}") from None
    except (ValueError, AttributeError):
        raise Trouble(REFUSED, "the settings are no JSON object") from None
    if missing:
        raise Trouble(REFUSED, "the settings have no " + ", ".join(missing))
    return found


class API:
    """An HTTP API that speaks JSON."""

    def __init__(self, url, headers):
        at = urllib.parse.urlsplit(url)
        if at.scheme != "https" and (at.scheme, at.hostname) not in [("http", "127.0.0.1"), ("http", "::1"), ("http", "localhost")]:
            raise Trouble(REFUSED, "the url is neither https nor on this machine: the credential could be read on its way")
        words = "".join(map(str, headers.values()))
        if not (words.isascii() and words.isprintable()):  # what Python says of it would show it
            raise Trouble(REFUSED, "the credential in the settings has a character that no header may have")
        self.url, self.headers, self.changed = url.rstrip("/"), headers, False

    def call(self, method, path, body=None):
        """Returns the JSON answer and the headers. What is asked for too often is asked
        again when the server says so, as long as there is time."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", "Accept": "application/json", **self.headers}, method=method)
        while True:
            try:
                with OPENER.open(request, timeout=max(1, END - time.monotonic())) as r:
                    text = r.read()
                    self.changed |= method != "GET"
                    return (json.loads(text) if text.strip() else None), r.headers
            except urllib.error.HTTPError as e:
                wait = delay(e.headers.get("Retry-After"))
                if e.code == 429 and time.monotonic() + wait < END:
                    time.sleep(wait)
                    continue
                raise self.refused(e) from None
            except (OSError, ValueError, http.client.HTTPException) as e:
                reason = getattr(e, "reason", e)
                # A server that was not reached has changed nothing; nor has a question.
                unread = method == "GET" or isinstance(reason, ConnectionRefusedError)
                raise self.trouble(LATER if unread else FAILED, f": {reason}") from None

    def host(self):
        return urllib.parse.urlsplit(self.url).netloc.rpartition("@")[2]

    def trouble(self, code, text):
        """Returns what went wrong. Once something was changed, no code says that nothing was."""
        return Trouble(FAILED if self.changed else code, self.host() + text)

    def refused(self, e):
        text = f" answers {e.code}: {said(e)}"
        if e.code in (401, 403):
            return self.trouble(DENIED, text)
        if e.code in (409, 423, 429, 503):  # locked, too often, down
            return self.trouble(LATER, text)
        return self.trouble(REFUSED if e.code < 500 else FAILED, text)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Another server shall not be sent the credential."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def delay(retry_after):
    """Returns how many seconds to wait."""
    try:
        return max(1, int(retry_after))
    except (TypeError, ValueError):
        return 5


def said(e):
    """Returns what a server said of an error, on one line."""
    try:
        text = e.read(2000).decode("utf-8", "replace")
    except OSError:
        text = ""
    return " ".join(text.split())[:200] or e.reason


STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
CHARACTER = re.compile(r"\\[0-9]{3}|\\.|[^\\]", re.S)


def value(kind, data):
    """Returns data as mailsetup has it: the strings of TXT joined, without quotes."""
    if kind != "TXT":
        return data
    return "".join(quoted or plain for quoted, plain in STRING.findall(data))


def data(kind, text):
    """Returns a value as data: TXT in strings of 255 octets, in quotes."""
    if kind != "TXT":
        return text
    octets = CHARACTER.findall(text)
    return " ".join('"' + "".join(octets[i : i + 255]) + '"' for i in range(0, max(1, len(octets)), 255))


def comparable(kind, values):
    return sorted(v if kind == "TXT" else v.lower() for v in values)


def change(request, rrsets, put):
    """Has an RRset be what is wanted, if it is as expected. Values that stay keep their
    data as it is."""
    zone, name, kind, wanted = request["zone"], request["name"], request["type"], request["values"]
    ttl, old = rrsets(zone, [name]).get((name, kind), (request.get("ttl"), []))
    there = {value(kind, d): d for d in old}
    if comparable(kind, there) == comparable(kind, wanted) and ttl == request.get("ttl"):
        return
    if comparable(kind, there) != comparable(kind, request["expected"]):
        raise Trouble(CHANGED, f"{name} {kind} was changed by somebody else: it has {len(old)} values, none of them was touched")
    put(zone, name, kind, request.get("ttl") or ttl, old, [there.get(v) or data(kind, v) for v in wanted])


def answer(request, zones, rrsets, put):
    if request.get("version") != 1:
        raise Trouble(REFUSED, "the request has another version than 1")
    operation = request.get("operation")
    if operation == "list" and "zone" not in request:
        return {"version": 1, "zones": sorted(zones())}
    if operation == "list":
        names = request.get("names", [])
        found = rrsets(request["zone"], names)
        return {
            "version": 1,
            "rrsets": [
                {"name": name, "type": kind, "ttl": ttl, "values": [value(kind, d) for d in all_data]}
                for (name, kind), (ttl, all_data) in sorted(found.items())
                if name in names
            ],
        }
    if operation in ("present", "remove"):
        change(request, rrsets, put)
        return {"version": 1}
    raise Trouble(REFUSED, f"nobody knows the operation {operation!r}")


def serve(make):
    """Reads a request, and answers it with the three functions that make() returns."""
    try:
        request = json.load(sys.stdin)
        json.dump(answer(request, *make()), sys.stdout)
        print()
    except Trouble as e:
        print(e, file=sys.stderr)
        sys.exit(e.code)
    except (ValueError, KeyError, TypeError) as e:
        print(f"what came is not as described: {type(e).__name__} {e}", file=sys.stderr)
        sys.exit(FAILED)
