//! The receiving half: from bytes to messages and subscriptions.
//!
//! Owns the assembly of messages, the limits on them, and the answers to commands. It does not know who reads, nor where
//! messages go. Pulled by the read pump, through [`Decode`](monocoque_core::Decode).
//!
//! This is the hot path. A frame that lies whole in the first segment is parsed where it lies, and a small body goes
//! straight into the message; only what is cut by the end of a segment is peeked and joined.

use std::collections::VecDeque;

use bytes::Bytes;
use monocoque_core::{Message, Outbox, SegmentedBuffer};

use crate::command::{Command, CommandKind, MAX_KNOWN_NAME, put_command};
use crate::frame::{FrameHeader, MAX_HEADER_LEN};
use crate::heartbeat::AnnouncedTtl;
use crate::{Limits, Malformed, Misbehaved, SessionConfig, SocketType, TopicAllowance, ZmtpError};

/// What a peer meant by what it sent, which is the [`Message`] beside this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A message.
    Message,
    /// A subscription to all messages that start with the one frame of this. Only a PUB or XPUB gets one.
    Subscribe,
    /// The end of such a subscription. Only a PUB or XPUB gets one.
    Cancel,
}

/// The messages that were [encoded](crate::encode_message) into an outbox, of which nothing was consumed since.
///
/// For those that are to go another way: large bodies stay shared.
///
/// ```
/// use monocoque_core::{Message, Outbox};
/// use monocoque_zmtp::{decode_messages, encode_message};
///
/// let mut outbox = Outbox::new();
/// encode_message(&Message::from(["A", "B"]), &mut outbox);
/// encode_message(&Message::from("C"), &mut outbox);
/// assert_eq!(decode_messages(outbox), [Message::from(["A", "B"]), Message::from("C")]);
/// ```
pub fn decode_messages(outbox: Outbox) -> Vec<Message> {
    let mut config = SessionConfig::new(SocketType::Dealer);
    config.limits.max_frames = usize::MAX;
    let mut decoder = Decoder::new(&config, AnnouncedTtl::default(), TopicAllowance::default());
    let mut messages = VecDeque::with_capacity(outbox.messages());
    let mut input = outbox.into_segments();
    while let Ok(Some(_)) = decoder.next_item(&mut input, &mut Outbox::new(), &mut messages) {}
    debug_assert!(input.is_empty(), "not what was encoded");
    messages.into()
}

/// The receiving half of a connection. It is used through [`Decode`](monocoque_core::Decode).
///
/// It does not mind commands between the frames of a message. After an error it is of no more use.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    takes_subscriptions: bool,
    /// The message whose last frame has not arrived.
    partial: Message,
    /// Its length so far, in bytes.
    partial_len: u64,
    /// How many bytes the next frame of a message may have without a closer look.
    room: u64,
    /// The length of the frame, or of its header, that was not whole; nothing is looked at again before it is.
    pub(crate) need: usize,
    announced_ttl: AnnouncedTtl,
    /// What the peer may still add to its topics.
    topics: TopicAllowance,
}

impl Decoder {
    pub(crate) fn new(config: &SessionConfig, announced_ttl: AnnouncedTtl, topics: TopicAllowance) -> Self {
        let mut limits = config.limits;
        // Together with its header a frame must fit into memory: a length that cannot is refused when it is read.
        limits.max_frame_size = limits.max_frame_size.min((isize::MAX as usize - MAX_HEADER_LEN) as u64);
        let mut decoder = Self {
            limits,
            takes_subscriptions: config.socket_type.takes_subscriptions(),
            partial: Message::new(),
            partial_len: 0,
            room: 0,
            need: 1,
            announced_ttl,
            topics,
        };
        decoder.room = decoder.room_of_next();
        decoder
    }

    #[inline]
    pub(crate) fn next_item(
        &mut self,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        if input.len() < self.need {
            return Ok(None);
        }
        self.need = 1;
        loop {
            let Some(header) = self.header(input)? else { return Ok(None) };
            if header.is_command() {
                if !self.admits_command(header, input)? {
                    return Ok(None);
                }
                self.announced_ttl.cancel();
                if let Some(inbound) = self.on_command(header, input, replies, messages)? {
                    return Ok(Some(inbound));
                }
                continue;
            }
            if header.size > self.room && !self.admits_frame(header, input)? {
                return Ok(None);
            }
            if input.len() < header.frame_len() {
                self.check_count(header)?;
                self.need = header.frame_len();
                return Ok(None);
            }
            self.announced_ttl.cancel();
            if header.has_more() || !self.partial.is_empty() {
                if let Some(message) = self.on_part(header, input)? {
                    messages.push_back(message);
                    return Ok(Some(Inbound::Message));
                }
            } else {
                messages.push_back(Message::new());
                if let Some(message) = messages.back_mut() {
                    push_frame(message, header, input);
                    if self.takes_subscriptions {
                        return Ok(Some(what_is_meant(message)));
                    }
                }
                return Ok(Some(Inbound::Message));
            }
        }
    }

