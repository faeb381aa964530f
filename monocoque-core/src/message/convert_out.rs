//! Conversions of messages to other types: to arrays and tuples, if there are as many frames, and
//! to vectors; to one value, if there is one frame.

use bytes::Bytes;
use thiserror::Error;

use super::{Message, TextError};
use crate::Frame;

/// Values that a frame converts to, in arrays and tuples: [`Frame`], [`Bytes`] and `Vec<u8>`, and
/// `String` if the frame is UTF-8.
///
/// ```
/// use monocoque_core::Message;
///
/// let message = Message::from(("topic", vec![1, 2]));
/// let (topic, body): (String, Vec<u8>) = message.try_into()?;
/// assert_eq!((topic.as_str(), &*body), ("topic", &[1, 2][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Sealed. An array, `[Bytes; 2]`, has elements of one type, and the error of that type. A tuple
/// mixes them, and its error is [`TextError`].
pub trait FromFrame: sealed::Sealed + Default {
    /// The error of an array: [`FrameCountError`], for text [`TextError`].
    type Error: From<FrameCountError> + Into<TextError>;

    /// Converts the frame at `index`.
    #[doc(hidden)]
    fn from_frame(frame: Frame, index: usize) -> Result<Self, Self::Error>;
}

mod sealed {
    #[expect(unnameable_types, reason = "sealed: the types are those of this module")]
    pub trait Sealed: Sized {}
}

macro_rules! from_frame {
    ($($type:ty),+) => {$(
        impl sealed::Sealed for $type {}

        impl FromFrame for $type {
            type Error = FrameCountError;

            fn from_frame(frame: Frame, _index: usize) -> Result<Self, FrameCountError> {
                Ok(frame.into())
            }
        }
    )+};
}

from_frame!(Frame, Bytes, Vec<u8>);

impl sealed::Sealed for String {}

impl FromFrame for String {
    type Error = TextError;

    fn from_frame(frame: Frame, index: usize) -> Result<Self, TextError> {
        frame.try_into().map_err(|error: std::string::FromUtf8Error| TextError::NotUtf8 {
            index,
            error: error.utf8_error(),
        })
    }
}

/// Takes the frames out, if there are `N`.
fn take<const N: usize>(message: Message) -> Result<[Frame; N], FrameCountError> {
    if message.len() != N {
        return Err(FrameCountError { expected: N, message });
    }
    let mut frames = message.into_iter();
    Ok(std::array::from_fn(|_| frames.next().unwrap_or_default()))
}

impl<T: FromFrame, const N: usize> TryFrom<Message> for [T; N] {
    type Error = T::Error;

    /// Takes the frames out, without copies of long ones; `Vec<u8>` and `String` are copied, unless
    /// the frame is a vector that nobody shares. Name the type:
    /// `let [a, b]: [Frame; 2] = message.try_into()?`.
    fn try_from(message: Message) -> Result<Self, T::Error> {
        let (mut frames, mut failed) = (take::<N>(message)?, None);
        let mut index = 0..;
        let values = frames.each_mut().map(|frame| {
            let value = T::from_frame(std::mem::take(frame), index.next().unwrap_or_default());
            value.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                T::default()
            })
        });
        failed.map_or(Ok(values), Err)
    }
}

/// Conversions to tuples: each element is a frame.
macro_rules! tuple_from_message {
    ($($($name:ident: $type:ident $index:literal),+;)+) => {$(
        impl<$($type: FromFrame),+> TryFrom<Message> for ($($type,)+) {
            type Error = TextError;

            /// Takes the frames out, without copies of long ones; `Vec<u8>` and `String` are
            /// copied, unless the frame is a vector that nobody shares.
            fn try_from(message: Message) -> Result<Self, TextError> {
                let [$($name),+] = take(message)?;
                Ok(($($type::from_frame($name, $index).map_err(Into::into)?,)+))
            }
        }
    )+};
}

tuple_from_message! {
    a: A 0;
    a: A 0, b: B 1;
    a: A 0, b: B 1, c: C 2;
    a: A 0, b: B 1, c: C 2, d: D 3;
    a: A 0, b: B 1, c: C 2, d: D 3, e: E 4;
    a: A 0, b: B 1, c: C 2, d: D 3, e: E 4, f: F 5;
    a: A 0, b: B 1, c: C 2, d: D 3, e: E 4, f: F 5, g: G 6;
    a: A 0, b: B 1, c: C 2, d: D 3, e: E 4, f: F 5, g: G 6, h: H 7;
}

