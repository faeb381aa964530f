//! Requests and replies over TLS: the streams are made here, with `compio-tls` and rustls, and
//! attached to the sockets.
//!
//! Run with `cargo run --example tls`. A REP squares the numbers that three REQs send, each over a
//! connection of its own. The server has a self-signed certificate, which the clients trust. Prints
//! a summary of each client, and why the connections have ended; fails if a reply is wrong.

use std::error::Error;
use std::sync::Arc;

use compio::net::{TcpListener, TcpStream};
use compio_tls::rustls::pki_types::PrivateKeyDer;
use compio_tls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use compio_tls::{TlsAcceptor, TlsConnector};
use futures::future::try_join_all;
use monocoque::SocketEvent;
use monocoque::transport::AnyStream;
use monocoque::zmq::{RepSocket, ReqSocket};

const CLIENTS: u64 = 3;
const REQUESTS: u64 = 100;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let (connector, acceptor) = make_certificate()?;
    compio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        println!("serving at {address}");

        let server = RepSocket::new()?;
        let mut events = server.monitor();
        let accepting = compio::runtime::spawn(accept(listener, acceptor, server.clone()));
        let serving = compio::runtime::spawn(serve(server.clone()));
        let clients = (0..CLIENTS).map(|client| ask(&connector, &address, client));
        for learnt in try_join_all(clients).await? {
            println!("{learnt}");
        }

        let mut ended = 0;
        while ended < CLIENTS {
            if let Some(SocketEvent::Disconnected { connection, reason }) = events.recv().await {
                println!("{}: {reason}", connection.peer);
                ended += 1;
            }
        }
        accepting.cancel().await; // it would wait for more, for ever
        server.close().await;
        let served = serving.await.expect("the server panicked")?;
        assert_eq!(served, CLIENTS * REQUESTS);
        println!("{served} requests were answered");
        Ok(())
    })
}

/// Accepts clients, and attaches each to the socket after its TLS handshake.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, server: RepSocket) {
    while let Ok((stream, peer)) = listener.accept().await {
        let (acceptor, server) = (acceptor.clone(), server.clone());
        // One task for each client, so that a slow or invalid one does not delay the others.
        let attaching = async move {
            stream.set_nodelay(true)?;
            let stream = acceptor.accept(stream).await?;
            server.attach(AnyStream::new(stream, format!("tls://{peer}")))?;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        };
        compio::runtime::spawn(async move {
            if let Err(error) = attaching.await {
                println!("{peer}: {error}");
            }
        })
        .detach();
    }
}

/// Squares numbers until the socket is closed. Returns their number.
async fn serve(server: RepSocket) -> Outcome<u64> {
    let mut served = 0;
    loop {
        let request = match server.recv().await {
            Ok(request) => request,
            Err(error) if error.is_closed() => return Ok(served),
            Err(error) => return Err(error.into()),
        };
        let number: u64 = std::str::from_utf8(&request[0])?.parse()?;
        server.send((number * number).to_string()).await?;
        served += 1;
    }
}

/// Sends numbers of its own and checks the replies.
async fn ask(connector: &TlsConnector, address: &str, client: u64) -> Outcome<String> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = connector.connect("localhost", stream).await?; // the name in the certificate
    let socket = ReqSocket::new()?;
    socket.attach(AnyStream::new(stream, format!("tls://{address}")))?;

    let mut sum = 0;
    for number in client * REQUESTS..(client + 1) * REQUESTS {
        let reply = socket.request(number.to_string()).await?;
        let square: u64 = std::str::from_utf8(&reply[0])?.parse()?;
        if square != number * number {
            return Err(format!("client {client}: {number} squared is not {square}").into());
        }
        sum += square;
    }
    socket.close().await;
    Ok(format!("client {client}: {REQUESTS} squares, their sum is {sum}"))
}

/// Creates both sides of TLS with a self-signed certificate for `localhost`.
fn make_certificate() -> Outcome<(TlsConnector, TlsAcceptor)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?;
    Ok((TlsConnector::from(Arc::new(client)), TlsAcceptor::from(Arc::new(server))))
}
