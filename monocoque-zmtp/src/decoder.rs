//! The receiving half: from bytes to messages and subscriptions.
//!
//! Owns the assembly of messages, the limits on them, and the answers to commands. It knows neither
//! the source of the bytes nor the destination of messages. Pulled by the read pump, through
//! [`Decode`](monocoque_core::Decode).
//!
//! This is the hot path. A frame that lies whole in the first segment is parsed in place, and a
//! small body is copied straight into the message; only frames across the end of a segment are
//! joined. The frames of a sealed link are opened first, on a way of their own: its bytes never
//! reach the parser of open frames.

mod sealed;

use std::collections::VecDeque;

use bytes::Bytes;
use monocoque_core::{Message, Outbox, SegmentedBuffer};

use self::sealed::SealedLink;
use crate::command::{Command, MAX_KNOWN_NAME, peek_kind, put_command};
use crate::frame::{FrameHeader, MAX_HEADER_LEN};
use crate::heartbeat::AnnouncedTtl;
use crate::mechanism::Opener;
use crate::names::CommandKind;
use crate::{Limits, Malformed, Misbehaved, SessionConfig, SocketType, TopicBudget, ZmtpError};

/// The meaning of a received [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A message.
    Message,
    /// A subscription to all messages that start with its only frame. Only a PUB or XPUB gets one.
    Subscribe,
    /// The end of such a subscription. Only a PUB or XPUB gets one.
    Cancel,
}

/// Decodes the messages of an outbox, which were [encoded](crate::encode_message) and not consumed
/// since.
///
/// For messages that are to be sent to another peer: large bodies stay shared.
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
    let mut decoder = Decoder::new(&config, None, AnnouncedTtl::default(), TopicBudget::default());
    let mut messages = VecDeque::with_capacity(outbox.messages());
    let mut input = outbox.into_segments();
    while let Ok(Some(_)) = decoder.next_item(&mut input, &mut Outbox::new(), &mut messages) {}
    debug_assert!(input.is_empty(), "not what was encoded");
    messages.into()
}

/// The receiving half of a connection. It is used through [`Decode`](monocoque_core::Decode).
///
/// It accepts commands between the frames of a message. After an error it must not be used any
/// more.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    takes_subscriptions: bool,
    /// The message whose last frame has not arrived, if there is one.
    partial: Option<Message>,
    /// Its length so far, in bytes.
    partial_len: u64,
    /// The size up to which the next frame of a message needs no closer check.
    next_frame_max: u64,
    /// The length of the frame, or of the header, that was not whole. Nothing is parsed before it
    /// is. On a sealed link it never is: frames are opened first.
    need: usize,
    sealed: Option<Box<SealedLink>>,
    announced_ttl: AnnouncedTtl,
    /// How many bytes of topics the peer may have.
    topic_budget: TopicBudget,
}

