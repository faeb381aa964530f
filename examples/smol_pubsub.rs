//! Topics on smol: one publisher, and three subscribers in tasks of their own.
//!
//! Run with `cargo run --example smol_pubsub`. The connections run on the I/O thread of a context,
//! the tasks on smol's threads. Prints how many reports each subscriber has received, and fails if
//! they are not those of its topic, in order.

use std::error::Error;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{StreamExt, pin_mut};
use monocoque::zmq::{PubSocket, SubSocket};
use monocoque::{Context, Endpoint};

const REPORTS: usize = 50;
const CITIES: [&str; 3] = ["oslo", "rome", "lima"];

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    smol::block_on(async {
        let context = Context::new()?; // one I/O thread
        let publisher = PubSocket::new_in(&context)?;
        let endpoint = publisher.bind("tcp://127.0.0.1:0").await?;

        let listeners: Vec<_> = CITIES
            .into_iter()
            .map(|city| smol::spawn(listen(context.clone(), endpoint.clone(), city)))
            .collect();

        // Messages that are published before a subscription reach no subscriber.
        publisher.wait_for_subscriptions(CITIES.len()).await?;
        for report in 0..REPORTS {
            for city in CITIES {
                publisher.send([format!("weather.{city}"), report.to_string()]).await?;
            }
        }

        for (city, listener) in CITIES.into_iter().zip(listeners) {
            let received = listener.await?;
            println!("{city}: {received} reports");
            if received != REPORTS {
                return Err(format!("{city} should have received {REPORTS} reports").into());
            }
        }
        context.shutdown().await;
        Ok(())
    })
}

/// Receives the reports on one city. Returns their number.
async fn listen(context: Context, endpoint: Endpoint, city: &str) -> Outcome<usize> {
    let subscriber = SubSocket::new_in(&context)?;
    subscriber.subscribe(format!("weather.{city}"))?;
    subscriber.connect(endpoint).await?;

    let mut received = 0;
    let mut reports = subscriber.stream().take(REPORTS);
    loop {
        let next = reports.next();
        let late = smol::Timer::after(Duration::from_secs(10));
        pin_mut!(next);
        match select(next, late).await {
            Either::Left((Some(report), _)) => {
                let report = report?;
                if report[1] != *received.to_string().as_bytes() {
                    return Err(format!("{city}: {report:?} is not report {received}").into());
                }
                received += 1;
            }
            Either::Left((None, _)) => return Ok(received),
            Either::Right(_) => return Err(format!("{city}: timed out waiting for a report").into()),
        }
    }
}
