//! Models of endpoints that are connected and ended at the same time: by the application, the
//! dialer, and the end of the socket.

use std::sync::Arc;

use monocoque_core::runtime::IdleRuntime;
use monocoque_core::sync::model::{check, spawn};
use monocoque_core::{Hwm, RuntimeHandle};

use super::*;
use crate::error::MonocoqueError;
use crate::inproc::InprocRegistry;
use crate::options::Options;
use crate::pattern::PUSH;
use crate::socket::Engine;

fn socket() -> (Arc<Engine>, Arc<InprocRegistry<Engine>>, IdleRuntime) {
    let registry = Arc::<InprocRegistry<Engine>>::default();
    let (handle, runtime) = RuntimeHandle::idle();
    let options = Options { send_hwm: Hwm::new(1), ..Options::default() };
    let engine = Engine::new(&PUSH, options, handle, registry.clone()).expect("a runtime");
    (engine, registry, runtime)
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

/// Disconnects an endpoint, as a thread of the application; `false` if it is gone already.
fn disconnect(engine: &Engine, endpoint: &Endpoint) -> bool {
    match connect::disconnect(engine, endpoint) {
        Ok(()) => true,
        Err(MonocoqueError::UnknownEndpoint(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Returns whether no endpoint is left or dialled, so that no message is accepted.
fn is_alone(engine: &Engine) -> bool {
    let taken = engine.try_send(None, "for nobody".into()).is_ok();
    engine.endpoints.is_empty() && !engine.out.lock().lifecycle.is_dialling() && !taken
}

const OVER_STREAMS: &str = "tcp://127.0.0.1:1";
const IN_PROCESS: &str = "inproc://model";

#[test]
fn disconnect_during_connect_stops_dial() {
    for text in [OVER_STREAMS, IN_PROCESS] {
        check(3, move || {
            let (engine, registry, _runtime) = socket();
            let connecting = spawn({
                let engine = engine.clone();
                move || drop(connect::connect(&engine, endpoint(text), None).expect("open"))
            });
            let was_there = disconnect(&engine, &endpoint(text));
            connecting.join().expect("connected");
            assert!(was_there || disconnect(&engine, &endpoint(text)), "it is connected by now");
            assert!(is_alone(&engine));
            assert!(registry.is_empty(), "no socket waits at the name");
        });
    }
}

#[test]
fn racing_disconnects_keep_dial_count() {
    check(3, || {
        let (engine, _registry, _runtime) = socket();
        for _ in 0..2 {
            connect::connect(&engine, endpoint(OVER_STREAMS), None).expect("open");
        }
        let dialled = engine.endpoints.all().remove(0);
        // The dial fails, and gives up.
        let dial = spawn({
            let engine = engine.clone();
            move || {
                engine.remove_endpoint(&dialled);
                engine.with_wakes(|out, wakes| out.end_dial(dialled.key.id, wakes));
            }
        });
        // Either this one or the dialer removes the endpoint.
        assert!(disconnect(&engine, &endpoint(OVER_STREAMS)));
        dial.join().expect("ended");
        let left = engine.endpoints.all().len();
        assert_eq!(engine.out.lock().lifecycle.is_dialling(), left > 0);
        assert_eq!(disconnect(&engine, &endpoint(OVER_STREAMS)), left > 0);
        assert!(is_alone(&engine));
    });
}

#[test]
fn connect_during_close_is_cancelled() {
    for text in [OVER_STREAMS, IN_PROCESS] {
        check(3, move || {
            let (engine, registry, runtime) = socket();
            let connecting = spawn({
                let engine = engine.clone();
                move || connect::connect(&engine, endpoint(text), None).is_ok()
            });
            engine.close();
            // The supervisor ends the socket, and the end of the runtime ends the dialers.
            drop(runtime);
            connecting.join().expect("connected or refused");
            let endpoints = engine.endpoints.all();
            assert!(
                endpoints.iter().all(|endpoint| endpoint.token.is_cancelled()),
                "a dial would go on for ever"
            );
            assert!(registry.is_empty(), "no socket waits at the name");
        });
    }
}
