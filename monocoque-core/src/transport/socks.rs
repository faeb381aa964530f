//! The client side of SOCKS5 (RFC 1928): the command CONNECT, without authentication or with a user
//! name and a password (RFC 1929).

use std::fmt;
use std::io;
use std::net::IpAddr;

use compio::BufResult;
use compio::io::{AsyncReadExt, AsyncWriteExt};
use compio::net::TcpStream;
use zeroize::Zeroizing;

use crate::endpoint::Host;

/// A user name and a password for a proxy. The password is not in `Debug`, and is wiped.
#[derive(Clone)]
pub struct SocksLogin {
    username: Vec<u8>,
    password: Zeroizing<Vec<u8>>,
}

impl SocksLogin {
    /// The user name and the password, each of 1 to 255 bytes; `None` if one is not.
    pub fn new(username: &[u8], password: &[u8]) -> Option<Self> {
        let is_legal = |field: &[u8]| matches!(field.len(), 1..=255);
        (is_legal(username) && is_legal(password))
            .then(|| Self { username: username.to_vec(), password: Zeroizing::new(password.to_vec()) })
    }

    /// Returns the message of RFC 1929.
    fn message(&self) -> Vec<u8> {
        let mut message = vec![LOGIN_VERSION];
        for field in [&self.username[..], &self.password] {
            message.push(u8::try_from(field.len()).unwrap_or(u8::MAX));
            message.extend_from_slice(field);
        }
        message
    }
}

impl fmt::Debug for SocksLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocksLogin(..)")
    }
}

/// Asks the proxy at the other end of `stream` to connect to `host`, and returns the stream to it.
pub(super) async fn request(
    mut stream: TcpStream,
    host: &Host,
    port: u16,
    login: Option<&SocksLogin>,
) -> io::Result<TcpStream> {
    let methods: &[u8] = if login.is_some() { &[NO_AUTHENTICATION, LOGIN] } else { &[NO_AUTHENTICATION] };
    let count = u8::try_from(methods.len()).unwrap_or(u8::MAX);
    write(&mut stream, [&[VERSION, count], methods].concat()).await?;
    match (read(&mut stream).await?, login) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, LOGIN], Some(login)) => log_in(&mut stream, login).await?,
        ([VERSION, _], _) => {
            return Err(socks_error(io::ErrorKind::PermissionDenied, "the proxy requires authentication"));
        }
        _ => return Err(socks_error(io::ErrorKind::InvalidData, "the proxy does not use SOCKS5")),
    }
    let mut command = vec![VERSION, CONNECT, 0];
    put_address(&mut command, host)?;
    command.extend(port.to_be_bytes());
    write(&mut stream, command).await?;
    let [version, reply, _, kind] = read(&mut stream).await?;
    if version != VERSION {
        return Err(socks_error(io::ErrorKind::InvalidData, "the proxy does not use SOCKS5"));
    }
    check_reply(reply)?;
    skip_address(&mut stream, kind).await?;
    Ok(stream)
}

async fn log_in(stream: &mut TcpStream, login: &SocksLogin) -> io::Result<()> {
    write(stream, login.message()).await?;
    match read(stream).await? {
        [LOGIN_VERSION, 0] => Ok(()),
        [LOGIN_VERSION, _] => {
            Err(socks_error(io::ErrorKind::PermissionDenied, "the proxy refuses the user name and password"))
        }
        _ => Err(socks_error(io::ErrorKind::InvalidData, "the proxy does not use RFC 1929")),
    }
}

/// Adds the address of the destination. A name is sent as it is: the proxy resolves it.
fn put_address(command: &mut Vec<u8>, host: &Host) -> io::Result<()> {
    match host {
        Host::Ip(IpAddr::V4(ip)) => {
            command.push(IPV4);
            command.extend(ip.octets());
        }
        Host::Ip(IpAddr::V6(ip)) => {
            command.push(IPV6);
            command.extend(ip.octets());
        }
        Host::Name(name) => {
            let length = u8::try_from(name.as_str().len());
            command.extend([
                NAME,
                length.map_err(|_| {
                    socks_error(io::ErrorKind::InvalidInput, "the host name is longer than 255 bytes")
                })?,
            ]);
            command.extend(name.as_str().as_bytes());
        }
        Host::Any | Host::Zoned(..) => {
            return Err(socks_error(
                io::ErrorKind::InvalidInput,
                "a wildcard or a zoned address cannot be reached through a proxy",
            ));
        }
    }
    Ok(())
}

