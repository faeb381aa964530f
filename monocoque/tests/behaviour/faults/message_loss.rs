//! Messages that are lost with a connection, and messages that are not.

use std::cell::Cell;
use std::fs;
use std::pin::pin;
use std::time::Duration;

use futures::future::{join_all, select};
use monocoque::Message;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket};

use super::{SOON, number, through};
use testing::ledger::{NumberSet, OrderedRuns};
use testing::proxy::{Fault, FaultPlan, Proxy};
use testing::{Transport, over_streams};

/// A message of three frames of different lengths.
fn multipart(n: u64) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; 300], vec![!(n as u8); 5]])
}

fn large(n: u64) -> Message {
    Message::from([n.to_string().into_bytes(), vec![n as u8; LARGE]])
}

const ENDS: [Fault; 5] = [
    Fault::Reset,
    Fault::Close,
    Fault::CutToClient,
    Fault::CutToTarget,
    Fault::Stall(Duration::from_millis(5)),
];

/// Sends and receives while the proxy ends one connection after the other, then until 100 messages
/// in a row arrive. Returns the numbers received and the count of messages sent.
async fn exchange<S: Sends, R: Receives>(
    (sender, receiver): (&S, &R),
    proxy: &Proxy,
    connections: u64,
    message: fn(u64) -> Message,
) -> (Vec<u64>, u64) {
    let sent = Cell::new(0);
    let send = async {
        loop {
            sender.send(message(sent.get())).await.expect("open");
            sent.set(sent.get() + 1);
        }
    };
    let receive = async {
        let mut numbers = Vec::<u64>::new();
        let mut healed = false;
        let mut good = 0;
        while good < 100 {
            let mut received = receiver.recv().await.expect("open");
            if received.get(0).is_some_and(|frame| frame.first() == Some(&0)) {
                // The routing id that a ROUTER prepends.
                received.pop_front();
            }
            let n = number(&received);
            assert!(received == message(n), "altered: {received:?}");
            good = if healed && numbers.last().is_some_and(|last| last + 1 == n) { good + 1 } else { 0 };
            numbers.push(n);
            if !healed && proxy.counts().accepted >= connections {
                healed = true;
                proxy.heal();
            }
        }
        numbers
    };
    // A sender blocked by a dead connection sends nothing, so the receiver alone would never
    // finish.
    let end = async {
        while proxy.counts().accepted < connections {
            testing::yield_now().await;
        }
        proxy.heal();
        std::future::pending::<()>().await;
    };
    let receive = async {
        match select(pin!(receive), pin!(end)).await {
            futures::future::Either::Left((numbers, _)) => numbers,
            futures::future::Either::Right(_) => unreachable!("the future is pending"),
        }
    };
    match select(pin!(send), pin!(receive)).await {
        futures::future::Either::Left(((), _)) => unreachable!("the load has no end"),
        futures::future::Either::Right((numbers, _)) => (numbers, sent.get()),
    }
}

fn assert_once(numbers: &[u64]) {
    let mut seen = NumberSet::default();
    for n in numbers {
        assert!(seen.set(*n), "{n} was received twice");
    }
}

fn runs(numbers: &[u64]) -> usize {
    let mut piles = OrderedRuns::default();
    numbers.iter().for_each(|n| piles.put(*n));
    piles.0.len()
}

