"""One socket of pyzmq for the tests in pyzmq.rs: checks what it gets, exits non-zero on a difference.

usage: peer.py TYPE ROLE bind|connect ENDPOINT

Prints the version of libzmq, then the endpoint. Roles: `echo` sends back what it receives, `ask` sends each message and
expects it back, `name` names the peer it connects to, and asks that one, `source` sends all messages, `sink` expects
all, `repeat` sends back whatever comes until it is killed, `ascending` expects numbers, each above the one before it,
until `end`. Of a STREAM: `bytes` sends all bytes back and waits for the end, `early` sends before its peer is there.
"""

import sys

import zmq

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


def main():
    kind, role, way, endpoint = sys.argv[1:]
    socket = zmq.Context().socket(getattr(zmq, kind))
    socket.rcvtimeo = socket.sndtimeo = socket.linger = LIMIT
    if kind == "SUB":
        socket.subscribe(b"")
    if role in ("name", "early"):
        socket.connect_routing_id = NAME
    getattr(socket, way)(endpoint)
    print(zmq.zmq_version(), flush=True)
    print(socket.last_endpoint.decode(), flush=True)
    roles = {
        "repeat": repeat,
        "echo": echo,
        "ask": ask,
        "name": name,
        "source": source,
        "sink": sink,
        "ascending": ascending,
        "bytes": raw,
        "early": early,
    }
    roles[role](socket)
    socket.close()
    socket.context.term()


main()
