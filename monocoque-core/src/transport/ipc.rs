//! Unix domain sockets: paths, abstract names, and the ownership of socket files.
//!
//! A socket file outlives a process that was killed, so binding replaces a file without a listener.
//! Binding holds a lock on the directory: no other process that uses this library sees a file
//! between its `bind` and its `listen`, when a live socket looks stale, or removes a file that has
//! become another one.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compio::net::UnixStream;
use compio::runtime::fd::PollFd;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::SocketOptions;
use crate::Endpoint;
use crate::endpoint::IpcAddress;

/// Connects without waiting: a Unix domain socket connects at once or not at all.
pub(super) fn connect(address: &IpcAddress, options: &SocketOptions) -> io::Result<UnixStream> {
    let socket = socket(options)?;
    socket.set_nonblocking(true)?;
    socket.connect(&socket_address(address)?)?;
    // io_uring would answer `WouldBlock` instead of waiting; compio sets it again for the driver
    // that needs it.
    socket.set_nonblocking(false)?;
    UnixStream::from_std(socket.into())
}

#[derive(Debug)]
pub(super) struct Listener {
    /// First, so that the file is removed while the socket is still live, and never looks stale.
    file: Option<SocketFile>,
    listener: PollFd<UnixListener>,
    endpoint: Endpoint,
    options: SocketOptions,
}

impl Listener {
    pub(super) async fn bind(address: &IpcAddress, options: &SocketOptions) -> io::Result<Self> {
        let directory = if address.is_wildcard() { Some(TempDirectory::new()?) } else { None };
        let address = match &directory {
            Some(directory) => &directory.socket_address()?,
            None => address,
        };
        let socket = socket(options)?;
        let file = match address.path() {
            Some(path) => Some(bind_path(&socket, path, directory, options).await?),
            None => {
                socket.bind(&socket_address(address)?)?;
                socket.listen(options.backlog())?;
                None
            }
        };
        socket.set_nonblocking(true)?;
        let listener = PollFd::new(socket.into())?;
        Ok(Self { file, listener, endpoint: Endpoint::Ipc(address.clone()), options: options.clone() })
    }

    /// Takes over a socket that listens. Its file, if it has one, is not ours.
    pub(super) fn adopt(socket: Socket, options: &SocketOptions) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let path = address.as_pathname().map(|path| path.to_str().map(str::to_owned));
        let name = || Some(format!("@{}", std::str::from_utf8(address.as_abstract_namespace()?).ok()?));
        let endpoint: Endpoint = match path.unwrap_or_else(name) {
            Some(name) => format!("ipc://{name}").parse()?,
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the name of the socket is not UTF-8",
                ));
            }
        };
        socket.set_nonblocking(true)?;
        let listener = PollFd::new(socket.into())?;
        Ok(Self { file: None, listener, endpoint, options: options.clone() })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) async fn accept(&self) -> io::Result<(UnixStream, String)> {
        let accepted = poll_fn(|cx| self.listener.poll_accept_with(cx, UnixListener::accept)).await;
        let (stream, _unnamed) = accepted?;
        let stream = UnixStream::from_std(stream)?;
        // Not inherited from the listener. The system accepts any size, so this cannot fail.
        self.options.set_buffers(SockRef::from(&stream))?;
        Ok((stream, self.endpoint.to_string()))
    }

    pub(super) async fn close(self) -> io::Result<()> {
        drop(self.file);
        super::close(self.listener).await;
        Ok(())
    }
}

/// Binds `socket` to `path` and listens, in place of a file without a listener.
async fn bind_path(
    socket: &Socket,
    path: &Path,
    directory: Option<TempDirectory>,
    options: &SocketOptions,
) -> io::Result<SocketFile> {
    let address = SockAddr::unix(path)?;
    let lock = DirectoryLock::acquire(path).await;
    // From here to the end of `listen` no step waits.
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path, &address, &lock)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    let file = SocketFile { path: path.into(), id: file_id(path)?, directory };
    socket.listen(options.backlog())?;
    Ok(file)
}

/// Removes the socket at `path` if it has no listener.
fn remove_stale(path: &Path, address: &SockAddr, lock: &DirectoryLock) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the path exists and is not a socket"));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && lock.may_remove() => {
            fs::remove_file(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// Returns the device and the inode of the file at `path`.
fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// The file of a bound socket. It is removed in the end, unless another socket has replaced it.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
    /// Removed after the file.
    directory: Option<TempDirectory>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A failure cannot be reported, and a file that is left is replaced by the next bind.
        if file_id(&self.path).is_ok_and(|id| id == self.id) {
            let _removed = fs::remove_file(&self.path);
        }
        drop(self.directory.take());
    }
}

/// The directory of a socket that was bound to a wildcard. Only this user may enter it.
#[derive(Debug)]
struct TempDirectory(PathBuf);

