//! ROUTER, REQ and REP between hostile peers and a program: each message is received with the
//! envelope of its socket type, or not at all; requests and replies alternate; a reply goes to the
//! peer that sent the request.
//!
//! Input: socket type, then one step after another.

#![no_main]

use std::collections::VecDeque;

use compio::runtime::Runtime;
use libfuzzer_sys::fuzz_target;
use monocoque::fuzzing::Peer;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{RepSocket, ReqSocket, RouterSocket, TypedSocket};
use monocoque::{Message, MonocoqueError, SendError};
use monocoque_core::Outbox;
use monocoque_core::actor::InletStatus;
use monocoque_fuzz::Script;
use monocoque_zmtp::{SocketType, encode_message};

thread_local! {
    static RUNTIME: Runtime = Runtime::new().expect("a runtime");
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            match script.below(3) {
                0 => run::<RouterSocket>(SocketType::Router, &mut script).await,
                1 => run::<ReqSocket>(SocketType::Req, &mut script).await,
                _ => run::<RepSocket>(SocketType::Rep, &mut script).await,
            }
        });
    });
});

async fn run<S: Sends + Receives + TypedSocket>(ours: SocketType, script: &mut Script<'_>) {
    let socket = S::new().expect("a socket");
    let mut model =
        Model { ours, socket: &socket, dialogue: Dialogue::default(), peers: Vec::new(), serial: 0 };
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        match script.below(8) {
            0 | 1 => model.join(script),
            2 | 3 => model.peer_sends(script),
            4 => model.send(script),
            5 | 6 => model.recv(),
            _ => model.leave(script),
        }
    }
    model.peers.iter_mut().for_each(ModelPeer::leave);
    socket.close().await;
    drop(socket);
    // Lets its tasks end.
    for _ in 0..TASK_TURNS {
        compio::runtime::spawn(async {}).await.expect("a task");
    }
}

type Frames = Vec<Vec<u8>>;

/// A socket, and a model of its observable state.
struct Model<'a, S> {
    ours: SocketType,
    socket: &'a S,
    dialogue: Dialogue,
    peers: Vec<ModelPeer>,
    /// The number of the next message, by which it is recognized.
    serial: u32,
}

/// The state of the dialogue of a REQ or REP.
#[derive(Clone, Debug, Default, PartialEq)]
enum Dialogue {
    #[default]
    Idle,
    /// A request was sent to this peer.
    Asked(usize),
    /// This peer has sent a request with this envelope.
    Answering(usize, Frames),
}

/// A connected or departed peer, and its pending messages: each as it will be received, with its
/// envelope.
struct ModelPeer {
    peer: Option<Peer>,
    id: Vec<u8>,
    pending: VecDeque<(Frames, Frames)>,
}

