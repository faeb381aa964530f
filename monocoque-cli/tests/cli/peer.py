"""One socket of pyzmq for the tests of mq: checks what it gets, exits non-zero on a difference.

usage: peer.py TYPE ROLE bind|connect ENDPOINT [SECURITY ...]

Prints the endpoint. Roles: `source` sends all messages, `sink` expects them all, `ask` sends each and expects it back,
`echo` sends back what it receives, `refused` expects that the peer refuses it, `refuses` that it cannot accept the
peer.

SECURITY is described in monocoque-testing/python/peer_security.py.
"""

import sys

import zmq
from peer_security import secure
from zmq.utils.monitor import recv_monitor_message

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


def refused(socket):
    check(failure(socket), 400)


def refuses(socket):
    failure(socket)


def failure(socket):
    """Returns the status of a handshake that fails."""
    monitor = socket.get_monitor_socket()
    while True:
        event = recv_monitor_message(monitor)
        if event["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            sys.exit("the handshake has succeeded")
        if event["event"] in (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL):
            return event["value"]


def main():
    kind, role, way, endpoint, *security = sys.argv[1:]
    socket = zmq.Context().socket(getattr(zmq, kind))
    socket.rcvtimeo = socket.sndtimeo = socket.linger = LIMIT
    if kind == "SUB":
        # It would linger for its own unsubscription, which a publisher that has ended does not take.
        socket.linger = 0
        socket.subscribe(b"")
    secure(socket, *security)
    if role in ("refused", "refuses"):
        # Before there are events. pyzmq keeps it for the role.
        socket.get_monitor_socket().rcvtimeo = LIMIT
    getattr(socket, way)(endpoint)
    print(socket.last_endpoint.decode(), flush=True)
    roles = {"source": source, "sink": sink, "ask": ask, "echo": echo, "refused": refused, "refuses": refuses}
    roles[role](socket)
    if role in ("refused", "refuses"):
        # While its reader is there: an event without a reader holds up libzmq for ever.
        monitor = socket.get_monitor_socket()
        socket.monitor(None, 0)
        monitor.close()
    socket.close()
    socket.context.term()


main()
