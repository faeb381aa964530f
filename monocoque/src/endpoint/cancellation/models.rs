//! Models of the token: every waiter is woken.

use std::future::pending;
use std::pin::pin;

use monocoque_core::sync::model::{block_on, check, poll_once, spawn};

use super::*;

#[test]
fn all_who_listen_hear_it() {
    check(3, || {
        let stop = CancellationToken::default();
        let listeners = [(); 2].map(|()| {
            let stop = stop.clone();
            spawn(move || block_on(stop.cancelled()))
        });
        stop.cancel();
        listeners.into_iter().for_each(|listener| listener.join().expect("woken"));
        assert!(stop.is_cancelled());
    });
}

#[test]
fn one_who_listens_no_longer_is_in_nobodys_way() {
    check(3, || {
        let stop = CancellationToken::default();
        let fickle = spawn({
            let stop = stop.clone();
            move || poll_once(pin!(stop.cancelled())).is_ready()
        });
        let patient = spawn({
            let stop = stop.clone();
            move || block_on(stop.cancelled())
        });
        drop(CancelOnDrop(stop));
        patient.join().expect("woken");
        fickle.join().expect("dropped");
    });
}

#[test]
fn work_is_given_up_for_it() {
    check(3, || {
        let stop = CancellationToken::default();
        let worker = spawn({
            let stop = stop.clone();
            move || block_on(stop.run_until_cancelled(pending::<()>()))
        });
        stop.cancel();
        assert_eq!(worker.join().expect("woken"), None);
    });
}
