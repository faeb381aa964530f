//! Tasks that wait for readiness, beside those that receive and send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};

use futures::future::{join, join3};
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket};
use monocoque::{Message, MonocoqueError};
use testing::{AtOnce, eventually, everywhere, fill, numbered};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

everywhere! {
    async fn observers_wake_beside_receiver(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        for n in 0..100 {
            // The message stays until the observers have looked.
            let observers = join(pull.readable(), pull.readable());
            let ((one, other), received, sent) =
                join3(observers, async { pull.readable().await?; pull.recv().await }, push.send(numbered(n))).await;
            assert!(one.is_ok() && other.is_ok() && sent.is_ok());
            assert_eq!(received.expect("received"), numbered(n));
        }
    }

    async fn readable_takes_no_turn(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let mut observer = Box::pin(pull.readable());
        assert!(observer.as_mut().at_once().is_none(), "there is no message");
        let (received, sent) = join(pull.recv(), push.send("one")).await;
        assert_eq!(received.expect("received"), "one");
        sent.expect("sent");
        assert!(observer.as_mut().at_once().is_none(), "the receiver has taken it");
        push.send("two").await.expect("sent");
        observer.await.expect("open");
        assert_eq!(pull.try_recv().expect("still there"), "two");
    }

    async fn cancelled_observers_leave_no_trace(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let count = Arc::new(Count::default());
        let waker = count.clone().into();
        for _ in 0..10 {
            let mut observer = Box::pin(pull.readable());
            assert!(observer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let yields = count.get();
        push.send("one").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "one");
        assert_eq!(count.get(), yields, "a dropped observer is not woken");
        assert_eq!(Arc::strong_count(&count), 2, "no waker is kept");
    }

    async fn room_wakes_writable(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let push = at.connected(PushSocket::builder().send_hwm(1), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let sent = fill(&push, |n| Message::from(vec![n as u8; 100_000])).await;
        let mut observer = Box::pin(push.writable());
        assert!(observer.as_mut().at_once().is_none());
        let (writable, ()) = join(observer, async {
            for _ in 0..sent {
                pull.recv().await.expect("received");
            }
        })
        .await;
        writable.expect("open");
        push.try_send("room").expect("queued");
    }

    async fn reply_wakes_observer_of_next_request(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let reqs = [at.connected(ReqSocket::builder(), &endpoint).await,
            at.connected(ReqSocket::builder(), &endpoint).await];
        for req in &reqs {
            req.send("request").await.expect("sent");
        }
        rep.recv().await.expect("received");
        eventually("the second request waits", || rep.stats().recv_queue == 1).await;
        let mut readable = Box::pin(rep.readable());
        assert!(readable.as_mut().at_once().is_none());
        let (readable, sent) = join(readable, rep.send("reply")).await;
        assert!(readable.is_ok() && sent.is_ok());
        let mut writable = Box::pin(rep.writable());
        assert!(writable.as_mut().at_once().is_none());
        let (writable, received) = join(writable, rep.recv()).await;
        assert!(writable.is_ok() && received.is_ok());
    }

    async fn close_wakes_all_observers(at) {
        let dealer: DealerSocket = at.socket();
        let sub: SubSocket = at.socket();
        let observers = join(join(dealer.readable(), dealer.writable()), join(sub.readable(), sub.writable()));
        let closing = join(dealer.close(), sub.close());
        let (((a, b), (c, d)), _) = join(observers, closing).await;
        for result in [a, b, c, d] {
            assert!(matches!(result, Err(MonocoqueError::Closed)));
        }
    }
}
