//! The receivers of messages that are sent by routing id.

use bytes::Bytes;
use monocoque_core::{Frame, RoutingId, RoutingIdError};

use crate::error::MonocoqueError;
use crate::socket::send::Addressed;

/// The receiver of a message that is sent by routing id: what [`send_to`] takes.
///
/// Sealed. A `&RoutingId` is used as it is. Others are converted, which copies them: a
/// [`RoutingId`], text and bytes of several types, and a [`Frame`], such as the first one of a
/// received message. What is no routing id, since it is empty or longer than 255 bytes, is the
/// error of the call.
///
/// [`send_to`]: crate::zmq::RouterSocket::send_to
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is no routing id",
    note = "a routing id is a `RoutingId`, text, bytes, or a frame"
)]
pub trait Recipient: sealed::Sealed {}

pub(super) mod sealed {
    use crate::socket::send::Addressed;

    #[expect(unnameable_types, reason = "sealed: the types of routing ids are those of this crate")]
    pub trait Sealed {
        type Address: Addressed + Send;

        fn into_address(self) -> Self::Address;
    }
}

impl Recipient for &RoutingId {}

impl sealed::Sealed for &RoutingId {
    type Address = Self;

    #[inline]
    fn into_address(self) -> Self {
        self
    }
}

impl Recipient for RoutingId {}

impl sealed::Sealed for RoutingId {
    type Address = Self;

    #[inline]
    fn into_address(self) -> Self {
        self
    }
}

impl Addressed for RoutingId {
    #[inline]
    fn id(&self) -> Result<Option<&RoutingId>, MonocoqueError> {
        Ok(Some(self))
    }
}

/// A receiver, or the reason why there is none: text or bytes that are no routing id, or a socket
/// that does not send by routing id.
impl<R: Addressed, E: Copy + Into<MonocoqueError>> Addressed for Result<R, E> {
    #[inline]
    fn id(&self) -> Result<Option<&RoutingId>, MonocoqueError> {
        match self {
            Ok(receiver) => receiver.id(),
            Err(error) => Err((*error).into()),
        }
    }
}

macro_rules! recipients {
    ($($bytes:ty),+) => {$(
        impl Recipient for $bytes {}

        impl sealed::Sealed for $bytes {
            type Address = Result<RoutingId, RoutingIdError>;

            fn into_address(self) -> Self::Address {
                let bytes: &[u8] = self.as_ref();
                RoutingId::try_from(bytes)
            }
        }
    )+};
}

recipients!(&str, String, &String, &[u8], Vec<u8>, &Vec<u8>, Bytes, &Bytes, Frame, &Frame);

impl<const N: usize> Recipient for [u8; N] {}

impl<const N: usize> sealed::Sealed for [u8; N] {
    type Address = Result<RoutingId, RoutingIdError>;

    fn into_address(self) -> Self::Address {
        RoutingId::try_from(&self)
    }
}

impl<const N: usize> Recipient for &[u8; N] {}

impl<const N: usize> sealed::Sealed for &[u8; N] {
    type Address = Result<RoutingId, RoutingIdError>;

    fn into_address(self) -> Self::Address {
        RoutingId::try_from(self)
    }
}
