//! Models of endpoints that are connected and given up at the same time, by whoever may do that: the program, the dial, and
//! the end of the socket.

use monocoque_core::runtime::IdleRuntime;
use monocoque_core::sync::model::{check, spawn};
use monocoque_core::{Hwm, RuntimeHandle};

use super::*;
use crate::engine::Names;
use crate::options::Options;
use crate::pattern::PUSH;

fn socket() -> (Arc<Engine>, Arc<Names>, IdleRuntime) {
    let names = Arc::<Names>::default();
    let (home, runtime) = RuntimeHandle::idle();
    let options = Options { send_hwm: Hwm::new(1), ..Options::default() };
    let engine = Engine::new(&PUSH, options, home, names.clone()).expect("a home");
    (engine, names, runtime)
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

/// What a thread does that gives an endpoint up if it is there.
fn disconnect(engine: &Engine, endpoint: &Endpoint) -> bool {
    match engine.disconnect(endpoint) {
        Ok(()) => true,
        Err(MonocoqueError::UnknownEndpoint(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

/// No endpoint is left, none is dialled, and so nothing is taken for a peer.
fn is_alone(engine: &Engine) -> bool {
    let taken = engine.try_send(None, "for nobody".into()).is_ok();
    engine.has_no_endpoint() && !engine.out.lock().is_dialling() && !taken
}

const OVER_STREAMS: &str = "tcp://127.0.0.1:1";
const IN_PROCESS: &str = "inproc://model";

#[test]
fn an_endpoint_that_is_disconnected_while_it_is_connected_is_not_dialled() {
    for text in [OVER_STREAMS, IN_PROCESS] {
        check(3, move || {
            let (engine, names, _runtime) = socket();
            let connecting = spawn({
                let engine = engine.clone();
                move || drop(engine.connect(endpoint(text)).expect("open"))
            });
            let was_there = disconnect(&engine, &endpoint(text));
            connecting.join().expect("connected");
            assert!(was_there || disconnect(&engine, &endpoint(text)), "it is connected by now");
            assert!(is_alone(&engine));
            assert!(names.is_empty(), "nobody waits at the name");
        });
    }
}

#[test]
fn an_endpoint_that_several_give_up_is_dialled_by_the_other_connection_only() {
    check(3, || {
        let (engine, _names, _runtime) = socket();
        for _ in 0..2 {
            engine.connect(endpoint(OVER_STREAMS)).expect("open");
        }
        let via = engine.endpoints.lock()[0].via.clone();
        // Its dial fails, and ends.
        let dial = spawn({
            let engine = engine.clone();
            move || {
                engine.give_up(&via);
                engine.end_dial(&via);
            }
        });
        // This one or the other.
        assert!(disconnect(&engine, &endpoint(OVER_STREAMS)));
        dial.join().expect("given up");
        let left = engine.endpoints.lock().len();
        assert_eq!(engine.out.lock().is_dialling(), left > 0);
        assert_eq!(disconnect(&engine, &endpoint(OVER_STREAMS)), left > 0);
        assert!(is_alone(&engine));
    });
}

#[test]
fn an_endpoint_that_is_connected_while_the_socket_ends_is_given_up() {
    for text in [OVER_STREAMS, IN_PROCESS] {
        check(3, move || {
            let (engine, names, runtime) = socket();
            let connecting = spawn({
                let engine = engine.clone();
                move || engine.connect(endpoint(text)).is_ok()
            });
            engine.close();
            // The keeper ends the socket, and with the runtime end the dials.
            drop(runtime);
            connecting.join().expect("connected or refused");
            let vias: Vec<_> = engine.endpoints.lock().iter().map(|other| other.via.clone()).collect();
            assert!(vias.iter().all(|via| via.stop.is_said()), "a dial would go on for ever");
            assert!(names.is_empty(), "nobody waits at the name");
        });
    }
}
