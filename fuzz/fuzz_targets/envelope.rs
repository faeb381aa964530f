//! ROUTER, REQ and REP between hostile peers and a program: each message that a peer sends is
//! received with the envelope
//! that its type says, or not at all; requests and replies alternate; and an answer goes where it
//! belongs.
//!
//! Input: socket type, then what happens, step by step.

#![no_main]

use std::collections::VecDeque;

use compio::runtime::Runtime;
use libfuzzer_sys::fuzz_target;
use monocoque::fuzzing::Peer;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{RepSocket, ReqSocket, RouterSocket};
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

async fn run<S: Sends + Receives>(ours: SocketType, script: &mut Script<'_>) {
    let socket = S::new().expect("a socket");
    let mut table = Table { ours, socket: &socket, turn: Turn::default(), peers: Vec::new(), serial: 0 };
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        match script.below(8) {
            0 | 1 => table.join(script),
            2 | 3 => table.say(script),
            4 => table.send(script),
            5 | 6 => table.recv(),
            _ => table.leave(script),
        }
    }
    table.peers.iter_mut().for_each(Player::leave);
    socket.close().await;
    drop(socket);
    // Its tasks get to their end.
    for _ in 0..TURNS {
        compio::runtime::spawn(async {}).await.expect("a task");
    }
}

type Frames = Vec<Vec<u8>>;

/// A socket, and what is known of it from outside.
struct Table<'a, S> {
    ours: SocketType,
    socket: &'a S,
    turn: Turn,
    peers: Vec<Player>,
    /// Tells messages apart.
    serial: u32,
}

/// Where the dialogue of REQ or REP stands.
#[derive(Clone, Debug, Default, PartialEq)]
enum Turn {
    #[default]
    Idle,
    /// This one was asked.
    Asked(usize),
    /// This one has asked; its envelope.
    Answering(usize, Frames),
}

/// A peer that is there or has left, and what of it the program may still receive: as it is to be
/// received, with its
/// envelope.
struct Player {
    peer: Option<Peer>,
    id: Vec<u8>,
    said: VecDeque<(Frames, Frames)>,
}

