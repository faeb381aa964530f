//! Pumps and receivers on threads of their own.

use super::*;

/// Pumps and receivers on threads of their own, in random bursts, some of them giving up. Nobody
/// may sleep past the deadline while there is something to do.
#[test]
fn stress_loses_no_item_or_wake() {
    const PUMPS: usize = 3;
    const RECEIVERS: usize = 3;
    const EACH: usize = 20_000;
    const DEADLINE: Duration = Duration::from_secs(20);
    for hwm in [1, 2, 7, 1000] {
        let each = if hwm < 3 { EACH / 4 } else { EACH };
        let inbox = Inbox::new();
        let left = AtomicUsize::new(PUMPS * each);
        let seen: Mutex<Vec<Vec<usize>>> = Mutex::new(vec![Vec::new(); PUMPS]);
        let start = Instant::now();
        let sleep = |what: &str| {
            thread::park_timeout(DEADLINE);
            assert!(start.elapsed() < DEADLINE, "{what} sleeps on");
        };
        let pump = |who: usize| {
            let mut random = fastrand::Rng::with_seed(who as u64 + 7 * hwm as u64);
            let lane = lane(&inbox, who as u32, hwm);
            let waker = Alarm::new().into();
            let mut cx = Context::from_waker(&waker);
            let mut pushed = 0;
            while pushed < each {
                match inbox.poll_room(lane, &mut cx) {
                    Poll::Ready(room) => {
                        let n = random.usize(1..=room.expect("open")).min(each - pushed);
                        push(&inbox, lane, (pushed..pushed + n).map(|n| (who, n)));
                        pushed += n;
                    }
                    Poll::Pending => sleep("a pump"),
                }
            }
            inbox.detach_lane(lane);
        };
        let receiver = |who: usize| {
            let mut random = fastrand::Rng::with_seed(who as u64);
            let waker = Alarm::new().into();
            let cx = Context::from_waker(&waker);
            let mut ticket = None;
            let mut got = vec![Vec::new(); PUMPS];
            while left.load(Ordering::SeqCst) > 0 {
                match poll_pop(&inbox, &mut ticket, &cx) {
                    Poll::Ready(Ok((_, (pump, n)))) => {
                        got[pump].push(n);
                        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                            inbox.drain();
                        }
                    }
                    Poll::Ready(Err(InboxClosed)) => break,
                    Poll::Pending if random.u8(..4) == 0 => {
                        inbox.remove_waiter(&mut ticket);
                        thread::yield_now();
                    }
                    Poll::Pending => sleep("a receiver"),
                }
            }
            let mut seen = seen.lock();
            for (all, got) in seen.iter_mut().zip(got) {
                assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "out of order");
                all.extend(got);
            }
        };
        thread::scope(|scope| {
            (0..PUMPS).for_each(|who| drop(scope.spawn(move || pump(who))));
            (0..RECEIVERS).for_each(|who| drop(scope.spawn(move || receiver(who))));
        });
        for mut all in seen.into_inner() {
            all.sort_unstable();
            assert!(all.into_iter().eq(0..each), "each of them once");
        }
    }
}
