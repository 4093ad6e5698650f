# A name server for the findings: nameserver.py ZONE.json answers on 127.0.0.1, UDP and TCP.
# The zone is {"name": {"TXT": [["string", ...]], "A": ["address"], "MX": [[10, "name"]]}}.
import ipaddress, json, socket, struct, sys, threading

zone = json.load(open(sys.argv[1]))
TYPES = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def rdata(kind, value):
    if kind == "TXT":
        return b"".join(bytes([len(s)]) + s.encode() for s in value)
    if kind == "MX":
        return struct.pack(">H", value[0]) + name(value[1])
    if kind == "PTR":
        return name(value)
    return ipaddress.ip_address(value).packed


def answer(query, limit):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin1").lower())
        at += 1 + query[at]
    kind, end, asked = struct.unpack(">H", query[at + 1 : at + 3])[0], at + 5, ".".join(labels)
    print(asked, TYPES.get(kind, kind), file=sys.stderr, flush=True)
    there = asked in zone or any(known.endswith("." + asked) for known in zone)
    records = [rdata(TYPES[kind], v) for v in zone.get(asked, {}).get(TYPES.get(kind), [])]
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(r)) + r for r in records)
    flags = 0x8580 | (0 if there else 3)
    if end + len(body) > limit:
        flags, body, records = flags | 0x0200, b"", []
    return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + query[12:end] + body


def tcp():
    while True:
        c, _ = stream.accept()
        while len(size := c.recv(2)) == 2:
            a = answer(c.recv(struct.unpack(">H", size)[0]), 65535)
            c.sendall(struct.pack(">H", len(a)) + a)


stream = socket.socket()
stream.bind(("127.0.0.1", 53))
stream.listen()
threading.Thread(target=tcp, daemon=True).start()
packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
packets.bind(("127.0.0.1", 53))
while True:
    query, client = packets.recvfrom(4096)
    packets.sendto(answer(query, 512), client)
