"""One pyzmq socket for the tests in pyzmq.rs: checks what it receives, exits non-zero on a difference.

usage: peer.py TYPE ROLE bind|connect ENDPOINT [SECURITY ...]

Prints the version of libzmq, then the endpoint. Roles: `echo` echoes messages; `ask` sends each message and expects it
back; `name` assigns a routing id to the peer it connects to, and sends it requests; `source` sends all messages; `sink`
expects all messages; `repeat` echoes until it is killed; `ascending` expects ascending numbers until `end`. Roles of a
STREAM: `bytes` echoes all bytes until the connection ends; `early` sends before its peer is connected. `inverted`,
`manual`, `leaving`, `last_value` and `lists` are for the tests in subscription_options.rs.

SECURITY is described in monocoque-testing/python/peer_security.py.
"""

import sys

import zmq
from peer_security import secure
from zmq.utils.monitor import recv_monitor_message

LIMIT = 20_000
NAME = b"named"


def body(seed, length):
    period = bytes((seed + n) % 251 for n in range(251))
    return (period * (length // 251 + 1))[:length]


def shapes():
    """The same messages as `shapes` in support.rs."""
    lengths = [[n] for n in (0, 1, 255, 256, 64 << 10, 5 << 20)]
    lengths += [[0, 0], [1, 255], [256, 0], [64 << 10, 256]]
    lengths.append([n * n % 259 for n in range(100)])
    lengths.append([300] * 100)
    lengths.append([1])
    return [[body(n * 31 + i * 7, length) for i, length in enumerate(row)] for n, row in enumerate(lengths)]


def check(n, got, expected):
    if got != expected:
        sys.exit(f"message {n} differs: frames of {[len(f) for f in got]}, expected {[len(f) for f in expected]}")


def echo(socket):
    for _ in shapes():
        socket.send_multipart(socket.recv_multipart())


def repeat(socket):
    socket.rcvtimeo = socket.sndtimeo = -1
    while True:
        socket.send_multipart(socket.recv_multipart())


def ask(socket):
    for n, message in enumerate(shapes()):
        socket.send_multipart(message)
        check(n, socket.recv_multipart(), message)


def name(socket):
    for message in shapes():
        socket.send_multipart([NAME, *message])
    for n, message in enumerate(shapes()):
        check(n, socket.recv_multipart(), [NAME, *message])


def refused(socket):
    """Expects that the peer refuses it, which ends the connection for good."""
    monitor = socket.get_monitor_socket()
    while True:
        event = recv_monitor_message(monitor)
        if event["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            sys.exit("it was let in")
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return check("of the status", [event["value"]], [400])


def refuses(socket):
    """Expects that nobody comes in, and that its handler refuses one."""
    monitor = socket.get_monitor_socket()
    while recv_monitor_message(monitor)["event"] != zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        pass


def take(socket, peer, length):
    got = b""
    while len(got) < length:
        sender, chunk = socket.recv_multipart()
        if sender != peer or not chunk:
            sys.exit(f"{len(chunk)} bytes of {sender} after {len(got)} bytes of {peer}")
        got += chunk
    return got


def raw(socket):
    peer, notice = socket.recv_multipart()
    expected = b"".join(frame for message in shapes() for frame in message)
    check("of the notice", [notice], [b""])
    check("of bytes", [take(socket, peer, len(expected))], [expected])
    for start in range(0, len(expected), 50_000):
        socket.send_multipart([peer, expected[start : start + 50_000]])
    check("of the end", socket.recv_multipart(), [peer, b""])


def early(socket):
    socket.send_multipart([NAME, b"early"])
    check("of the notice", socket.recv_multipart(), [NAME, b""])
    check("of bytes", [take(socket, NAME, 5)], [b"heard"])


def source(socket):
    if socket.type == zmq.XPUB:
        check("of the subscription", socket.recv_multipart(), [b"\x01"])
    for message in shapes():
        socket.send_multipart(message)


def sink(socket):
    for n, message in enumerate(shapes()):
        check(n, socket.recv_multipart(), message)


def ascending(socket):
    last = -1
    while True:
        number, *rest = socket.recv_multipart()
        if number == b"end":
            return
        if int(number) <= last or [len(f) for f in rest] != [4_000]:
            sys.exit(f"{int(number)} with {[len(f) for f in rest]} after {last}")
        last = int(number)


def expect(socket, *messages):
    for message in messages:
        got = socket.recv_multipart()
        if got != message:
            sys.exit(f"got {got}, expected {message}")


def inverted(socket):
    if socket.type == zmq.SUB:
        return expect(socket, [b"b"], [b""], [b"end"])
    expect(socket, [b"\x01a"])
    for subject in (b"a", b"b", b"ab", b"", b"end"):
        socket.send(subject)


def manual(socket):
    if socket.type == zmq.XSUB:
        socket.send(b"\x01A")
        expect(socket, [b"B1"])
        socket.send(b"\0A")
        return expect(socket, [b"end"])
    expect(socket, [b"\x01A"])
    socket.subscribe(b"B")
    socket.subscribe(b"end")
    socket.send(b"A")
    socket.send(b"B1")
    expect(socket, [b"\0A"])
    socket.unsubscribe(b"B")
    socket.send(b"B2")
    socket.send(b"end")


def leaving(socket):
    if socket.type == zmq.XSUB:
        socket.send(b"\x01x")
        socket.send(b"\x01y")
        return expect(socket, [b"end"])
    expect(socket, [b"\x01x"], [b"\x01y"])
    socket.subscribe(b"end")
    socket.send(b"end")
    expect(socket, [b"\0x"], [b"\0y"])


def last_value(socket):
    for value in (b"1", b"2"):
        expect(socket, [b"\x01a"])
        socket.subscribe(b"a")
        socket.send_multipart([b"a", value])
    socket.send_multipart([b"a", b"3"])


def lists(socket):
    if socket.type == zmq.XSUB:
        socket.send(b"\x01")
        expect(socket, [b"go"])
        for message in ([b"\x01a", b"data"], [b"\x01b", b"\0a"], [b"data", b"\x01c"], [b"end"]):
            socket.send_multipart(message)
        return expect(socket, [b"end"])
    expect(socket, [b"\x01"])
    socket.send(b"go")
    told = [[b"\x01a"], [b"data"], [b"\x01b"], [b"\0a"], [b"data", b"\x01c"], [b"end"]]
    got = [socket.recv_multipart() for _ in told]
    # Subscriptions overtake messages.
    if sorted(got) != sorted(told):
        sys.exit(f"got {got}, expected {told}")
    socket.send(b"end")


# By role and type. The numbers are of options that pyzmq has no names for: drafts.
XPUB_MANUAL_LAST_VALUE, ONLY_FIRST_SUBSCRIBE = 98, 108
OPTIONS = {
    ("inverted", "SUB"): zmq.INVERT_MATCHING,
    ("inverted", "XPUB"): zmq.INVERT_MATCHING,
    ("manual", "XPUB"): zmq.XPUB_MANUAL,
    ("leaving", "XPUB"): zmq.XPUB_MANUAL,
    ("last_value", "XPUB"): XPUB_MANUAL_LAST_VALUE,
    ("lists", "XPUB"): ONLY_FIRST_SUBSCRIBE,
    ("lists", "XSUB"): ONLY_FIRST_SUBSCRIBE,
}


def main():
    kind, role, way, endpoint, *security = sys.argv[1:]
    socket = zmq.Context().socket(getattr(zmq, kind))
    socket.rcvtimeo = socket.sndtimeo = socket.linger = LIMIT
    if kind == "SUB":
        socket.subscribe(b"a" if role == "inverted" else b"")
    if (role, kind) in OPTIONS:
        socket.setsockopt(OPTIONS[role, kind], 1)
    if role in ("name", "early"):
        socket.connect_routing_id = NAME
    secure(socket, *security)
    # Before there are events. pyzmq keeps it for the role.
    monitor = socket.get_monitor_socket() if role in ("refused", "refuses") else None
    if monitor:
        monitor.rcvtimeo = LIMIT
    getattr(socket, way)(endpoint)
    print(zmq.zmq_version(), flush=True)
    print(socket.last_endpoint.decode(), flush=True)
    roles = {"repeat": repeat, "echo": echo, "ask": ask, "source": source, "sink": sink, "ascending": ascending}
    roles |= {"inverted": inverted, "manual": manual, "leaving": leaving, "last_value": last_value, "lists": lists}
    roles |= {"name": name, "bytes": raw, "early": early}
    roles |= {"refused": refused, "refuses": refuses}
    roles[role](socket)
    if monitor:
        # Not `disable_monitor`: libzmq waits for a reader of its last event.
        socket.monitor(None, 0)
        monitor.close()
    socket.close()
    socket.context.term()


main()
