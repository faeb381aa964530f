//! PLAIN and CURVE with pyzmq: every exchange in both roles, and clients that are refused.

use monocoque::security::{Allow, AuthReply, AuthRequest, Credentials, CurveKeyPair, CurveSecretKey};
use monocoque::zmq::capability::Secure;
use monocoque::zmq::{Builder, DealerSocket, PullSocket, PushSocket, RouterSocket};
use monocoque::{DisconnectReason, SocketEvent};

use futures::StreamExt;

use crate::pyzmq::{self, Peer};
use crate::support::{Case, LIMIT, close, eventually, receive_all, send_all, within};

/// The role of our socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Null,
    PlainServer,
    PlainClient,
    CurveServer,
    CurveClient,
}

const SERVER_KEY: &str = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
const CLIENT_KEY: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
const USERNAME: &str = "anna";
const PASSWORD: &str = "s3cret";

fn keys(secret: &str) -> CurveKeyPair {
    secret.parse::<CurveSecretKey>().expect("a key").into()
}

impl Security {
    pub(crate) fn apply<S: Secure>(self, builder: Builder<S>) -> Builder<S> {
        match self {
            Self::Null => builder,
            Self::PlainServer => {
                builder.plain_server().authenticator(Allow::new().passwords([(USERNAME, PASSWORD)]))
            }
            Self::PlainClient => builder.plain_client(USERNAME, PASSWORD),
            Self::CurveServer => builder
                .curve_server(keys(SERVER_KEY))
                .authenticator(Allow::new().keys([keys(CLIENT_KEY).public])),
            Self::CurveClient => builder.curve_client(keys(CLIENT_KEY), keys(SERVER_KEY).public),
        }
    }

    /// Returns the arguments of the peer in the other role.
    pub(crate) fn of_peer(self) -> Vec<String> {
        match self {
            Self::Null => vec![],
            Self::PlainServer => vec!["plain-client".into(), USERNAME.into(), PASSWORD.into()],
            Self::PlainClient => vec!["plain-server".into(), USERNAME.into(), PASSWORD.into()],
            Self::CurveServer => vec![
                "curve-client".into(),
                CLIENT_KEY.into(),
                keys(CLIENT_KEY).public.to_string(),
                keys(SERVER_KEY).public.to_string(),
            ],
            Self::CurveClient => vec!["curve-server".into(), SERVER_KEY.into()],
        }
    }
}

/// Makes a test of each exchange of `pyzmq.rs`, in several roles.
macro_rules! secured {
    ($($roles:expr => $($body:ident),+;)+) => {
        $($(
            async fn $body(case: &Case) {
                for security in $roles {
                    case.secure(security);
                    pyzmq::$body(case).await;
                }
            }
        )+)+
        with_pyzmq! { in_some_ways: $($($body),+),+ }
    };
}

macro_rules! in_some_ways {
    ($($(#[$attribute:meta])* $body:ident),+ $(,)?) => {$(ways! {
        [$(#[$attribute])*] $body:
        tcp_bind_in_runtime = Tcp, Us, Runtime;
        tcp_connect_on_thread = Tcp, Them, Thread;
        ipc_bind_on_thread = Ipc, Us, Thread;
        ipc_connect_in_runtime = Ipc, Them, Runtime;
    })+};
}

use Security::{CurveClient, CurveServer, PlainClient, PlainServer};

secured! {
    [CurveServer, CurveClient, PlainServer, PlainClient] =>
        dealer_with_router,
        router_with_dealer,
        req_with_rep,
        pub_with_sub,
        sub_with_xpub,
        push_with_pull,
        pull_with_push;
    // A REQ of libzmq that is a server of PLAIN loses its connection at the first reply, with
    // libzmq at the other end, too.
    [CurveServer, CurveClient, PlainServer] => router_with_req, rep_with_req;
}

with_pyzmq! { in_some_ways: pyzmq_client_is_refused, server_of_pyzmq_refuses, user_id_is_known }

async fn pyzmq_client_is_refused(case: &Case) {
    for security in [Security::CurveServer, Security::PlainServer] {
        case.secure(security);
        let builder = security.apply(RouterSocket::builder()).authenticator(Allow::new());
        let router = builder.build_in(&case.context).expect("a socket");
        let peer = Peer::join(case, &router, "DEALER", "refused").await;
        peer.done().await;
        eventually("the failure is counted", || router.stats().auth_failures > 0).await;
        close(router).await;
    }
}

async fn server_of_pyzmq_refuses(case: &Case) {
    case.secure(Security::PlainClient);
    let builder = DealerSocket::builder().plain_client(USERNAME, "wrong");
    let dealer = builder.build_in(&case.context).expect("a socket");
    let mut monitor = dealer.monitor();
    let peer = Peer::join(case, &dealer, "ROUTER", "refuses").await;
    let reason = within(LIMIT, "the refusal", async {
        loop {
            match monitor.next().await.expect("an event") {
                SocketEvent::HandshakeFailed { reason, .. } => return reason,
                SocketEvent::HandshakeSucceeded { .. } => panic!("it was let in"),
                _ => {}
            }
        }
    })
    .await;
    assert!(matches!(reason, DisconnectReason::Denied(400)), "{reason:?}");
    assert!(reason.is_lasting());
    close(dealer).await;
    peer.done().await;
}

async fn user_id_is_known(case: &Case) {
    case.secure(Security::PlainServer);
    let check = async |request: AuthRequest| match request.credentials() {
        Credentials::Plain { username, .. } => AuthReply::allow_user(String::from_utf8_lossy(username)),
        _ => AuthReply::deny(),
    };
    let builder = PullSocket::builder().plain_server().authenticator(check);
    let pull = builder.build_in(&case.context).expect("a socket");
    let peer = Peer::join(case, &pull, "PUSH", "source").await;
    let (_, sender) = within(LIMIT, "recv", pull.recv_with_peer()).await.expect("received");
    assert_eq!(sender.user_id(), Some(USERNAME));
    close(pull).await;
    drop(peer);
}

async fn sealed_sockets_of_ours(case: &Case) {
    case.secure(Security::CurveServer);
    let pull: PullSocket = case.socket();
    case.secure(Security::CurveClient);
    let push: PushSocket = case.socket();
    let endpoint = pull.bind(case.wildcard()).await.expect("bound");
    push.connect(endpoint).await.expect("connected");
    let sent = async {
        send_all(&push).await;
        close(push).await;
    };
    futures::join!(sent, receive_all(&pull));
    close(pull).await;
}

in_some_ways! { sealed_sockets_of_ours }
