"""The security of pyzmq sockets in tests, as the arguments of a peer name it.

SECURITY is `plain-server USER PASSWORD`, `plain-client USER PASSWORD`, `curve-server SECRET` or
`curve-client SECRET PUBLIC SERVER`; nothing stands for NULL.
"""

import threading

import zmq


def secure(socket, role="null", *secrets):
    """Sets the options of a socket."""
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
                handler.send_multipart([version, number, status, b"", given[0] if is_known else b"", b""])
        except zmq.ContextTerminated:
            handler.close()

    threading.Thread(target=serve, daemon=True).start()