impl<S: Sends + Receives> Table<'_, S> {
    /// A peer comes; an id that is in use is refused by a ROUTER, and matters to nobody else.
    fn join(&mut self, script: &mut Script<'_>) {
        // A handshake refuses those that start with a zero byte.
        let id: Vec<_> = script.string(40).iter().copied().skip_while(|byte| *byte == 0).collect();
        if self.peers.len() == PEERS_MAX {
            return;
        }
        let holds = |player: &Player| player.peer.is_some() && player.id == id;
        let refused = self.ours == SocketType::Router && self.peers.iter().any(holds);
        let peer = Peer::join(self.socket, SocketType::Dealer, &id);
        assert_eq!(peer.is_none(), refused, "{id:?}");
        if let Some(peer) = peer {
            let id = peer.id().to_vec();
            self.peers.push(Player { peer: Some(peer), id, said: VecDeque::new() });
        }
    }

    /// A peer says something. What is to be received ends with a number, by which it is known
    /// again.
    fn say(&mut self, script: &mut Script<'_>) {
        let at = script.below(PEERS_MAX);
        let mut frames = frames(script);
        let Some(player) = self.peers.get_mut(at) else { return };
        if open(self.ours, &player.id, &frames).is_some() {
            self.serial += 1;
            frames.push(self.serial.to_be_bytes().to_vec());
        }
        let Some(accepted) = player.peer.as_mut().and_then(|peer| peer.send(message(&frames))) else {
            return;
        };
        match open(self.ours, &player.id, &frames) {
            Some(opened) => {
                assert_ne!(accepted, InletStatus::Violation);
                player.said.push_back(opened);
            }
            // A REP drops it when it gets there.
            None if self.ours == SocketType::Rep => assert_ne!(accepted, InletStatus::Violation),
            None => {
                assert_eq!(accepted, InletStatus::Violation);
                player.leave();
            }
        }
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let mut frames = frames(script);
        if self.ours == SocketType::Router
            && let Some(player) = self.peers.get(script.below(PEERS_MAX))
        {
            frames.insert(0, player.id.clone());
        }
        let result = self.socket.try_send(message(&frames));
        match (self.ours, self.turn.clone(), result.as_ref().map_err(SendError::reason)) {
            (SocketType::Router, _, Err(MonocoqueError::EmptyMessage)) => assert_eq!(frames.len(), 1),
            (SocketType::Router, _, Ok(())) => {
                let id = frames.remove(0);
                assert!(!frames.is_empty());
                let to = self.peers.iter().position(|player| player.peer.is_some() && player.id == id);
                self.check_sent(to.as_slice(), &frames);
            }
            (SocketType::Req, Turn::Asked(_), Err(MonocoqueError::OutOfTurn(_))) => {}
            (SocketType::Req, Turn::Idle, Err(MonocoqueError::WouldBlock)) => {
                assert!(self.peers.iter().all(|player| player.peer.is_none()));
            }
            (SocketType::Req, Turn::Idle, Ok(())) => {
                frames.insert(0, Vec::new());
                let any: Vec<_> = (0..self.peers.len()).collect();
                let to = self.check_sent(&any, &frames).expect("somebody is asked");
                // A reply that came before the question is none.
                self.peers.iter_mut().for_each(|player| player.said.clear());
                self.turn = Turn::Asked(to);
            }
            (SocketType::Rep, Turn::Idle, Err(MonocoqueError::OutOfTurn(_))) => {}
            (SocketType::Rep, Turn::Answering(to, mut envelope), Ok(())) => {
                envelope.append(&mut frames);
                let to = [to].into_iter().find(|to| self.peers[*to].peer.is_some());
                self.check_sent(to.as_slice(), &envelope);
                self.turn = Turn::Idle;
            }
            other => panic!("{other:?}"),
        }
        self.check_sent(&[], &Frames::new());
    }

    /// Checks that one of these peers, if there are any, has got this, and no other anything.
    /// Says which.
    fn check_sent(&mut self, to: &[usize], frames: &Frames) -> Option<usize> {
        let mut expected = Outbox::new();
        encode_message(&message(frames), &mut expected);
        let mut found = None;
        for (at, player) in self.peers.iter_mut().enumerate() {
            let batch = player.peer.as_mut().map(Peer::take).unwrap_or_default();
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
        let first = |player: &Player| player.said.front().is_some();
        match (self.ours, self.turn.clone(), result) {
            (SocketType::Req, Turn::Idle, Err(MonocoqueError::OutOfTurn(_)))
            | (SocketType::Rep, Turn::Answering(..), Err(MonocoqueError::OutOfTurn(_))) => {}
            (SocketType::Req, Turn::Asked(of), Err(MonocoqueError::WouldBlock)) => {
                assert!(!first(&self.peers[of]), "a reply is lost");
            }
            (SocketType::Req, Turn::Asked(of), Ok(reply)) => {
                self.take_said(of..of + 1, &reply);
                self.turn = Turn::Idle;
            }
            (SocketType::Router | SocketType::Rep, Turn::Idle, Err(MonocoqueError::WouldBlock)) => {
                assert!(!self.peers.iter().any(first), "a message is lost");
            }
            (SocketType::Router, Turn::Idle, Ok(received)) => {
                self.take_said(0..self.peers.len(), &received);
            }
            (SocketType::Rep, Turn::Idle, Ok(received)) => {
                let (from, envelope) = self.take_said(0..self.peers.len(), &received);
                self.turn = Turn::Answering(from, envelope);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Finds out which of these peers has said what was received; its messages are received in
    /// order. Gives the envelope.
    fn take_said(&mut self, mut from: std::ops::Range<usize>, received: &Message) -> (usize, Frames) {
        let received: Frames = received.iter().map(<[u8]>::to_vec).collect();
        let is_next = |player: &Player| player.said.front().is_some_and(|(_, body)| *body == received);
        let found = from.find(|at| is_next(&self.peers[*at]));
        let at = found.unwrap_or_else(|| panic!("nobody has said this: {received:?}"));
        let (envelope, _) = self.peers[at].said.pop_front().expect("just seen");
        (at, envelope)
    }

    fn leave(&mut self, script: &mut Script<'_>) {
        let at = script.below(PEERS_MAX);
        if let Some(player) = self.peers.get_mut(at) {
            player.leave();
        }
    }
}

impl Player {
    fn leave(&mut self) {
        if let Some(peer) = self.peer.take() {
            peer.leave();
        }
    }
}

/// What a message that arrives is to the program, and the envelope that is kept for the answer;
/// `None` if it is nothing.
fn open(ours: SocketType, id: &[u8], frames: &Frames) -> Option<(Frames, Frames)> {
    let split = match ours {
        SocketType::Router => return Some((Frames::new(), [vec![id.to_vec()], frames.clone()].concat())),
        SocketType::Req => (frames[0].is_empty()).then_some(1)?,
        _ => frames.iter().position(Vec::is_empty)? + 1,
    };
    let (envelope, body) = frames.split_at(split);
    (!body.is_empty()).then(|| (envelope.to_vec(), body.to_vec()))
}

/// One frame or more.
fn frames(script: &mut Script<'_>) -> Frames {
    (0..=script.below(10)).map(|_| frame(script)).collect()
}

fn frame(script: &mut Script<'_>) -> Vec<u8> {
    match script.byte() {
        // Larger than what is stored in a message.
        len @ 0xf0.. => vec![len; 100],
        len => script.take(usize::from(len) % 48).to_vec(),
    }
}

fn message(frames: &Frames) -> Message {
    frames.iter().map(|frame| &frame[..]).collect()
}

const PEERS_MAX: usize = 4;
const STEPS_MAX: usize = 256;
/// One for the mailbox of the runtime, one for the keeper of the socket, one to spare.
const TURNS: usize = 3;