impl TempDirectory {
    fn new() -> io::Result<Self> {
        let name = format!("monocoque-{:016x}", RandomState::new().hash_one(std::process::id()));
        let path = std::path::absolute(std::env::temp_dir())?.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn socket_address(&self) -> io::Result<IpcAddress> {
        let path = self.0.join("socket");
        match format!("ipc://{}", path.display()).parse()? {
            Endpoint::Ipc(address) if address.path() == Some(&path) => Ok(address),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path of the temporary directory is not UTF-8, or too long",
            )),
        }
    }
}

impl Drop for TempDirectory {
    fn drop(&mut self) {
        // As above. A directory with other files in it stays.
        let _removed = fs::remove_dir(&self.0);
    }
}

/// A lock that keeps others from binding in the directory of a socket.
#[derive(Debug)]
enum DirectoryLock {
    /// The lock is held until this is dropped.
    Held { _directory: File },
    /// The directory cannot be read, or its file system has no locks: binding goes on without.
    Unavailable,
    /// Another process has held it for far longer than binding takes.
    Denied,
}

impl DirectoryLock {
    async fn acquire(path: &Path) -> Self {
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let Ok(directory) = File::open(directory) else { return Self::Unavailable };
        for _ in 0..LOCK_ATTEMPTS {
            match directory.try_lock() {
                Ok(()) => return Self::Held { _directory: directory },
                Err(TryLockError::Error(_)) => return Self::Unavailable,
                Err(TryLockError::WouldBlock) => compio::time::sleep(LOCK_PAUSE).await,
            }
        }
        Self::Denied
    }

    fn may_remove(&self) -> bool {
        !matches!(self, Self::Denied)
    }
}

fn socket(options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    options.set_buffers(SockRef::from(&socket))?;
    Ok(socket)
}

fn socket_address(address: &IpcAddress) -> io::Result<SockAddr> {
    match address.abstract_name() {
        Some(name) => SockAddr::unix(format!("\0{name}")),
        None => SockAddr::unix(address.to_string()),
    }
}

/// Returns the [label](super::ByteStream::peer_label) of a peer: an accepted one has the name of
/// the listener.
pub(super) fn label(stream: &UnixStream) -> String {
    let named = |address: SockAddr| {
        let path = address.as_pathname().map(|path| path.display().to_string());
        let name =
            || address.as_abstract_namespace().map(|name| format!("@{}", String::from_utf8_lossy(name)));
        path.or_else(name)
    };
    let peer = stream.peer_addr().ok().and_then(named);
    let name = peer.or_else(|| stream.local_addr().ok().and_then(named));
    format!("ipc://{}", name.as_deref().unwrap_or("?"))
}

