//! `invert_matching`: subscribers receive the messages that match none of their topics.

use monocoque::zmq::{PubSocket, SubSocket, XpubSocket, XsubSocket};
use testing::everywhere;

everywhere! {
    async fn inverted_pub_skips_matching_subscribers(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().invert_matching(true)).await;
        let wants = [&[][..], &["a"], &["a", "ab", "abc"], &["b", "a"]];
        let mut subscribers = Vec::new();
        for topics in wants {
            let subscriber = at.connected(SubSocket::builder().invert_matching(true), &endpoint).await;
            topics.iter().for_each(|topic| subscriber.subscribe(topic).expect("open"));
            subscribers.push((subscriber, topics));
        }
        publisher.wait_for_subscriptions(6).await.expect("open");
        publisher.wait_for_peers(4).await.expect("open");
        let subjects = ["a", "abc", "b", "bc", "", "c", "end"];
        for subject in subjects {
            publisher.send([subject, "body"]).await.expect("sent");
        }
        for (subscriber, topics) in &subscribers {
            let wanted = |subject: &&str| !topics.iter().any(|topic| subject.starts_with(topic));
            for subject in subjects.into_iter().filter(wanted) {
                assert_eq!(subscriber.recv().await.expect("received"), [subject, "body"]);
            }
            assert!(subscriber.try_recv().is_err());
        }
        let (last, _) = subscribers.swap_remove(2);
        last.unsubscribe("a").expect("open");
        testing::eventually("the subscription is cancelled", || publisher.subscription_count() == 5).await;
        publisher.send("aa").await.expect("sent");
        assert_eq!(last.recv().await.expect("received"), "aa");
        assert_eq!(subscribers[0].0.recv().await.expect("received"), "aa");
        assert!(subscribers[1].0.try_recv().is_err());
    }

    async fn inverted_empty_topic_blocks_everything(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().invert_matching(true)).await;
        let xsub = at.connected(XsubSocket::builder(), &endpoint).await;
        xsub.subscribe("").expect("open");
        assert_eq!(xpub.recv().await.expect("received"), b"\x01");
        for n in 0..10 {
            xpub.send(n.to_string()).await.expect("sent");
        }
        xsub.unsubscribe("").expect("open");
        assert_eq!(xpub.recv().await.expect("received"), b"\0");
        xpub.send("now").await.expect("sent");
        assert_eq!(xsub.recv().await.expect("received"), "now");
    }

    async fn inverted_sub_filters_locally(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let subscriber = at.connected(SubSocket::builder().invert_matching(true), &endpoint).await;
        subscriber.subscribe("a").expect("open");
        subscriber.subscribe("").expect("open");
        publisher.wait_for_subscriptions(2).await.expect("open");
        publisher.send("c").await.expect("sent");
        publisher.send("a").await.expect("sent");
        testing::eventually("both messages are queued", || subscriber.stats().recv_queue == 2).await;
        // The empty topic matches both messages; without it, one of them matches none.
        subscriber.unsubscribe("").expect("open");
        assert_eq!(subscriber.recv().await.expect("received"), "c");
        assert!(subscriber.try_recv().is_err());
        assert_eq!(subscriber.stats().discarded, 1);
    }
}