impl Decoder {
    pub(crate) fn new(
        config: &SessionConfig,
        opener: Option<Box<Opener>>,
        announced_ttl: AnnouncedTtl,
        topic_budget: TopicBudget,
    ) -> Self {
        let mut limits = config.limits;
        // Together with its header a frame must fit into memory: a length that cannot is refused
        // when it is read.
        limits.max_frame_size = limits.max_frame_size.min((isize::MAX as usize - MAX_HEADER_LEN) as u64);
        let mut decoder = Self {
            limits,
            takes_subscriptions: config.socket_type.takes_subscriptions(),
            partial: None,
            partial_len: 0,
            next_frame_max: 0,
            need: if opener.is_some() { usize::MAX } else { 1 },
            sealed: opener.map(|opener| Box::new(SealedLink::new(opener))),
            announced_ttl,
            topic_budget,
        };
        decoder.next_frame_max = decoder.next_frame_limit();
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
            return self.on_short_input(input, replies, messages);
        }
        self.need = 1;
        loop {
            let Some(header) = self.header(input)? else { return Ok(None) };
            if header.is_command() {
                if !self.is_command_whole(header, input)? {
                    return Ok(None);
                }
                self.announced_ttl.cancel();
                if let Some(inbound) = self.on_command_frame(header, input, replies, messages)? {
                    return Ok(Some(inbound));
                }
                continue;
            }
            if header.size > self.next_frame_max && !self.check_large_frame(header, input)? {
                return Ok(None);
            }
            if input.len() < header.frame_len() {
                self.check_count()?;
                self.need = header.frame_len();
                return Ok(None);
            }
            self.announced_ttl.cancel();
            if header.has_more() || self.partial.is_some() {
                if let Some(message) = self.on_message_frame(header, input)? {
                    messages.push_back(message);
                    return Ok(Some(Inbound::Message));
                }
            } else {
                messages.push_back(Message::new());
                if let Some(message) = messages.back_mut() {
                    push_frame(message, header, input);
                    if self.takes_subscriptions {
                        return Ok(Some(as_legacy_subscription(message)));
                    }
                }
                return Ok(Some(Inbound::Message));
            }
        }
    }

    /// Returns how many bytes are needed to go on.
    pub(crate) fn needed(&self) -> usize {
        self.sealed.as_ref().map_or(self.need, |link| link.need)
    }

    /// Decodes the next item of a sealed link. On any other, more input is needed.
    #[cold]
    fn on_short_input(
        &mut self,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        // Taken out, so that an opened frame may lie in its memory.
        let Some(mut link) = self.sealed.take() else { return Ok(None) };
        let inbound = self.next_sealed_item(&mut link, input, replies, messages);
        self.sealed = Some(link);
        inbound
    }

    /// Returns the header of the next frame, once it is whole.
    #[inline]
    fn header(&mut self, input: &SegmentedBuffer) -> Result<Option<FrameHeader>, ZmtpError> {
        match FrameHeader::parse(input.chunk())? {
            Some(header) => Ok(Some(header)),
            None => self.split_header(input),
        }
    }

    #[cold]
    fn split_header(&mut self, input: &SegmentedBuffer) -> Result<Option<FrameHeader>, ZmtpError> {
        let mut bytes = [0; MAX_HEADER_LEN];
        let arrived = input.peek_into(&mut bytes);
        let arrived = bytes.get(..arrived).unwrap_or(&bytes);
        let header = FrameHeader::parse(arrived)?;
        if header.is_none() {
            self.need = FrameHeader::header_len(arrived);
        }
        Ok(header)
    }

    /// Returns the size up to which the next frame of a message needs no closer check: what is left
    /// of the limits on messages, and for a publisher no more than any subscription may have.
    fn next_frame_limit(&self) -> u64 {
        let Limits { max_frame_size, max_message_size, .. } = self.limits;
        let limit = max_frame_size.min(max_message_size - self.partial_len);
        if self.takes_subscriptions { limit.min(MAX_COMMAND) } else { limit }
    }

    /// Returns whether a command is whole. One that is not legal here, or too large, is refused as
    /// soon as its header and its name have arrived.
    fn is_command_whole(&mut self, header: FrameHeader, input: &SegmentedBuffer) -> Result<bool, ZmtpError> {
        if header.size <= SHORT_COMMAND && input.len() >= header.frame_len() {
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

    /// Returns the kind of a command, once its name has arrived; until then, notes how many bytes
    /// of it are needed.
    #[cold]
    fn peek_kind(
        &mut self,
        header: FrameHeader,
        input: &SegmentedBuffer,
    ) -> Result<Option<CommandKind>, Malformed> {
        let mut bytes = [0; MAX_HEADER_LEN + 1 + MAX_KNOWN_NAME];
        let arrived = input.peek_into(&mut bytes);
        let body = bytes.get(header.len()..arrived).unwrap_or_default();
        match peek_kind(body, header.size)? {
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
            CommandKind::Subscribe
            | CommandKind::Cancel
            | CommandKind::Hello
            | CommandKind::Welcome
            | CommandKind::Initiate
            | CommandKind::Ready
            | CommandKind::Message => Err(Misbehaved::UnexpectedCommand(kind)),
            CommandKind::Ping | CommandKind::Pong | CommandKind::Error | CommandKind::Unknown => Ok(()),
        }
    }

    /// Returns how large a command may be. The limits on messages do not apply.
    fn command_limit(&self, kind: CommandKind) -> u64 {
        let topic = match kind {
            CommandKind::Subscribe => self.topic_budget.remaining(),
            CommandKind::Cancel => self.topic_budget.used(),
            _ => 0,
        };
        MAX_COMMAND.max(topic.saturating_add(1 + MAX_KNOWN_NAME as u64))
    }

    /// Checks a frame above `next_frame_max`. Returns false if the check has to wait for its first
    /// byte: for a publisher, that byte marks a subscription of ZMTP 3.0.
    #[cold]
    fn check_large_frame(
        &mut self,
        header: FrameHeader,
        input: &SegmentedBuffer,
    ) -> Result<bool, Misbehaved> {
        let may_subscribe = self.takes_subscriptions && !header.has_more() && self.partial.is_none();
        if may_subscribe {
            let mut bytes = [0; MAX_HEADER_LEN + 1];
            let arrived = input.peek_into(&mut bytes);
            match bytes.get(..arrived).and_then(|bytes| bytes.get(header.len())) {
                None => {
                    self.need = header.len() + 1;
                    return Ok(false);
                }
                Some(first @ (0 | 1)) => {
                    let (size, limit) = (header.size, self.legacy_subscription_limit(*first));
                    return if size > limit {
                        Err(Misbehaved::SubscriptionTooLarge { size, limit })
                    } else {
                        Ok(true)
                    };
                }
                Some(_) => {}
            }
        }
        self.check_size(header.size).map(|()| true)
    }

    /// Returns how large a subscription of ZMTP 3.0 may be that begins with this byte.
    fn legacy_subscription_limit(&self, first: u8) -> u64 {
        let topics = if first == 1 { self.topic_budget.remaining() } else { self.topic_budget.used() };
        MAX_COMMAND.max(topics.saturating_add(1))
    }

    /// Checks a frame against the limits on the size of frames and messages.
    fn check_size(&self, size: u64) -> Result<(), Misbehaved> {
        let Limits { max_frame_size, max_message_size, .. } = self.limits;
        if size > max_frame_size {
            return Err(Misbehaved::FrameTooLarge { size, limit: max_frame_size });
        }
        let size = size.saturating_add(self.partial_len);
        if size > max_message_size {
            return Err(Misbehaved::MessageTooLarge { size, limit: max_message_size });
        }
        Ok(())
    }

    /// Checks the limit on the number of frames, for one more.
    fn check_count(&self) -> Result<(), Misbehaved> {
        let limit = self.limits.max_frames;
        match &self.partial {
            Some(partial) if partial.len() >= limit => Err(Misbehaved::TooManyFrames { limit }),
            _ => Ok(()),
        }
    }

    /// Takes a frame of a multipart message, and returns the message after its last frame.
    fn on_message_frame(
        &mut self,
        header: FrameHeader,
        input: &mut SegmentedBuffer,
    ) -> Result<Option<Message>, Misbehaved> {
        self.check_count()?;
        push_frame(self.partial.get_or_insert_default(), header, input);
        self.partial_len = if header.has_more() { self.partial_len + header.size } else { 0 };
        self.next_frame_max = self.next_frame_limit();
        Ok(if header.has_more() { None } else { self.partial.take() })
    }

    #[inline(never)]
    fn on_command_frame(
        &self,
        header: FrameHeader,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        self.on_command(&take_body(header, input), replies, messages)
    }

    fn on_command(
        &self,
        body: &[u8],
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        let command = Command::parse(body)?;
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
                // One answer at a time, so that a peer that sends PINGs and never reads cannot use
                // up memory.
                if replies.is_empty() {
                    put_command(CommandKind::Pong, context, replies);
                }
                Ok(None)
            }
            Command::Pong
            | Command::Unknown
            | Command::Hello(_)
            | Command::Welcome(_)
            | Command::Initiate(_)
            | Command::Ready(_)
            | Command::Message => Ok(None),
            Command::Error(reason) => Err(ZmtpError::PeerError(reason)),
        }
    }
}