impl<'a, const N: usize> TryFrom<&'a Message> for [&'a [u8]; N] {
    type Error = FrameCountError;

    /// Borrows the frames.
    fn try_from(message: &'a Message) -> Result<Self, FrameCountError> {
        if message.len() != N {
            return Err(FrameCountError { expected: N, message: message.clone() });
        }
        let mut frames = message.iter();
        Ok(std::array::from_fn(|_| frames.next().unwrap_or_default()))
    }
}

/// Conversions to tuples of slices.
macro_rules! slices_from_message {
    ($($($name:ident: $type:ty),+;)+) => {$(
        impl<'a> TryFrom<&'a Message> for ($($type,)+) {
            type Error = FrameCountError;

            /// Borrows the frames.
            fn try_from(message: &'a Message) -> Result<Self, FrameCountError> {
                let [$($name),+] = message.try_into()?;
                Ok(($($name,)+))
            }
        }
    )+};
}

slices_from_message! {
    a: &'a [u8];
    a: &'a [u8], b: &'a [u8];
    a: &'a [u8], b: &'a [u8], c: &'a [u8];
    a: &'a [u8], b: &'a [u8], c: &'a [u8], d: &'a [u8];
    a: &'a [u8], b: &'a [u8], c: &'a [u8], d: &'a [u8], e: &'a [u8];
    a: &'a [u8], b: &'a [u8], c: &'a [u8], d: &'a [u8], e: &'a [u8], f: &'a [u8];
    a: &'a [u8], b: &'a [u8], c: &'a [u8], d: &'a [u8], e: &'a [u8], f: &'a [u8], g: &'a [u8];
    a: &'a [u8], b: &'a [u8], c: &'a [u8], d: &'a [u8], e: &'a [u8], f: &'a [u8], g: &'a [u8], h: &'a [u8];
}

impl TryFrom<Message> for Frame {
    type Error = FrameCountError;

    /// Takes the only frame out, without a copy of a long one.
    fn try_from(message: Message) -> Result<Self, FrameCountError> {
        take(message).map(|[frame]| frame)
    }
}

impl TryFrom<Message> for Bytes {
    type Error = FrameCountError;

    /// Takes the only frame out, without a copy of a long one.
    fn try_from(message: Message) -> Result<Self, FrameCountError> {
        Frame::try_from(message).map(Self::from)
    }
}

impl TryFrom<Message> for Vec<u8> {
    type Error = FrameCountError;

    /// Copies the only frame, unless it is a vector that nobody shares.
    fn try_from(message: Message) -> Result<Self, FrameCountError> {
        Frame::try_from(message).map(Self::from)
    }
}

impl TryFrom<Message> for String {
    type Error = TextError;

    /// Converts a message of one frame of UTF-8. Copies the text, unless the frame is a vector that
    /// nobody shares.
    fn try_from(message: Message) -> Result<Self, TextError> {
        let frames = message.len();
        let frame = Frame::try_from(message).map_err(|_| TextError::NotOneFrame { frames })?;
        Self::from_frame(frame, 0)
    }
}

impl TryFrom<Message> for Vec<String> {
    type Error = TextError;

    /// Converts frames of UTF-8. Copies the text, unless a frame is a vector that nobody shares.
    fn try_from(message: Message) -> Result<Self, TextError> {
        (0..).zip(message).map(|(index, frame)| String::from_frame(frame, index)).collect()
    }
}

impl From<Message> for Vec<Frame> {
    /// Takes the frames out, without copies of long ones.
    fn from(message: Message) -> Self {
        message.into_iter().collect()
    }
}

impl From<Message> for Vec<Bytes> {
    /// Takes the frames out, without copies of long ones.
    fn from(message: Message) -> Self {
        message.into_iter().map(Bytes::from).collect()
    }
}

impl From<Message> for Vec<Vec<u8>> {
    /// Copies the frames, unless they are vectors that nobody shares.
    fn from(message: Message) -> Self {
        message.into_iter().map(Vec::from).collect()
    }
}

impl From<&Message> for Vec<Vec<u8>> {
    /// Copies the frames.
    fn from(message: &Message) -> Self {
        message.to_vec()
    }
}

/// A message that has not as many frames as were expected. It is in the error.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a message of {} frames, expected {expected}", message.len())]
pub struct FrameCountError {
    expected: usize,
    message: Message,
}

impl FrameCountError {
    /// Returns how many frames were expected.
    pub fn expected(&self) -> usize {
        self.expected
    }

    /// Returns how many frames there were.
    pub fn found(&self) -> usize {
        self.message.len()
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the message, by value.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl From<FrameCountError> for TextError {
    fn from(error: FrameCountError) -> Self {
        Self::FrameCount(error.into())
    }
}
