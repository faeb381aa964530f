//! A broker between clients and workers: a proxy of a ROUTER and a DEALER.
//!
//! Run: `cargo run --example proxy_broker`

use futures::future::join_all;
use monocoque::zmq::{DealerSocket, RepSocket, ReqSocket, RouterSocket};
use monocoque::{MonocoqueError, Proxy};

const CLIENTS: usize = 3;
const WORKERS: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    compio::runtime::Runtime::new()?.block_on(run())?;
    Ok(())
}

async fn run() -> Result<(), MonocoqueError> {
    let (frontend, backend) = (RouterSocket::new()?, DealerSocket::new()?);
    let clients_at = frontend.bind("tcp://127.0.0.1:0").await?;
    let workers_at = backend.bind("tcp://127.0.0.1:0").await?;

    for name in 0..WORKERS {
        let worker = RepSocket::new()?;
        worker.connect(workers_at.clone()).await?;
        compio::runtime::spawn(async move {
            while let Ok(request) = worker.recv().await {
                let question = String::from_utf8_lossy(&request[0]).into_owned();
                let answer = format!("worker {name} has done {question}");
                if worker.send(answer).await.is_err() {
                    break;
                }
            }
        })
        .detach();
    }
    backend.wait_for_peers(WORKERS).await?;

    let broker = Proxy::new(&frontend, &backend);
    let control = broker.control();
    let asking = async {
        let clients = (0..CLIENTS).map(|n| {
            let clients_at = clients_at.clone();
            async move {
                let client = ReqSocket::new()?;
                client.connect(clients_at).await?;
                for job in 0..2 {
                    let reply = client.request(format!("job {job} of client {n}")).await?;
                    println!("{}", String::from_utf8_lossy(&reply[0]));
                }
                Ok::<_, MonocoqueError>(())
            }
        });
        let asked = join_all(clients).await.into_iter().collect::<Result<(), _>>();
        control.terminate();
        asked
    };
    let (brokered, asked) = futures::join!(broker.run(), asking);
    asked?;
    brokered?;
    println!("{:?}", control.stats());
    assert_eq!(control.stats().forward.messages, 2 * CLIENTS as u64);
    Ok(())
}
