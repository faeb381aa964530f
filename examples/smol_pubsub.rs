//! Topics on smol: three tasks listen, one speaks.
//!
//! Run with `cargo run --example smol_pubsub`. The connections live on the I/O thread of a context,
//! the tasks on smol's threads. Prints what each listener has heard, and fails if it is not what it
//! has asked for, in order.

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

        // What is published before anybody has asked for it goes to nobody.
        publisher.wait_for_subscriptions(CITIES.len()).await?;
        for report in 0..REPORTS {
            for city in CITIES {
                publisher.send([format!("weather.{city}"), report.to_string()]).await?;
            }
        }

        for (city, listener) in CITIES.into_iter().zip(listeners) {
            let heard = listener.await?;
            println!("{city}: {heard} reports");
            if heard != REPORTS {
                return Err(format!("{city} should have heard {REPORTS}").into());
            }
        }
        context.shutdown().await;
        Ok(())
    })
}

/// Takes the reports on one city; how many it were.
async fn listen(context: Context, endpoint: Endpoint, city: &str) -> Outcome<usize> {
    let subscriber = SubSocket::new_in(&context)?;
    subscriber.subscribe(format!("weather.{city}"))?;
    subscriber.connect(endpoint).await?;

    let mut heard = 0;
    let mut reports = subscriber.stream().take(REPORTS);
    loop {
        let next = reports.next();
        let late = smol::Timer::after(Duration::from_secs(10));
        pin_mut!(next);
        match select(next, late).await {
            Either::Left((Some(report), _)) => {
                let report = report?;
                if report[1] != *heard.to_string().as_bytes() {
                    return Err(format!("{city}: {report:?} is not report {heard}").into());
                }
                heard += 1;
            }
            Either::Left((None, _)) => return Ok(heard),
            Either::Right(_) => return Err(format!("{city}: nothing more was heard").into()),
        }
    }
}
