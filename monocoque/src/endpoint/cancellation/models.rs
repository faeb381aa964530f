//! Models of the token: every waiter is woken.

use std::future::pending;
use std::pin::pin;

use monocoque_core::sync::model::{block_on, check, poll_once, spawn};

use super::*;

#[test]
fn cancel_wakes_all_waiters() {
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
fn dropped_waiter_blocks_no_other() {
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
fn cancel_interrupts_running_work() {
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
