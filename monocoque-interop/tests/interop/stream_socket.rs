//! STREAM sockets with those of libzmq, and with sockets of the standard library.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use monocoque::zmq::StreamSocket;

use crate::pyzmq::Peer;
use crate::support::{
    Case, Frames, LIMIT, close, eventually, libzmq, libzmq_recv, libzmq_send, on_thread, recv, send, shapes,
    within,
};

everywhere! {
    stream_bytes_flow_both_ways,
    stream_close_reaches_peer,
}

with_pyzmq! {
    everywhere:
    stream_bytes_flow_with_pyzmq,
}

connect_only! {
    early_bytes_reach_named_peer,
}

with_pyzmq! {
    bind_only:
    stream_serves_named_client,
}

ways! {
    [] guide_http_page_is_fetched:
    serve_in_runtime = Tcp, Us, Runtime;
    serve_on_thread = Tcp, Us, Thread;
    fetch_in_runtime = Tcp, Them, Runtime;
    fetch_on_thread = Tcp, Them, Thread;
}

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nHello, World!";

/// Returns the bytes of all messages.
fn joined_shape_bytes() -> Vec<u8> {
    shapes().iter().flatten().flatten().copied().collect()
}

/// Waits for a peer to connect. Returns its routing id.
async fn expect_connect_notice(stream: &StreamSocket) -> Vec<u8> {
    let mut notice = recv(stream).await;
    assert_eq!((notice.len(), notice[1].len()), (2, 0));
    notice.remove(0)
}

async fn take(stream: &StreamSocket, from: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let chunk = recv(stream).await;
        assert_eq!((&*chunk[0], chunk.len()), (from, 2));
        assert!((1..=8192).contains(&chunk[1].len()));
        bytes.extend_from_slice(&chunk[1]);
    }
    bytes
}

fn libzmq_connect_notice(stream: &zmq::Socket) -> Vec<u8> {
    let mut notice = libzmq_recv(stream);
    assert_eq!((notice.len(), notice[1].len()), (2, 0));
    notice.remove(0)
}

fn libzmq_take(stream: &zmq::Socket, from: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let chunk: Frames = libzmq_recv(stream);
        assert_eq!(chunk[0], from);
        bytes.extend_from_slice(&chunk[1]);
    }
    bytes
}

async fn stream_bytes_flow_both_ways(case: &Case) {
    let (stream, theirs) = (StreamSocket::new_in(&case.context).unwrap(), libzmq(zmq::STREAM));
    case.join(&stream, [&theirs]).await;
    let peer = expect_connect_notice(&stream).await;
    let echo = on_thread(move || {
        let peer = libzmq_connect_notice(&theirs);
        let heard = libzmq_take(&theirs, &peer, joined_shape_bytes().len());
        for piece in heard.chunks(50_000) {
            libzmq_send(&theirs, &[&peer, piece]);
        }
        theirs
    });
    for message in shapes() {
        // An empty message would close the connection.
        if message.iter().any(|frame| !frame.is_empty()) {
            let mut message = message.clone();
            message.insert(0, peer.clone());
            send(&stream, message).await;
        }
    }
    assert!(take(&stream, &peer, joined_shape_bytes().len()).await == joined_shape_bytes());
    drop(echo.await);
    assert_eq!(recv(&stream).await, [&peer[..], b""]);
    close(stream).await;
}

async fn stream_close_reaches_peer(case: &Case) {
    let stream = StreamSocket::new_in(&case.context).unwrap();
    for we_close in [true, false] {
        let theirs = libzmq(zmq::STREAM);
        case.join(&stream, [&theirs]).await;
        let peer = expect_connect_notice(&stream).await;
        let their_side = on_thread(move || {
            let peer = libzmq_connect_notice(&theirs);
            if !we_close {
                libzmq_send(&theirs, &[&peer[..], b"goodbye"]);
                libzmq_send(&theirs, &[&peer[..], b""]);
                // libzmq closes the connection when it is called.
                theirs.set_rcvtimeo(200).unwrap();
                let _nothing = theirs.recv_multipart(0);
            } else {
                assert_eq!(libzmq_take(&theirs, &peer, 7), b"goodbye");
                assert_eq!(libzmq_recv(&theirs), [&peer[..], b""]);
            }
            theirs
        });
        if we_close {
            send(&stream, [&peer[..], b"goodbye"]).await;
            send(&stream, [&peer[..], b""]).await;
        } else {
            assert_eq!(take(&stream, &peer, 7).await, b"goodbye");
        }
        assert_eq!(recv(&stream).await, [&peer[..], b""]);
        drop(their_side.await);
        eventually("the peer is removed", || stream.peer_count() == 0).await;
    }
    drop(stream);
}

