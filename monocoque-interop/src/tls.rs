//! TLS for tests, with a self-signed certificate.

use std::sync::Arc;

use compio::net::{TcpListener, TcpStream};
use compio_tls::rustls::pki_types::PrivateKeyDer;
use compio_tls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use compio_tls::{TlsAcceptor, TlsConnector, TlsStream};

/// Opens a TCP connection. Returns both of its streams.
pub async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let (ours, theirs) = futures::join!(TcpStream::connect(address), listener.accept());
    let (ours, theirs) = (ours.expect("connected"), theirs.expect("accepted").0);
    for stream in [&ours, &theirs] {
        stream.set_nodelay(true).expect("an option");
    }
    (ours, theirs)
}

/// Opens a TLS connection. Returns the streams of the client and of the server.
pub async fn tls_pair() -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let (client, server, _) = tls_pair_and_wires().await;
    (client, server)
}

/// Opens a TLS connection. Returns its streams and those of the TCP connection below.
pub async fn tls_pair_and_wires() -> (TlsStream<TcpStream>, TlsStream<TcpStream>, (TcpStream, TcpStream)) {
    let (connector, acceptor) = tls();
    let wires = tcp_pair().await;
    let (ours, theirs) = wires.clone();
    let (ours, theirs) = futures::join!(connector.connect("localhost", ours), acceptor.accept(theirs));
    (ours.expect("a trusted server"), theirs.expect("a client"), wires)
}

fn tls() -> (TlsConnector, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![certificate], key).expect("the key of the certificate");
    (Arc::new(client).into(), Arc::new(server).into())
}