/// Skips the address that the proxy has connected from.
async fn skip_address(stream: &mut TcpStream, kind: u8) -> io::Result<()> {
    match kind {
        IPV4 => read::<{ 4 + 2 }>(stream).await.map(drop),
        IPV6 => read::<{ 16 + 2 }>(stream).await.map(drop),
        NAME => {
            let [length] = read(stream).await?;
            for _ in 0..usize::from(length) + 2 {
                read::<1>(stream).await?;
            }
            Ok(())
        }
        _ => Err(socks_error(io::ErrorKind::InvalidData, "the reply has an unknown address type")),
    }
}

fn check_reply(reply: u8) -> io::Result<()> {
    match reply {
        0 => Ok(()),
        2 => Err(socks_error(io::ErrorKind::PermissionDenied, "the proxy does not allow the connection")),
        3 => Err(socks_error(io::ErrorKind::NetworkUnreachable, "the network is unreachable")),
        4 => Err(socks_error(io::ErrorKind::HostUnreachable, "the host is unreachable")),
        5 => Err(socks_error(io::ErrorKind::ConnectionRefused, "the connection was refused")),
        6 => Err(socks_error(io::ErrorKind::TimedOut, "the TTL has expired")),
        7 | 8 => Err(socks_error(
            io::ErrorKind::Unsupported,
            "the proxy does not support the command or the address type",
        )),
        _ => Err(socks_error(io::ErrorKind::Other, "the proxy has failed")),
    }
}

fn socks_error(kind: io::ErrorKind, reason: &str) -> io::Error {
    io::Error::new(kind, format!("SOCKS proxy: {reason}"))
}

async fn write(stream: &mut TcpStream, bytes: Vec<u8>) -> io::Result<()> {
    stream.write_all(bytes).await.0
}

async fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let BufResult(result, bytes) = stream.read_exact([0; N]).await;
    result.map(|()| bytes)
}

const VERSION: u8 = 0x05;
const NO_AUTHENTICATION: u8 = 0x00;
const LOGIN: u8 = 0x02;
const LOGIN_VERSION: u8 = 0x01;
const CONNECT: u8 = 0x01;
const IPV4: u8 = 0x01;
const NAME: u8 = 0x03;
const IPV6: u8 = 0x04;

#[cfg(test)]
mod tests {
    use futures_util::join;

    use super::super::tests::{bind, endpoint, on_both_drivers};
    use super::super::{SocketOptions, Stream};
    use super::*;

    /// Connects to `target` through a proxy that gives these answers; what came of it, and what the
    /// proxy was told.
    async fn through(target: &str, answers: [&[u8]; 2]) -> (io::Result<[u8; 2]>, Vec<u8>) {
        let (listener, proxy) = bind("tcp://127.0.0.1:*").await.expect("bound");
        let options = SocketOptions { socks_proxy: Some(proxy), ..SocketOptions::default() };
        let client = async {
            let Stream::Tcp(mut stream) = Stream::connect(&endpoint(target), &options).await? else {
                panic!("tcp")
            };
            read::<2>(&mut stream).await
        };
        let server = async {
            let (stream, _) = listener.accept().await.expect("accepted");
            let Stream::Tcp(mut stream) = stream else { panic!("tcp: {stream:?}") };
            assert_eq!(read(&mut stream).await.expect("a greeting"), [5, 1, 0]);
            write(&mut stream, answers[0].to_vec()).await.expect("written");
            let BufResult(read, command) =
                compio::io::AsyncRead::read(&mut stream, Vec::with_capacity(300)).await;
            read.expect("a command, or the end");
            write(&mut stream, answers[1].to_vec()).await.expect("written");
            command
        };
        join!(client, server)
    }

    #[test]
    fn proxy_receives_target_address() {
        on_both_drivers(async || {
            let v4 = [5, 0, 0, 1, 9, 9, 9, 9, 0, 1, b'h', b'i'];
            let (heard, command) = through("tcp://192.0.2.1:258", [&[5, 0], &v4]).await;
            assert_eq!(heard.expect("connected"), *b"hi");
            assert_eq!(command, [5, 1, 0, 1, 192, 0, 2, 1, 1, 2]);

            let mut v6 = vec![5, 0, 0, 4];
            v6.extend([0; 18]);
            v6.extend(b"hi");
            let (heard, command) = through("tcp://[::1]:1", [&[5, 0], &v6]).await;
            assert_eq!(heard.expect("connected"), *b"hi");
            assert_eq!(command, [&[5, 1, 0, 4][..], &[0; 15], &[1, 0, 1]].concat());

            let name = [&[5, 0, 0, 3, 3][..], b"abc", &[0, 0], b"hi"].concat();
            let (heard, command) = through("tcp://host.invalid:1", [&[5, 0], &name]).await;
            assert_eq!(heard.expect("connected"), *b"hi");
            assert_eq!(command, [&[5, 1, 0, 3, 12][..], b"host.invalid", &[0, 1]].concat());
        });
    }

