//! A pipeline on compio, made of streams and sinks: numbers are pushed, squared in two stages, and
//! summed up.
//!
//! Run with `cargo run --example compio_pipeline`. Everything, including the connections, runs on
//! one thread. Prints the sum, and fails if it is wrong.

use std::error::Error;

use futures::{StreamExt, TryStreamExt, stream};
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{Endpoint, Message, MonocoqueError};

const NUMBERS: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    compio::runtime::Runtime::new()?.block_on(async {
        let results = PullSocket::new()?;
        let to = results.bind("tcp://127.0.0.1:0").await?;
        let jobs = PushSocket::new()?;
        let from = jobs.bind("tcp://127.0.0.1:0").await?;
        let stages: Vec<_> =
            (0..2).map(|_| compio::runtime::spawn(square(from.clone(), to.clone()))).collect();
        jobs.wait_for_peers(2).await?; // so that each has a share

        let numbers = stream::iter((0..NUMBERS).map(|number| Ok(Message::from(number.to_string()))));
        let fed = numbers.forward(jobs.sink()); // closes `jobs` in the end
        let summed = results
            .stream()
            .take(NUMBERS as usize)
            .try_fold(0, |sum, square| async move { Ok::<u64, MonocoqueError>(sum + parse(&square)) });
        let (fed, sum) = futures::join!(fed, summed);
        fed?;
        let sum = sum?;
        for stage in stages {
            stage.cancel().await; // it would wait for more, for ever
        }
        println!("the sum of the squares is {sum}");
        assert_eq!(sum, (0..NUMBERS).map(|number| number * number).sum());
        Ok(())
    })
}

/// Squares the numbers that it pulls, and pushes the results.
async fn square(from: Endpoint, to: Endpoint) -> Result<(), MonocoqueError> {
    let (pull, push) = (PullSocket::new()?, PushSocket::new()?);
    pull.connect(from).await?;
    push.connect(to).await?;
    let squares = pull.stream().map_ok(|message| {
        let number = parse(&message);
        Message::from((number * number).to_string())
    });
    squares.forward(push.sink()).await
}

fn parse(message: &Message) -> u64 {
    std::str::from_utf8(&message[0]).expect("text").parse().expect("a number")
}
