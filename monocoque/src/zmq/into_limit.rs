//! The values that methods take as a limit.

use std::time::Duration;

/// Values that are taken as a limit of type `T`: a `T`, or an `Option` of it, of which `None` means
/// what the method says: no limit, or the default.
///
/// Sealed. It is there for a [`Duration`] and for a size in bytes, `u64`.
///
/// ```
/// use std::time::Duration;
/// use monocoque::zmq::DealerSocket;
///
/// let builder = DealerSocket::builder().linger(Duration::from_secs(5)).send_timeout(None);
/// let dealer = builder.max_message_size(1 << 20).build()?;
/// # drop(dealer);
/// # Ok::<(), monocoque::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `{T}`",
    label = "expected `{T}`, `Some` of it, or `None`",
    note = "a time is a `Duration`, such as `Duration::from_secs(5)`; a size is a number of bytes, a `u64`"
)]
pub trait IntoLimit<T>: sealed::Sealed {
    /// Returns the limit.
    fn into_limit(self) -> Option<T>;
}

mod sealed {
    #[expect(unnameable_types, reason = "sealed: the types are those of this module")]
    pub trait Sealed {}
}

macro_rules! limits {
    ($($type:ty),+) => {$(
        impl sealed::Sealed for $type {}

        #[diagnostic::do_not_recommend]
        impl IntoLimit<$type> for $type {
            fn into_limit(self) -> Option<$type> {
                Some(self)
            }
        }

        impl sealed::Sealed for Option<$type> {}

        #[diagnostic::do_not_recommend]
        impl IntoLimit<$type> for Option<$type> {
            fn into_limit(self) -> Self {
                self
            }
        }
    )+};
}

limits!(Duration, u64);