over_streams! {
    /// Ends each connection after a random number of bytes, often within a handshake or a frame.
    async fn pull_never_receives_partial_message(at) {
        let mut chance = testing::seeded_rng();
        let faults = FaultPlan { faults: ENDS.to_vec(), after: 0..1_500, ..FaultPlan::default() };
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let proxy = through(&at, &endpoint, faults, chance.u64(..));
        let push = at.build(PushSocket::builder().send_hwm(20).reconnect_interval(SOON).linger(Some(Duration::ZERO)));
        push.connect(proxy.endpoint()).await.expect("connected");
        let (numbers, _) = exchange((&push, &pull), &proxy, 60, multipart).await;
        assert_once(&numbers);
        assert!(runs(&numbers) <= 60, "{} runs", runs(&numbers));
    }

    async fn router_never_receives_partial_message(at) {
        let mut chance = testing::seeded_rng();
        let faults = FaultPlan { fragment: 100, faults: ENDS.to_vec(), after: 0..1_500, ..FaultPlan::default() };
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let proxy = through(&at, &endpoint, faults, chance.u64(..));
        let dealer = at.build(DealerSocket::builder().send_hwm(20).reconnect_interval(SOON).linger(Some(Duration::ZERO)));
        dealer.connect(proxy.endpoint()).await.expect("connected");
        let (numbers, _) = exchange((&dealer, &router), &proxy, 40, multipart).await;
        assert_once(&numbers);
    }

    /// Checks the order over all connections: a connecting socket has one connection at a time.
    async fn resets_lose_only_kernel_data(at) {
        const CONNECTIONS: u64 = 25;
        let mut chance = testing::seeded_rng();
        let faults = FaultPlan { faults: vec![Fault::Reset], after: 0..400_000, ..FaultPlan::default() };
        let (push, endpoint) = at.bound(PushSocket::builder().send_hwm(20).linger(Some(Duration::ZERO))).await;
        let proxy = through(&at, &endpoint, faults, chance.u64(..));
        let pull = at.build(PullSocket::builder().reconnect_interval(SOON));
        pull.connect(proxy.endpoint()).await.expect("connected");
        let (numbers, sent) = exchange((&push, &pull), &proxy, CONNECTIONS, large).await;
        assert_eq!(runs(&numbers), 1, "in order over all connections");
        let gaps: Vec<_> = numbers.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|gap| *gap > 0).collect();
        let (lost, most) = (gaps.iter().sum::<u64>(), gaps.iter().max().copied().unwrap_or(0));
        println!("{CONNECTIONS} connections: {sent} sent, {lost} lost in {} gaps, at most {most} at once", gaps.len());
        assert!(gaps.len() as u64 <= CONNECTIONS, "more gaps than lost connections");
        // A gap may span several connections of which nothing arrived.
        let limit = max_bytes_in_flight(at.transport) / LARGE as u64 + 1;
        assert!(lost <= limit * CONNECTIONS, "{lost} lost, {limit} a connection allowed");
        assert_eq!(push.stats().dropped, 0, "no message was dropped");
    }

    /// Checks the order within each connection: a bound socket has several at the same time.
    async fn resets_keep_connection_order(at) {
        const CONNECTIONS: u64 = 25;
        let mut chance = testing::seeded_rng();
        let faults = FaultPlan { faults: ENDS.to_vec(), after: 0..400_000, ..FaultPlan::default() };
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let proxy = through(&at, &endpoint, faults, chance.u64(..));
        let push = at.build(PushSocket::builder().send_hwm(20).reconnect_interval(SOON).linger(Some(Duration::ZERO)));
        push.connect(proxy.endpoint()).await.expect("connected");
        let (numbers, sent) = exchange((&push, &pull), &proxy, CONNECTIONS, large).await;
        assert_once(&numbers);
        assert!(runs(&numbers) as u64 <= CONNECTIONS, "{} runs", runs(&numbers));
        let last = numbers.iter().max().expect("not empty") + 1;
        let lost = last - numbers.len() as u64;
        println!("{CONNECTIONS} connections: {sent} sent, {lost} lost");
        let limit = max_bytes_in_flight(at.transport) / LARGE as u64 + 1;
        assert!(lost <= limit * CONNECTIONS, "{lost} lost, {limit} a connection allowed");
        assert_eq!(push.stats().dropped, 0, "no message was dropped");
    }

    async fn flapping_pull_leaves_others_served(at) {
        const MESSAGES: u64 = 3_000;
        let mut chance = testing::seeded_rng();
        let faults = FaultPlan { faults: ENDS.to_vec(), after: 0..300_000, ..FaultPlan::default() };
        let mut pulls = Vec::new();
        let push = at.build(PushSocket::builder().send_hwm(20).reconnect_interval(SOON));
        let mut proxy = None;
        for n in 0..3 {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            pulls.push(pull);
            if n == 0 {
                let lossy = through(&at, &endpoint, faults.clone(), chance.u64(..));
                push.connect(lossy.endpoint()).await.expect("connected");
                proxy = Some(lossy);
            } else {
                push.connect(endpoint).await.expect("connected");
            }
        }
        let proxy = proxy.expect("created");
        push.wait_for_peers(2).await.expect("open");
        let closed = Cell::new(false);
        let lost_connections = Cell::new(0);
        let send = async {
            for n in 0..MESSAGES {
                push.send(Message::from([n.to_string().into_bytes(), vec![n as u8; 2_000]])).await.expect("no error");
            }
            proxy.heal();
            push.close().await;
            // The count includes connections that ended regularly, so the limit is generous.
            lost_connections.set(push.stats().lost_connections);
            closed.set(true);
        };
        let receive = pulls.iter().map(async |pull| {
            let mut numbers = Vec::new();
            let receive = async {
                loop {
                    let message = pull.recv().await.expect("open");
                    let n = number(&message);
                    assert!(message[1] == vec![n as u8; 2_000], "whole");
                    numbers.push(n);
                }
            };
            let gone = testing::eventually("all connections have ended", || closed.get() && pull.peer_count() == 0);
            select(pin!(receive), pin!(gone)).await;
            numbers.extend(std::iter::from_fn(|| pull.try_recv().ok()).map(|message| number(&message)));
            numbers
        });
        let (received, ()) = futures::join!(join_all(receive), send);
        let lost_connections = lost_connections.get() as usize;
        for numbers in &received[1..] {
            let runs = runs(numbers);
            assert!(runs <= 1 + lost_connections, "{runs} runs, {lost_connections} lost connections");
        }
        let all = received.concat();
        assert_once(&all);
        let lost = MESSAGES - all.len() as u64;
        println!("{lost} of {MESSAGES} lost with {lost_connections} connections");
        assert!(lost <= lost_connections as u64 * (max_bytes_in_flight(at.transport) / 2_000));
        assert!(received[1..].iter().all(|numbers| numbers.len() > 500), "the other peers were served");
    }
}

/// Maximum number of bytes in flight in the kernel buffers of both sides and in the proxy.
fn max_bytes_in_flight(transport: Transport) -> u64 {
    let limit = |path: &str| -> u64 {
        let text = fs::read_to_string(path).expect("a limit");
        text.split_whitespace().last().and_then(|text| text.parse().ok()).expect("a number")
    };
    let buffers = match transport {
        Transport::Tcp => limit("/proc/sys/net/ipv4/tcp_wmem") + limit("/proc/sys/net/ipv4/tcp_rmem"),
        Transport::Ipc => 2 * limit("/proc/sys/net/core/wmem_default"),
        Transport::Inproc => 0,
    };
    // Adds the proxy's buffer, and the data that the receiver has read from a lost connection whose
    // lane is not yet drained.
    buffers + (256 << 10)
}

const LARGE: usize = 20_000;