/// Moves a whole frame from the input to the end of a message.
#[inline]
fn push_frame(message: &mut Message, header: FrameHeader, input: &mut SegmentedBuffer) {
    if header.body_len() > COPY_MAX {
        message.push_bytes(take_body(header, input));
        return;
    }
    let is_contiguous = input.chunk().len() >= header.frame_len();
    match input.chunk().get(header.len()..) {
        Some(body) if is_contiguous => {
            message.push_prefix(body, header.body_len());
            input.advance(header.frame_len());
        }
        _ => message.push_copy(&take_body(header, input)),
    }
}

/// Takes a whole frame out of the input, and returns its body.
#[expect(clippy::expect_used, reason = "both callers have found the whole frame in the input")]
fn take_body(header: FrameHeader, input: &mut SegmentedBuffer) -> Bytes {
    input.advance(header.len());
    input.take(header.body_len()).expect("the whole frame")
}

/// Returns the meaning of a message to a publisher: a peer of ZMTP 3.0 sends subscriptions as
/// messages.
fn as_legacy_subscription(message: &mut Message) -> Inbound {
    let (inbound, topic) = match message.get(0) {
        Some([1, topic @ ..]) => (Inbound::Subscribe, topic),
        Some([0, topic @ ..]) => (Inbound::Cancel, topic),
        _ => return Inbound::Message,
    };
    *message = topic.into();
    inbound
}

/// Bodies up to this length are copied out of the page that they were read into, of up to 128 KiB:
/// a body that keeps a page alive is at least half of it. Larger ones mostly have memory of their
/// own, and are shared.
const COPY_MAX: usize = 64 * 1024 - 16;
/// Commands up to this length, those in a short frame, need no check before they are whole.
const SHORT_COMMAND: u64 = 255;
/// The largest command without a topic: it is kept before it is whole.
const MAX_COMMAND: u64 = 64 * 1024;
