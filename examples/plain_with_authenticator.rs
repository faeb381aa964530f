//! PLAIN: a PULL that asks a task of the program whether a user may come in.
//!
//! Run with `cargo run --example plain_with_authenticator`. The authenticator is an async function
//! on the I/O thread of a context; the task with the users runs on tokio, as a database client
//! would. Prints what each user has sent and what two strangers get, and fails if a
//! user is missing or a stranger is let in.
//!
//! PLAIN sends passwords in clear text: over `ipc://` they stay on the machine.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::time::Duration;

use monocoque::security::{AuthReply, AuthRequest, Credentials, Password, RefusalStatus};
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{Context, DisconnectReason, Monitor, SocketEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The users and their passwords.
const USERS: [(&str, &str); 2] = [("anna", "s3cret"), ("ben", "hunter2")];

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A question to the task with the users.
struct Question {
    username: String,
    password: Password,
    answer: oneshot::Sender<bool>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    timeout(Duration::from_secs(30), run()).await?
}

async fn run() -> Outcome<()> {
    let (questions, receiver) = mpsc::channel(16);
    tokio::spawn(check_users(receiver));

    let context = Context::new()?; // one I/O thread
    let pull = PullSocket::builder()
        .plain_server()
        .authenticator(move |request| decide(questions.clone(), request))
        .build_in(&context)?;
    let mut events = pull.monitor();
    let endpoint = pull.bind("ipc://*").await?; // a Unix domain socket in a directory of its own

    for (username, password) in USERS {
        let push = client(&context, username, password)?;
        push.connect(endpoint.clone()).await?;
        push.send(format!("from {username}")).await?;
        push.close().await;
    }
    for (username, password) in [("anna", "guessed"), ("eve", "s3cret")] {
        let push = client(&context, username, password)?;
        let mut events_of_client = push.monitor();
        push.connect(endpoint.clone()).await?;
        for events in [&mut events_of_client, &mut events] {
            println!("{username}, {password}: {}", refusal(events).await?);
        }
    }

    let mut seen = BTreeSet::new();
    for _ in USERS {
        let (message, sender) = pull.recv_with_peer().await?;
        let user_id = sender.user_id().unwrap_or_default();
        println!("{user_id} sent {message:?}");
        if message[0] != *format!("from {user_id}").as_bytes() {
            return Err(format!("{user_id} sent {message:?}").into());
        }
        seen.insert(user_id.to_owned());
    }
    let refused = pull.stats().auth_failures;
    context.shutdown().await;
    if seen.len() == USERS.len() && refused == 2 { Ok(()) } else { Err("a sender is missing".into()) }
}

fn client(context: &Context, username: &str, password: &str) -> Outcome<PushSocket> {
    Ok(PushSocket::builder().plain_client(username, password).build_in(context)?)
}

/// Decides about one peer. While it waits, all other connections go on.
async fn decide(questions: mpsc::Sender<Question>, request: AuthRequest) -> AuthReply {
    let Credentials::Plain { username, password } = request.credentials() else {
        return AuthReply::deny();
    };
    let Ok(username) = std::str::from_utf8(username) else { return AuthReply::deny() };
    let (answer, answered) = oneshot::channel();
    let question = Question { username: username.to_owned(), password: password.clone(), answer };
    // If the task is gone, the peer connects again later.
    let unavailable = AuthReply::Refuse(RefusalStatus::Temporary);
    if questions.send(question).await.is_err() {
        return unavailable;
    }
    match answered.await {
        Ok(true) => AuthReply::allow_user(username),
        Ok(false) => AuthReply::deny(),
        Err(_) => unavailable,
    }
}

/// Answers questions until nobody asks any more.
async fn check_users(mut questions: mpsc::Receiver<Question>) {
    let users = HashMap::from(USERS);
    while let Some(Question { username, password, answer }) = questions.recv().await {
        let is_right = users.get(&*username).is_some_and(|known| password.matches(known.as_bytes()));
        let _ = answer.send(is_right); // the handshake may be over
    }
}

/// Waits for a handshake that fails. Returns the reason, if it is a refusal.
async fn refusal(events: &mut Monitor) -> Outcome<DisconnectReason> {
    while let Some(event) = events.recv().await {
        let SocketEvent::HandshakeFailed { reason, .. } = event else { continue };
        return match reason {
            DisconnectReason::Denied(400) | DisconnectReason::Refused(RefusalStatus::Denied) => Ok(reason),
            other => Err(other.into()),
        };
    }
    Err("no handshake failed".into())
}