async fn stream_bytes_flow_with_pyzmq(case: &Case) {
    let stream = StreamSocket::new_in(&case.context).unwrap();
    let other = Peer::join(case, &stream, "STREAM", "bytes").await;
    let peer = expect_connect_notice(&stream).await;
    send(&stream, [peer.clone(), joined_shape_bytes()]).await;
    assert!(take(&stream, &peer, joined_shape_bytes().len()).await == joined_shape_bytes());
    send(&stream, [&peer[..], b""]).await;
    within(LIMIT, "the end of the peer", other.done()).await;
    assert_eq!(recv(&stream).await, [&peer[..], b""]);
    close(stream).await;
}

async fn early_bytes_reach_named_peer(case: &Case) {
    let (stream, theirs) = (StreamSocket::new_in(&case.context).unwrap(), libzmq(zmq::STREAM));
    theirs.bind(&case.wildcard()).unwrap();
    let endpoint = theirs.get_last_endpoint().unwrap().unwrap();
    stream.connect_as(endpoint, "server").await.unwrap();
    send(&stream, ["server", "early"]).await;
    let heard = on_thread(move || {
        let peer = libzmq_connect_notice(&theirs);
        assert_eq!(libzmq_take(&theirs, &peer, 5), b"early");
        libzmq_send(&theirs, &[&peer[..], b"heard"]);
        theirs
    });
    assert_eq!(expect_connect_notice(&stream).await, b"server");
    assert_eq!(take(&stream, b"server", 5).await, b"heard");
    drop(heard.await);
    close(stream).await;
}

async fn stream_serves_named_client(case: &Case) {
    let stream = StreamSocket::new_in(&case.context).unwrap();
    let other = Peer::join(case, &stream, "STREAM", "early").await;
    let peer = expect_connect_notice(&stream).await;
    assert_eq!(take(&stream, &peer, 5).await, b"early");
    send(&stream, [&peer[..], b"heard"]).await;
    other.done().await;
    assert_eq!(recv(&stream).await, [&peer[..], b""]);
    close(stream).await;
}

/// The program of the ZeroMQ guide, on either side.
async fn guide_http_page_is_fetched(case: &Case) {
    let stream = StreamSocket::new_in(&case.context).unwrap();
    match case.binds() {
        crate::support::Binds::Us => {
            let address = case.bind(&stream).await.replace("tcp://", "");
            let page = on_thread(move || {
                let mut client = TcpStream::connect(address).unwrap();
                client.set_read_timeout(Some(LIMIT)).unwrap();
                client.write_all(REQUEST).unwrap();
                let mut page = Vec::new();
                client.read_to_end(&mut page).unwrap();
                page
            });
            let peer = expect_connect_notice(&stream).await;
            assert_eq!(take(&stream, &peer, REQUEST.len()).await, REQUEST);
            send(&stream, [&peer[..], ANSWER]).await;
            send(&stream, [&peer[..], b""]).await;
            assert_eq!(page.await, ANSWER);
            assert_eq!(recv(&stream).await, [&peer[..], b""]);
        }
        crate::support::Binds::Them => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            stream.connect(format!("tcp://{}", listener.local_addr().unwrap())).await.unwrap();
            let served = on_thread(move || {
                let (mut client, _) = listener.accept().unwrap();
                client.set_read_timeout(Some(LIMIT)).unwrap();
                let mut request = vec![0; REQUEST.len()];
                client.read_exact(&mut request).unwrap();
                assert_eq!(request, REQUEST);
                client.write_all(ANSWER).unwrap();
                listener
            });
            let peer = expect_connect_notice(&stream).await;
            send(&stream, [&peer[..], REQUEST]).await;
            assert_eq!(take(&stream, &peer, ANSWER.len()).await, ANSWER);
            assert_eq!(recv(&stream).await, [&peer[..], b""]);
            drop(served.await);
        }
    }
    close(stream).await;
}
