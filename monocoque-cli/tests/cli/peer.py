"""One socket of pyzmq for the tests of mq: checks what it gets, exits non-zero on a difference.

usage: peer.py TYPE ROLE bind|connect ENDPOINT [SECURITY ...]

Prints the endpoint. Roles: `source` sends all messages, `sink` expects them all, `ask` sends each and expects it back,
`echo` sends back what it receives, `refused` expects that the peer refuses it, `refuses` that it cannot accept the
peer.

SECURITY is `plain-server USER PASSWORD`, `plain-client USER PASSWORD`, `curve-server SECRET` or
`curve-client SECRET PUBLIC SERVER`.
"""

import sys
import threading

import zmq
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


def secure(socket, role="null", *secrets):
    if role == "plain-server":
        admit(socket.context, secrets)
        socket.plain_server = True
    if role == "plain-client":
        socket.plain_username, socket.plain_password = (secret.encode() for secret in secrets)
    if role == "curve-server":
        socket.curve_secretkey = secrets[0].encode()
        socket.curve_server = True
    if role == "curve-client":
        socket.curve_secretkey, socket.curve_publickey, socket.curve_serverkey = (s.encode() for s in secrets)


def admit(context, credentials):
    """Answers ZAP requests of clients with a user name and a password."""
    handler = context.socket(zmq.REP)
    handler.linger = 0
    handler.bind("inproc://zeromq.zap.01")

    def serve():
        try:
            while True:
                version, number, _, _, _, _, *given = handler.recv_multipart()
                is_known = given == [secret.encode() for secret in credentials]
                status = b"200" if is_known else b"400"
                handler.send_multipart([version, number, status, b"", b"", b""])
        except zmq.ContextTerminated:
            handler.close()

    threading.Thread(target=serve, daemon=True).start()


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
