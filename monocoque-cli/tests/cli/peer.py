"""One socket of pyzmq for the tests of mq: checks what it gets, exits non-zero on a difference.

usage: peer.py TYPE ROLE bind|connect ENDPOINT

Prints the endpoint. Roles: `source` sends all messages, `sink` expects them all, `ask` sends each and expects it back,
`echo` sends back what it receives.
"""

import sys

import zmq

LIMIT = 20_000

# The same as `messages` in peer.rs.
MESSAGES = [
    [b"hello"],
    [b"two", b"frames"],
    [b"", b"", b"last"],
    [bytes(range(256)), b"\n"],
    [b""],
    [b"x" * 100_000, b"\x00\xff"],
]


def check(got, expected):
    if got != expected:
        sys.exit(f"got {got!r:.200}, expected {expected!r:.200}")


def source(socket):
    if socket.type == zmq.XPUB:
        check(socket.recv_multipart(), [b"\x01"])
    for message in MESSAGES:
        socket.send_multipart(message)


def sink(socket):
    for message in MESSAGES:
        check(socket.recv_multipart(), message)


def ask(socket):
    for message in MESSAGES:
        socket.send_multipart(message)
        check(socket.recv_multipart(), message)


def echo(socket):
    for _ in MESSAGES:
        socket.send_multipart(socket.recv_multipart())


def main():
    kind, role, way, endpoint = sys.argv[1:]
    socket = zmq.Context().socket(getattr(zmq, kind))
    socket.rcvtimeo = socket.sndtimeo = socket.linger = LIMIT
    if kind == "SUB":
        # It would linger for its own unsubscription, which a publisher that has ended does not take.
        socket.linger = 0
        socket.subscribe(b"")
    getattr(socket, way)(endpoint)
    print(socket.last_endpoint.decode(), flush=True)
    {"source": source, "sink": sink, "ask": ask, "echo": echo}[role](socket)
    socket.close()
    socket.context.term()


main()
