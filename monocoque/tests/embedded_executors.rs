//! Embedded contexts in tokio and in smol.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::{Either, select};
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket};
use monocoque::{Context, Driver};
use testing::{DEADLINE, numbered, within};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

const MESSAGES: usize = 10_000;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn embedded() -> (Context, Driver) {
    Context::embedded().expect("a context")
}

async fn pipeline(pull_in: &Context, push_in: &Context) -> (PullSocket, PushSocket) {
    let pull = PullSocket::new_in(pull_in).expect("a socket");
    let push = PushSocket::new_in(push_in).expect("a socket");
    push.connect(pull.bind("tcp://127.0.0.1:0").await.expect("bound")).await.expect("connected");
    (pull, push)
}

async fn send_all(push: PushSocket) {
    for n in 0..MESSAGES {
        push.send(numbered(n)).await.expect("sent");
    }
    push.close().await;
}

async fn receive_all(pull: PullSocket) {
    for n in 0..MESSAGES {
        assert_eq!(pull.recv().await.expect("received"), numbered(n));
    }
    pull.close().await;
}

/// Both ends in one context, then one end with an I/O thread, in both directions.
async fn exchange(context: Context) {
    let other = Context::new().expect("an I/O thread");
    for (pull_in, push_in) in [(&context, &context), (&context, &other), (&other, &context)] {
        let (pull, push) = pipeline(pull_in, push_in).await;
        futures::join!(send_all(push), receive_all(pull));
    }
    let dealer = DealerSocket::builder().recv_timeout(Duration::from_millis(30)).build_in(&context);
    let dealer = dealer.expect("a socket");
    let start = Instant::now();
    assert!(dealer.recv().await.expect_err("nobody sends").is_timeout());
    assert!(start.elapsed() >= Duration::from_millis(30) && start.elapsed() < Duration::from_secs(5));
    context.shutdown().await;
}

/// Runs the work beside the driver, which never ends.
async fn beside<T>(driven: impl Future, work: impl Future<Output = T>) -> T {
    match select(pin!(driven), pin!(work)).await {
        Either::Left(_) => panic!("the driver has ended"),
        Either::Right((done, _)) => done,
    }
}

#[test]
fn tokio_local_set_runs_driver() {
    within(DEADLINE, || {
        let (context, driver) = embedded();
        let local = LocalSet::new();
        let driven = local.spawn_local(driver.run_local());
        local.block_on(&current_thread(), exchange(context));
        assert!(!driven.is_finished());
    });
}

#[test]
fn tokio_block_on_runs_driver() {
    within(DEADLINE, || {
        let (context, driver) = embedded();
        current_thread().block_on(beside(driver.run_local(), exchange(context)));
    });
}

#[test]
fn tokio_workers_use_embedded_sockets() {
    within(DEADLINE, || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let (context, driver) = embedded();
        runtime.block_on(beside(driver.run_local(), async {
            let (pull, push) = pipeline(&context, &context).await;
            // Both tasks run on threads of tokio's.
            let sender = tokio::spawn(send_all(push));
            tokio::spawn(receive_all(pull)).await.expect("no panic");
            sender.await.expect("no panic");
            context.shutdown().await;
        }));
    });
}

#[test]
fn tokio_tasks_run_beside_busy_driver() {
    within(DEADLINE, || {
        let (context, driver) = embedded();
        let ticks = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        current_thread().block_on(beside(driver.run_local(), async {
            let (pull, push) = pipeline(&context, &context).await;
            let send = async {
                loop {
                    push.send("x").await.expect("sent");
                }
            };
            let receive = async {
                loop {
                    pull.recv().await.expect("received");
                }
            };
            beside(async { futures::join!(send, receive) }, ticks).await;
        }));
    });
}

#[test]
fn aborted_tokio_driver_closes_sockets() {
    within(DEADLINE, || {
        let (context, driver) = embedded();
        let local = LocalSet::new();
        let driven = local.spawn_local(driver.run_local());
        local.block_on(&current_thread(), async {
            let (pull, push) = pipeline(&context, &context).await;
            push.send("x").await.expect("sent");
            pull.recv().await.expect("received");
            let waiting = tokio::task::spawn_local(async move { pull.recv().await });
            tokio::task::yield_now().await;
            driven.abort();
            assert!(driven.await.expect_err("aborted").is_cancelled());
            assert!(waiting.await.expect("no panic").expect_err("the driver is gone").is_closed());
        });
    });
}

#[test]
fn run_local_outside_tokio_fails() {
    let (_context, driver) = embedded();
    let error = block_on(driver.run_local()).expect_err("there is no tokio");
    assert!(error.to_string().contains("Tokio"), "{error}");
}

#[test]
fn smol_local_executor_runs_driver() {
    within(DEADLINE, || {
        let (context, driver) = embedded();
        let local = smol::LocalExecutor::new();
        let driven = local.spawn(driver.run_smol());
        smol::block_on(local.run(exchange(context)));
        assert!(!driven.is_finished());
    });
}

#[test]
fn plain_executor_runs_smol_driver() {
    within(DEADLINE, || {
        let (context, driver) = embedded();
        block_on(beside(driver.run_smol(), exchange(context)));
    });
}

#[test]
fn smol_workers_use_embedded_sockets() {
    within(DEADLINE, || {
        let (context, driver) = embedded();
        smol::block_on(beside(driver.run_smol(), async {
            let (pull, push) = pipeline(&context, &context).await;
            let sender = smol::spawn(send_all(push));
            smol::spawn(receive_all(pull)).await;
            sender.await;
            context.shutdown().await;
        }));
    });
}
