//! A mixed load with continuous churn over a long time: the resources of the process and the round
//! trip times must not grow.
//!
//! PUSH to PULL, DEALER to ROUTER and PUB to SUB, with libzmq among the last two, through proxies
//! that reset connections; meanwhile sockets, contexts and runtimes are created, used and dropped,
//! and [hostile peers](testing::hostile) connect. A row of figures is taken every few seconds; at
//! the end [`trend`] evaluates each column.
//!
//! `scripts/soak.sh` runs it; it is ignored otherwise. `SOAK_MINUTES` sets its duration.
//! `SOAK_LEAK=memory|fds|threads|latency` causes a leak, with which it must fail.

mod load;
mod trend;

use std::time::{Duration, Instant};

use load::Load;
use testing::process_stats::ProcessStats;
use trend::{Column, Tolerance};

#[test]
#[ignore = "takes minutes: scripts/soak.sh"]
fn soak_figures_stay_bounded() {
    let seed =
        std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    let minutes: f64 = std::env::var("SOAK_MINUTES").map_or(10.0, |text| text.parse().expect("a number"));
    let leak = std::env::var("SOAK_LEAK").unwrap_or_default();
    let time = Duration::from_secs_f64(minutes * 60.0);
    // At least 20 rows, at least five seconds apart for long runs.
    let step = (time / 20).min(Duration::from_secs(5));
    println!("SEED={seed} SOAK_MINUTES={minutes} SOAK_LEAK={leak}");
    let start = Instant::now();
    let load = Load::start(seed);
    let mut leaked = Leaked::default();
    let mut columns = [
        Column::new("RSS kB", Tolerance { relative: 0.10, absolute: 8_192.0 }),
        Column::new("fds", Tolerance { relative: 0.05, absolute: 6.0 }),
        Column::new("threads", Tolerance { relative: 0.05, absolute: 3.0 }),
        Column::new("p50 us", Tolerance::NONE),
        Column::new("p99 us", Tolerance::NONE),
        // Relative to a plain stream: other load of the machine affects both.
        Column::new("x p50", Tolerance { relative: 0.75, absolute: 2.0 }),
        Column::new("x p99", Tolerance { relative: 1.50, absolute: 5.0 }),
    ];
    println!(
        "{:>8} {} {:>10} {:>8}",
        "s",
        columns.each_ref().map(|column| format!("{:>10}", column.name)).join(" "),
        "messages",
        "sockets"
    );
    while start.elapsed() < time {
        std::thread::sleep(step);
        leaked.leak(&leak);
        let stats = ProcessStats::now();
        let latency = load.take_latency();
        let figures = [
            stats.rss_kb as f64,
            stats.fds as f64,
            stats.threads as f64,
            latency.p50,
            latency.p99,
            latency.times_p50 + leaked.delay,
            latency.times_p99 + leaked.delay,
        ];
        let row = figures.map(|figure| format!("{figure:>10.1}")).join(" ");
        println!(
            "{:>8.1} {row} {:>10} {:>8}",
            start.elapsed().as_secs_f64(),
            load.messages(),
            load.sockets()
        );
        for (column, figure) in columns.iter_mut().zip(figures) {
            column.put(start.elapsed().as_secs_f64(), figure);
        }
    }
    let (messages, sockets, faults, hostile) =
        (load.messages(), load.sockets(), load.faults(), load.hostile());
    load.end();
    let verdicts = columns.each_ref().map(Column::evaluate);
    for (column, verdict) in columns.iter().zip(&verdicts) {
        println!("{:>10}: {verdict}", column.name);
    }
    println!(
        "{messages} messages, {sockets} sockets, {faults} faults of connections, {hostile} connections of \
         hostile peers"
    );
    let growing: Vec<_> = columns
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| verdict.grows)
        .map(|(column, _)| column.name)
        .collect();
    assert!(growing.is_empty(), "SEED={seed}: growing figures: {growing:?}");
    assert!(messages > 0 && sockets > 10 && hostile > 10, "SEED={seed}: there was hardly any load");
}

/// An intentional leak.
#[derive(Default)]
struct Leaked {
    memory: Vec<Vec<u8>>,
    files: Vec<std::fs::File>,
    threads: Vec<std::sync::mpsc::Sender<()>>,
    /// A multiple of the plain round trip.
    delay: f64,
}

impl Leaked {
    fn leak(&mut self, what: &str) {
        match what {
            "" => {}
            // Written, so that it is resident.
            "memory" => self.memory.push(vec![1; 2 << 20]),
            "fds" => self.files.push(std::fs::File::open("/proc/self/status").expect("a file")),
            "threads" => {
                let (alive, gone) = std::sync::mpsc::channel::<()>();
                std::thread::spawn(move || gone.recv());
                self.threads.push(alive);
            }
            "latency" => self.delay += 0.5,
            other => panic!("SOAK_LEAK={other}: memory, fds, threads or latency"),
        }
    }
}