impl<S: Sends + Receives> Model<'_, S> {
    /// Connects a peer. A ROUTER rejects an id that is in use; other types accept it.
    fn join(&mut self, script: &mut Script<'_>) {
        // A handshake rejects ids that start with a zero byte.
        let id: Vec<_> = script.string(40).iter().copied().skip_while(|byte| *byte == 0).collect();
        if self.peers.len() == PEERS_MAX {
            return;
        }
        let holds = |peer_model: &ModelPeer| peer_model.peer.is_some() && peer_model.id == id;
        let refused = self.ours == SocketType::Router && self.peers.iter().any(holds);
        let peer = Peer::join(self.socket, SocketType::Dealer, &id);
        assert_eq!(peer.is_none(), refused, "{id:?}");
        if let Some(peer) = peer {
            let id = peer.id().to_vec();
            self.peers.push(ModelPeer { peer: Some(peer), id, pending: VecDeque::new() });
        }
    }

    /// Sends a message from a peer. If it is to be received, it ends with a number, by which it is
    /// recognized.
    fn peer_sends(&mut self, script: &mut Script<'_>) {
        let at = script.below(PEERS_MAX);
        let mut frames = frames(script);
        let Some(peer_model) = self.peers.get_mut(at) else { return };
        if open(self.ours, &peer_model.id, &frames).is_some() {
            self.serial += 1;
            frames.push(self.serial.to_be_bytes().to_vec());
        }
        let Some(accepted) = peer_model.peer.as_mut().and_then(|peer| peer.send(message(&frames))) else {
            return;
        };
        match open(self.ours, &peer_model.id, &frames) {
            Some(opened) => {
                assert_ne!(accepted, InletStatus::Violation);
                peer_model.pending.push_back(opened);
            }
            // A REP drops it later, on receipt.
            None if self.ours == SocketType::Rep => assert_ne!(accepted, InletStatus::Violation),
            None => {
                assert_eq!(accepted, InletStatus::Violation);
                peer_model.leave();
            }
        }
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let mut frames = frames(script);
        if self.ours == SocketType::Router
            && let Some(peer_model) = self.peers.get(script.below(PEERS_MAX))
        {
            frames.insert(0, peer_model.id.clone());
        }
        let result = self.socket.try_send(message(&frames));
        match (self.ours, self.dialogue.clone(), result.as_ref().map_err(SendError::reason)) {
            (SocketType::Router, _, Err(MonocoqueError::EmptyMessage)) => assert_eq!(frames.len(), 1),
            (SocketType::Router, _, Ok(())) => {
                let id = frames.remove(0);
                assert!(!frames.is_empty());
                let to =
                    self.peers.iter().position(|peer_model| peer_model.peer.is_some() && peer_model.id == id);
                self.check_sent(to.as_slice(), &frames);
            }
            (SocketType::Req, Dialogue::Asked(_), Err(MonocoqueError::OutOfTurn(_))) => {}
            (SocketType::Req, Dialogue::Idle, Err(MonocoqueError::WouldBlock)) => {
                assert!(self.peers.iter().all(|peer_model| peer_model.peer.is_none()));
            }
            (SocketType::Req, Dialogue::Idle, Ok(())) => {
                frames.insert(0, Vec::new());
                let any: Vec<_> = (0..self.peers.len()).collect();
                let to = self.check_sent(&any, &frames).expect("a peer receives the request");
                // A reply that arrived before the request is discarded.
                self.peers.iter_mut().for_each(|peer_model| peer_model.pending.clear());
                self.dialogue = Dialogue::Asked(to);
            }
            (SocketType::Rep, Dialogue::Idle, Err(MonocoqueError::OutOfTurn(_))) => {}
            (SocketType::Rep, Dialogue::Answering(to, mut envelope), Ok(())) => {
                envelope.append(&mut frames);
                let to = [to].into_iter().find(|to| self.peers[*to].peer.is_some());
                self.check_sent(to.as_slice(), &envelope);
                self.dialogue = Dialogue::Idle;
            }
            other => panic!("{other:?}"),
        }
        self.check_sent(&[], &Frames::new());
    }

    /// Checks that one of these peers, if there are any, has been sent `frames`, and no other peer
    /// anything. Returns that peer.
    fn check_sent(&mut self, to: &[usize], frames: &Frames) -> Option<usize> {
        let mut expected = Outbox::new();
        encode_message(&message(frames), &mut expected);
        let mut found = None;
        for (at, peer_model) in self.peers.iter_mut().enumerate() {
            let batch = peer_model.peer.as_mut().map(Peer::take).unwrap_or_default();
            if !batch.is_empty() {
                assert!(found.is_none() && to.contains(&at), "peer {at} got something");
                assert!(batch.slices().flatten().eq(expected.slices().flatten()), "{batch:?}");
                found = Some(at);
            }
        }
        assert_eq!(found.is_some(), !to.is_empty());
        found
    }

    fn recv(&mut self) {
        let result = self.socket.try_recv();
        let first = |peer_model: &ModelPeer| peer_model.pending.front().is_some();
        match (self.ours, self.dialogue.clone(), result) {
            (SocketType::Req, Dialogue::Idle, Err(MonocoqueError::OutOfTurn(_)))
            | (SocketType::Rep, Dialogue::Answering(..), Err(MonocoqueError::OutOfTurn(_))) => {}
            (SocketType::Req, Dialogue::Asked(of), Err(MonocoqueError::WouldBlock)) => {
                assert!(!first(&self.peers[of]), "a reply was lost");
            }
            (SocketType::Req, Dialogue::Asked(of), Ok(reply)) => {
                self.take_pending(of..of + 1, &reply);
                self.dialogue = Dialogue::Idle;
            }
            (SocketType::Router | SocketType::Rep, Dialogue::Idle, Err(MonocoqueError::WouldBlock)) => {
                assert!(!self.peers.iter().any(first), "a message was lost");
            }
            (SocketType::Router, Dialogue::Idle, Ok(received)) => {
                self.take_pending(0..self.peers.len(), &received);
            }
            (SocketType::Rep, Dialogue::Idle, Ok(received)) => {
                let (from, envelope) = self.take_pending(0..self.peers.len(), &received);
                self.dialogue = Dialogue::Answering(from, envelope);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Finds the peer that has sent a received message; messages of one peer arrive in order.
    /// Returns its envelope.
    fn take_pending(&mut self, mut from: std::ops::Range<usize>, received: &Message) -> (usize, Frames) {
        let received: Frames = received.iter().map(<[u8]>::to_vec).collect();
        let is_next =
            |peer_model: &ModelPeer| peer_model.pending.front().is_some_and(|(_, body)| *body == received);
        let found = from.find(|at| is_next(&self.peers[*at]));
        let at = found.unwrap_or_else(|| panic!("no peer has sent this: {received:?}"));
        let (envelope, _) = self.peers[at].pending.pop_front().expect("just seen");
        (at, envelope)
    }

    fn leave(&mut self, script: &mut Script<'_>) {
        let at = script.below(PEERS_MAX);
        if let Some(peer_model) = self.peers.get_mut(at) {
            peer_model.leave();
        }
    }
}

impl ModelPeer {
    fn leave(&mut self) {
        if let Some(peer) = self.peer.take() {
            peer.leave();
        }
    }
}

/// Returns the envelope and the body of an arriving message; `None` if it is to be discarded.
fn open(ours: SocketType, id: &[u8], frames: &Frames) -> Option<(Frames, Frames)> {
    let split = match ours {
        SocketType::Router => return Some((Frames::new(), [vec![id.to_vec()], frames.clone()].concat())),
        SocketType::Req => (frames[0].is_empty()).then_some(1)?,
        _ => frames.iter().position(Vec::is_empty)? + 1,
    };
    let (envelope, body) = frames.split_at(split);
    (!body.is_empty()).then(|| (envelope.to_vec(), body.to_vec()))
}

/// Returns one frame or more.
fn frames(script: &mut Script<'_>) -> Frames {
    (0..=script.below(10)).map(|_| frame(script)).collect()
}

fn frame(script: &mut Script<'_>) -> Vec<u8> {
    match script.byte() {
        // Too large to be stored inline.
        len @ 0xf0.. => vec![len; 100],
        len => script.take(usize::from(len) % 48).to_vec(),
    }
}

fn message(frames: &Frames) -> Message {
    frames.iter().map(|frame| &frame[..]).collect()
}

const PEERS_MAX: usize = 4;
const STEPS_MAX: usize = 256;
/// One for the mailbox of the runtime, one for the supervisor of the socket, one to spare.
const TASK_TURNS: usize = 3;
