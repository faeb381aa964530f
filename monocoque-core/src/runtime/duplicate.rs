//! The duplicate of a descriptor that is known by its number.
//!
//! compio returns the descriptor of a runtime as a number, and a number is turned into an owned
//! descriptor by unsafe code only. So the kernel does it: it gives the receiver of a message with
//! `SCM_RIGHTS` duplicates of the descriptors whose numbers the sender has written.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use rustix::cmsg_space;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use socket2::{MsgHdr, SockRef};

/// Returns a duplicate of an open descriptor, which is closed on `exec`.
pub(super) fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    let (sender, receiver) = UnixStream::pair()?;
    let control = rights(descriptor);
    let bytes = [IoSlice::new(b"x")];
    SockRef::from(&sender).sendmsg(&MsgHdr::new().with_buffers(&bytes).with_control(&control), 0)?;

    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&receiver, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let received = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    received.ok_or_else(|| io::Error::other("the duplicate of a descriptor was not received"))
}

/// Returns the control message that passes one descriptor: a `cmsghdr` with its length, its level
/// and its type, then the number, filled up to a multiple of the length field.
fn rights(descriptor: RawFd) -> Vec<u8> {
    let length = size_of::<usize>() + 2 * size_of::<i32>() + size_of::<RawFd>();
    let mut message = Vec::with_capacity(length.next_multiple_of(size_of::<usize>()));
    message.extend(length.to_ne_bytes());
    message.extend(SOL_SOCKET.to_ne_bytes());
    message.extend(SCM_RIGHTS.to_ne_bytes());
    message.extend(descriptor.to_ne_bytes());
    message.resize(message.capacity(), 0);
    message
}

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn duplicate_is_the_same_file() {
        let (mut one, other) = UnixStream::pair().expect("a pair");
        let number = other.as_raw_fd();
        let duplicate = duplicate(number).expect("duplicated");
        assert_ne!(duplicate.as_raw_fd(), number);
        drop(other);
        one.write_all(b"ab").expect("the file is still open");
        let mut read = [0; 2];
        UnixStream::from(duplicate).read_exact(&mut read).expect("read");
        assert_eq!(&read, b"ab");
    }

    #[test]
    fn unknown_number_is_rejected() {
        assert_eq!(duplicate(-1).expect_err("no descriptor").raw_os_error(), Some(9));
    }
}