/// How often a directory that another process has locked is tried: a second in all, while binding
/// takes microseconds.
const LOCK_ATTEMPTS: usize = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as StdListener;

    use super::super::tests::{bind, connect, endpoint, on_both_drivers, pair};
    use super::super::{Listener, Stream};
    use super::*;

    /// A directory, and the path and the endpoint of a socket in it.
    fn place() -> (tempfile::TempDir, PathBuf, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let text = format!("ipc://{}", path.display());
        (directory, path, text)
    }

    async fn works((listener, endpoint): &(Listener, Endpoint)) {
        pair(listener, endpoint).await;
    }

    #[test]
    fn socket_file_removed_with_listener() {
        on_both_drivers(async || {
            let (_directory, path, text) = place();
            for _ in 0..3 {
                let bound = bind(&text).await.expect("bound, again at once");
                assert_eq!(bound.1.to_string(), text);
                works(&bound).await;
                assert!(path.exists());
                drop(bound);
                assert!(!path.exists());
                let refused = connect(&endpoint(&text)).await.expect_err("no listener");
                assert_eq!(refused.kind(), io::ErrorKind::NotFound);
            }
            let (listener, _) = bind(&text).await.expect("bound");
            listener.close().await.expect("closed");
            assert!(!path.exists());
        });
    }

    #[test]
    fn stale_file_is_replaced() {
        on_both_drivers(async || {
            let (_directory, path, text) = place();
            drop(StdListener::bind(&path).expect("bound"));
            assert!(path.exists(), "as a killed process leaves it");
            let refused = connect(&endpoint(&text)).await.expect_err("no listener");
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            works(&bind(&text).await.expect("bound")).await;
        });
    }

    #[test]
    fn live_listener_keeps_its_file() {
        on_both_drivers(async || {
            let (_directory, path, text) = place();
            let bound = bind(&text).await.expect("bound");
            let before = file_id(&path).expect("a file");
            assert_eq!(bind(&text).await.expect_err("taken").kind(), io::ErrorKind::AddrInUse);
            assert_eq!(file_id(&path).expect("a file"), before);
            // The first stream is the probe, closed already.
            drop(bound.0.accept().await.expect("accepted"));
            works(&bound).await;
        });
    }

    #[test]
    fn non_socket_file_is_kept() {
        on_both_drivers(async || {
            let (directory, path, text) = place();
            fs::write(&path, "precious").expect("written");
            assert_eq!(bind(&text).await.expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&path).expect("kept"), "precious");

            let stale = directory.path().join("stale");
            drop(StdListener::bind(&stale).expect("bound"));
            fs::remove_file(&path).expect("removed");
            std::os::unix::fs::symlink(&stale, &path).expect("linked");
            assert_eq!(bind(&text).await.expect_err("a link").kind(), io::ErrorKind::AlreadyExists);
            assert!(stale.exists());

            fs::remove_file(&path).expect("removed");
            fs::create_dir(&path).expect("created");
            assert_eq!(bind(&text).await.expect_err("a directory").kind(), io::ErrorKind::AlreadyExists);
        });
    }

    #[test]
    fn replaced_file_survives_old_listener() {
        on_both_drivers(async || {
            let (_directory, path, text) = place();
            let first = bind(&text).await.expect("bound");
            fs::remove_file(&path).expect("removed while bound");
            let second = bind(&text).await.expect("the path is free");
            drop(first);
            assert!(path.exists(), "it is the second one's by now");
            works(&second).await;
            fs::remove_file(&path).expect("removed while bound");
            fs::write(&path, "other").expect("written");
            drop(second);
            assert_eq!(fs::read_to_string(&path).expect("kept"), "other");
        });
    }

    #[test]
    fn invalid_path_fails_bind() {
        on_both_drivers(async || {
            let (directory, _, _) = place();
            let room = 107 - directory.path().as_os_str().len() - 1;
            let longest = format!("ipc://{}/{}", directory.path().display(), "x".repeat(room));
            works(&bind(&longest).await.expect("107 bytes fit")).await;
            assert!(format!("{longest}x").parse::<Endpoint>().is_err());
            let nowhere = format!("ipc://{}/no/socket", directory.path().display());
            assert_eq!(bind(&nowhere).await.expect_err("nowhere").kind(), io::ErrorKind::NotFound);
        });
    }

    #[test]
    fn abstract_name_binds_and_rebinds() {
        on_both_drivers(async || {
            let text = format!("ipc://@monocoque-test-{}", std::process::id());
            let bound = bind(&text).await.expect("bound");
            assert_eq!(bound.1.to_string(), text);
            assert_eq!(bind(&text).await.expect_err("taken").kind(), io::ErrorKind::AddrInUse);
            works(&bound).await;
            bound.0.close().await.expect("closed");
            works(&bind(&text).await.expect("bound, again at once")).await;
            // No text can name these: `@` alone is refused when it is parsed.
            assert!("ipc://@".parse::<Endpoint>().is_err());
        });
    }

    #[test]
    fn wildcard_bind_gets_own_directory() {
        on_both_drivers(async || {
            let (first, second) =
                (bind("ipc://*").await.expect("bound"), bind("ipc://*").await.expect("bound"));
            assert_ne!(first.1, second.1);
            works(&first).await;
            works(&second).await;
            let Endpoint::Ipc(address) = &first.1 else { panic!("ipc: {}", first.1) };
            let path = address.path().expect("a path").to_owned();
            assert!(path.exists());
            drop(first);
            assert!(!path.parent().expect("a directory").exists());
        });
    }

    #[test]
    fn full_backlog_fails_without_waiting() {
        on_both_drivers(async || {
            let options = SocketOptions { backlog: 0, ..SocketOptions::default() };
            let (_listener, endpoint) = Listener::bind(&endpoint("ipc://*"), &options).await.expect("bound");
            let mut held = Vec::new();
            let error = loop {
                match Stream::connect(&endpoint, &options).await {
                    Ok(stream) => held.push(stream),
                    Err(error) => break error,
                }
                assert!(held.len() < 10, "the backlog is full by now");
            };
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        });
    }

    #[test]
    fn concurrent_binds_replace_stale_file() {
        on_both_drivers(async || {
            let (_directory, path, text) = place();
            for _ in 0..20 {
                drop(StdListener::bind(&path).expect("bound"));
                let bind_it = || {
                    let text = text.clone();
                    compio::runtime::spawn_blocking(move || {
                        let runtime = compio::runtime::Runtime::new().expect("a runtime");
                        runtime.block_on(async {
                            let bound = bind(&text).await.ok()?;
                            // While it is bound, it is reachable: its file was not removed.
                            connect(&bound.1).await.expect("reachable");
                            Some(())
                        })
                    })
                };
                let results = futures_util::future::join_all((0..4).map(|_| bind_it())).await;
                let bound = results.into_iter().filter(|result| matches!(result, Ok(Some(())))).count();
                assert!(bound >= 1, "one bind succeeds");
                assert!(!path.exists(), "and takes the file away in the end");
            }
        });
    }
}