    /// Connects through a proxy that asks for a user name and a password, and gives this answer.
    async fn logged_in(answer: [u8; 2]) -> (io::Result<[u8; 2]>, Vec<u8>) {
        let (listener, proxy) = bind("tcp://127.0.0.1:*").await.expect("bound");
        let options = SocketOptions {
            socks_proxy: Some(proxy),
            socks_login: SocksLogin::new(b"anna", b"s3cret"),
            ..SocketOptions::default()
        };
        let client = async {
            let Stream::Tcp(mut stream) = Stream::connect(&endpoint("tcp://192.0.2.1:258"), &options).await?
            else {
                panic!("tcp")
            };
            read::<2>(&mut stream).await
        };
        let server = async {
            let (stream, _) = listener.accept().await.expect("accepted");
            let Stream::Tcp(mut stream) = stream else { panic!("tcp: {stream:?}") };
            assert_eq!(read(&mut stream).await.expect("a greeting"), [5, 2, 0, 2]);
            write(&mut stream, vec![5, 2]).await.expect("written");
            let login: [u8; 13] = read(&mut stream).await.expect("a login");
            write(&mut stream, answer.to_vec()).await.expect("written");
            if answer == [1, 0] {
                let command: [u8; 10] = read(&mut stream).await.expect("a command");
                assert_eq!(command, [5, 1, 0, 1, 192, 0, 2, 1, 1, 2]);
                write(&mut stream, vec![5, 0, 0, 1, 9, 9, 9, 9, 0, 1, b'h', b'i']).await.expect("written");
            }
            login.to_vec()
        };
        join!(client, server)
    }

    #[test]
    fn proxy_receives_login_if_it_asks() {
        on_both_drivers(async || {
            let (heard, login) = logged_in([1, 0]).await;
            assert_eq!(heard.expect("connected"), *b"hi");
            assert_eq!(login, b"\x01\x04anna\x06s3cret");
            for (answer, kind) in
                [([1, 1], io::ErrorKind::PermissionDenied), ([5, 0], io::ErrorKind::InvalidData)]
            {
                let (heard, _) = logged_in(answer).await;
                assert_eq!(heard.expect_err("refused").kind(), kind);
            }
        });
    }

    #[test]
    fn login_is_checked_and_not_printed() {
        for (username, password) in [(0, 1), (1, 0), (256, 1), (1, 256)] {
            assert!(SocksLogin::new(&vec![1; username], &vec![1; password]).is_none());
        }
        let login = SocksLogin::new(&[b'u'; 255], &[b'p'; 255]).expect("legal");
        assert_eq!(format!("{login:?}"), "SocksLogin(..)");
    }

    #[test]
    fn proxy_refusal_maps_to_error() {
        on_both_drivers(async || {
            for (greeting, reply, kind) in [
                ([5, 0xFF], [5, 0], io::ErrorKind::PermissionDenied),
                ([4, 0], [5, 0], io::ErrorKind::InvalidData),
                ([5, 0], [4, 0], io::ErrorKind::InvalidData),
                ([5, 0], [5, 1], io::ErrorKind::Other),
                ([5, 0], [5, 2], io::ErrorKind::PermissionDenied),
                ([5, 0], [5, 4], io::ErrorKind::HostUnreachable),
                ([5, 0], [5, 5], io::ErrorKind::ConnectionRefused),
            ] {
                let answer = [&reply[..], &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
                let (heard, _) = through("tcp://192.0.2.1:1", [&greeting, &answer]).await;
                assert_eq!(heard.expect_err("refused").kind(), kind, "{greeting:?} {reply:?}");
            }
            let (heard, _) = through("tcp://192.0.2.1:1", [&[5, 0], &[5, 0, 0, 9]]).await;
            assert_eq!(heard.expect_err("refused").kind(), io::ErrorKind::InvalidData);
            let (heard, _) = through("tcp://192.0.2.1:1", [&[5, 0], &[5, 0]]).await;
            assert_eq!(heard.expect_err("it ended").kind(), io::ErrorKind::UnexpectedEof);
        });
    }
}
