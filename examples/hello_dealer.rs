//! A DEALER sends a greeting to a ROUTER, which replies by routing id.
//!
//! Run with `cargo run --example hello_dealer`. Prints the message that the ROUTER receives and the
//! reply that the DEALER receives.

use monocoque::zmq::{DealerSocket, RouterSocket};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    compio::runtime::Runtime::new()?.block_on(async {
        let router = RouterSocket::new()?;
        let endpoint = router.bind("tcp://127.0.0.1:0").await?; // with the port that was chosen

        let dealer = DealerSocket::builder().routing_id("worker-1").build()?;
        dealer.connect(endpoint).await?; // returns at once; the connection is made in the background
        dealer.send(["hello", "world"]).await?;

        let (peer, message) = router.recv_from().await?;
        println!("{peer} sent {message:?}");
        router.send_to(&peer, ["hello", "to you"]).await?;

        let answer = dealer.recv().await?;
        println!("the answer is {answer:?}");
        assert_eq!(answer, ["hello", "to you"]);
        dealer.close().await;
        Ok(())
    })
}