    /// The next frame's header, once it is whole.
    #[inline]
    fn header(&mut self, input: &SegmentedBuffer) -> Result<Option<FrameHeader>, ZmtpError> {
        match FrameHeader::parse(input.chunk())? {
            Some(header) => Ok(Some(header)),
            None => self.cut_header(input),
        }
    }

    #[cold]
    fn cut_header(&mut self, input: &SegmentedBuffer) -> Result<Option<FrameHeader>, ZmtpError> {
        let mut bytes = [0; MAX_HEADER_LEN];
        let arrived = input.peek_into(&mut bytes);
        let arrived = bytes.get(..arrived).unwrap_or(&bytes);
        let header = FrameHeader::parse(arrived)?;
        if header.is_none() {
            self.need = FrameHeader::len_from(arrived);
        }
        Ok(header)
    }

    /// How many bytes the next frame of a message may have without a closer look: what is left of the limits on
    /// messages, and for a publisher no more than a subscription may have in any case.
    fn room_of_next(&self) -> u64 {
        let Limits { max_frame_size, max_message_size, .. } = self.limits;
        let room = max_frame_size.min(max_message_size - self.partial_len);
        if self.takes_subscriptions { room.min(MAX_COMMAND) } else { room }
    }

    /// Whether a command is whole. It is refused as soon as its header and its name say that it is not legal here, or
    /// too large, without waiting for the rest of it.
    fn admits_command(&mut self, header: FrameHeader, input: &SegmentedBuffer) -> Result<bool, ZmtpError> {
        if header.size <= ALWAYS_TAKEN && input.len() >= header.frame_len() {
            return Ok(true);
        }
        let Some(kind) = self.peek_kind(header, input)? else { return Ok(false) };
        self.check_legal(kind)?;
        let limit = self.command_limit(kind);
        if header.size > limit {
            return Err(Misbehaved::CommandTooLarge { kind, size: header.size, limit }.into());
        }
        let is_whole = input.len() >= header.frame_len();
        if !is_whole {
            self.need = header.frame_len();
        }
        Ok(is_whole)
    }

    /// The kind of a command, once its name has arrived; until then, how much of it is needed for that is noted.
    #[cold]
    fn peek_kind(
        &mut self,
        header: FrameHeader,
        input: &SegmentedBuffer,
    ) -> Result<Option<CommandKind>, Malformed> {
        let mut bytes = [0; MAX_HEADER_LEN + 1 + MAX_KNOWN_NAME];
        let arrived = input.peek_into(&mut bytes);
        let body = bytes.get(header.len()..arrived).unwrap_or_default();
        match CommandKind::peek(body, header.size)? {
            Ok(kind) => Ok(Some(kind)),
            Err(needed) => {
                self.need = header.len() + needed;
                Ok(None)
            }
        }
    }

    fn check_legal(&self, kind: CommandKind) -> Result<(), Misbehaved> {
        match kind {
            CommandKind::Subscribe | CommandKind::Cancel if self.takes_subscriptions => Ok(()),
            CommandKind::Subscribe | CommandKind::Cancel | CommandKind::Ready => {
                Err(Misbehaved::UnexpectedCommand(kind))
            }
            CommandKind::Ping | CommandKind::Pong | CommandKind::Error | CommandKind::Unknown => Ok(()),
        }
    }

    /// How large a command may be. No limit on messages has to do with it.
    fn command_limit(&self, kind: CommandKind) -> u64 {
        let topic = match kind {
            CommandKind::Subscribe => self.topics.left(),
            CommandKind::Cancel => self.topics.used(),
            _ => 0,
        };
        MAX_COMMAND.max(topic.saturating_add(1 + MAX_KNOWN_NAME as u64))
    }

    /// Whether a frame that is larger than `room` may be taken. Not yet, if that depends on its first byte: for a
    /// publisher, which tells subscriptions of ZMTP 3.0 by that.
    #[cold]
    fn admits_frame(&mut self, header: FrameHeader, input: &SegmentedBuffer) -> Result<bool, Misbehaved> {
        let may_subscribe = self.takes_subscriptions && !header.has_more() && self.partial.is_empty();
        if may_subscribe {
            let mut bytes = [0; MAX_HEADER_LEN + 1];
            let arrived = input.peek_into(&mut bytes);
            let limit = match bytes.get(..arrived).and_then(|bytes| bytes.get(header.len())) {
                None => {
                    self.need = header.len() + 1;
                    return Ok(false);
                }
                Some(1) => Some(self.topics.left()),
                Some(0) => Some(self.topics.used()),
                Some(_) => None,
            };
            if let Some(limit) = limit {
                let limit = MAX_COMMAND.max(limit.saturating_add(1));
                let size = header.size;
                return if size > limit {
                    Err(Misbehaved::SubscriptionTooLarge { size, limit })
                } else {
                    Ok(true)
                };
            }
        }
        self.check_size(header).map(|()| true)
    }

    /// Finds out which limit on messages a frame is beyond, if any.
    fn check_size(&self, header: FrameHeader) -> Result<(), Misbehaved> {
        let Limits { max_frame_size, max_message_size, .. } = self.limits;
        let size = header.size;
        if size > max_frame_size {
            return Err(Misbehaved::FrameTooLarge { size, limit: max_frame_size });
        }
        let size = size.saturating_add(self.partial_len);
        if size > max_message_size {
            return Err(Misbehaved::MessageTooLarge { size, limit: max_message_size });
        }
        Ok(())
    }

    /// Whether the message may have this frame too.
    fn check_count(&self, header: FrameHeader) -> Result<(), Misbehaved> {
        let limit = self.limits.max_frames;
        if header.is_command() || self.partial.is_empty() || self.partial.len() < limit {
            return Ok(());
        }
        Err(Misbehaved::TooManyFrames { limit })
    }

    /// Takes a frame of a multipart message; the message, if that was the last one.
    fn on_part(
        &mut self,
        header: FrameHeader,
        input: &mut SegmentedBuffer,
    ) -> Result<Option<Message>, Misbehaved> {
        self.check_count(header)?;
        push_frame(&mut self.partial, header, input);
        self.partial_len = if header.has_more() { self.partial_len + header.size } else { 0 };
        self.room = self.room_of_next();
        Ok((!header.has_more()).then(|| std::mem::take(&mut self.partial)))
    }

    #[inline(never)]
    fn on_command(
        &self,
        header: FrameHeader,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        let body = take_body(header, input);
        let command = Command::parse(&body)?;
        self.check_legal(command.kind())?;
        match command {
            Command::Subscribe(topic) => {
                messages.push_back(topic.into());
                Ok(Some(Inbound::Subscribe))
            }
            Command::Cancel(topic) => {
                messages.push_back(topic.into());
                Ok(Some(Inbound::Cancel))
            }
            Command::Ping { ttl, context } => {
                self.announced_ttl.announce(ttl);
                // One answer at a time, so that a peer that asks and never reads gets no memory of ours.
                if replies.is_empty() {
                    put_command(CommandKind::Pong, context, replies);
                }
                Ok(None)
            }
            Command::Pong | Command::Unknown | Command::Ready(_) => Ok(None),
            Command::Error(reason) => Err(ZmtpError::PeerError(reason)),
        }
    }
}

/// Moves a frame that is whole from the input to the end of a message.
#[inline]
fn push_frame(message: &mut Message, header: FrameHeader, input: &mut SegmentedBuffer) {
    if header.body_len() > COPY_MAX {
        message.push_bytes(take_body(header, input));
        return;
    }
    let is_contiguous = input.chunk().len() >= header.frame_len();
    match input.chunk().get(header.len()..) {
        Some(body) if is_contiguous => {
            message.push_start(body, header.body_len());
            input.advance(header.frame_len());
        }
        _ => message.push_copy(&take_body(header, input)),
    }
}

/// Takes a frame that is whole out of the input, and gives its body.
#[expect(clippy::expect_used, reason = "both callers have found the whole frame in the input")]
fn take_body(header: FrameHeader, input: &mut SegmentedBuffer) -> Bytes {
    input.advance(header.len());
    input.take(header.body_len()).expect("the whole frame")
}

/// What a publisher got: from a peer of ZMTP 3.0 a subscription has the form of a message.
fn what_is_meant(message: &mut Message) -> Inbound {
    let (inbound, topic) = match message.frame(0) {
        Some([1, topic @ ..]) => (Inbound::Subscribe, topic),
        Some([0, topic @ ..]) => (Inbound::Cancel, topic),
        _ => return Inbound::Message,
    };
    *message = topic.into();
    inbound
}

/// Bodies up to this length are copied out of the memory they were read into, which is a page of up to 128 KiB: what is
/// kept of a page is at least half of it. Larger ones lie in memory of their own most of the time, and are shared.
const COPY_MAX: usize = 64 * 1024 - 16;
/// Commands up to this length, those in a short frame, need no closer look before they are whole.
const ALWAYS_TAKEN: u64 = 255;
/// How large a command may be that has no topic: what is kept of it before it is whole.
const MAX_COMMAND: u64 = 64 * 1024;
