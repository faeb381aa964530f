//! The decoder of a sealed link: frames are opened, then checked and assembled like open ones.

use std::collections::VecDeque;

use monocoque_core::{Message, Outbox, SegmentedBuffer};

use super::{Decoder, Inbound, MAX_COMMAND, as_legacy_subscription};
use crate::command::peek_kind;
use crate::frame::{FrameHeader, MAX_HEADER_LEN};
use crate::mechanism::{AT_ONCE_MAX, BOX_START, Opened, Opener, SEALED_OVERHEAD};
use crate::names::CommandKind;
use crate::{Limits, Malformed, Misbehaved, ZmtpError};

/// A link of which all frames are sealed.
#[derive(Debug)]
pub(super) struct SealedLink {
    opener: Box<Opener>,
    /// How many bytes are needed to go on.
    pub(super) need: usize,
}

impl SealedLink {
    pub(super) fn new(opener: Box<Opener>) -> Self {
        Self { opener, need: 1 }
    }

    /// Opens the next frame, once it is whole. It is refused as soon as its header, name or number
    /// shows that it is not the next one.
    fn next_frame(
        &mut self,
        input: &mut SegmentedBuffer,
        limit: u64,
    ) -> Result<Option<Opened<'_>>, ZmtpError> {
        if input.len() < self.need {
            return Ok(None);
        }
        if self.opener.is_opening() {
            return self.open_piece(input);
        }
        let mut bytes = [0; MAX_HEADER_LEN];
        let arrived = input.peek_into(&mut bytes);
        let arrived = bytes.get(..arrived).unwrap_or(&bytes);
        let Some(header) = FrameHeader::parse(arrived)? else {
            self.need = FrameHeader::header_len(arrived);
            return Ok(None);
        };
        let size = header.size.checked_sub(SEALED_OVERHEAD).filter(|_| !header.has_more());
        let size = size.ok_or(Malformed::Unsealed)?;
        if size > limit {
            return Err(Misbehaved::FrameTooLarge { size, limit }.into());
        }
        let is_large = header.body_len() > AT_ONCE_MAX;
        let need = if is_large { header.len() + BOX_START } else { header.frame_len() };
        if input.len() < need {
            self.opener.check_start(header, input)?;
            self.need = need;
            return Ok(None);
        }
        if is_large {
            self.opener.begin(header, input)?;
            return self.open_piece(input);
        }
        self.need = 1;
        self.opener.open(header, input).map(Some)
    }

    /// Opens what has arrived of a large frame.
    #[cold]
    fn open_piece(&mut self, input: &mut SegmentedBuffer) -> Result<Option<Opened<'_>>, ZmtpError> {
        let left = self.opener.go_on(input);
        self.need = left.clamp(1, PIECE);
        if left > 0 { Ok(None) } else { self.opener.finish().map(Some) }
    }
}

impl Decoder {
    /// Decodes the next item; `None` if more input is needed.
    #[inline(never)]
    pub(super) fn next_sealed_item(
        &mut self,
        link: &mut SealedLink,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        while let Some(frame) = link.next_frame(input, self.sealed_limit())? {
            self.announced_ttl.cancel();
            let inbound = if frame.is_command() {
                self.on_sealed_command(frame.body(), replies, messages)?
            } else {
                self.on_sealed_message_frame(frame, messages)?
            };
            if inbound.is_some() {
                return Ok(inbound);
            }
        }
        Ok(None)
    }

    /// Returns how large the body of a sealed frame may be. Whether it is a message, and which
    /// closer limit applies, shows when it is opened.
    fn sealed_limit(&self) -> u64 {
        let Limits { max_frame_size, max_message_size, .. } = self.limits;
        let limit = max_frame_size.min(max_message_size - self.partial_len).max(MAX_COMMAND);
        if !self.takes_subscriptions {
            return limit;
        }
        let [subscribe, cancel] =
            [CommandKind::Subscribe, CommandKind::Cancel].map(|kind| self.command_limit(kind));
        limit.max(subscribe).max(cancel)
    }

    fn on_sealed_command(
        &self,
        body: &[u8],
        replies: &mut Outbox,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        let size = body.len() as u64;
        if let Ok(kind) = peek_kind(body, size)? {
            let limit = self.command_limit(kind);
            if size > limit {
                return Err(Misbehaved::CommandTooLarge { kind, size, limit }.into());
            }
        }
        self.on_command(body, replies, messages)
    }

    fn on_sealed_message_frame(
        &mut self,
        frame: Opened<'_>,
        messages: &mut VecDeque<Message>,
    ) -> Result<Option<Inbound>, ZmtpError> {
        let (size, has_more) = (frame.body().len() as u64, frame.has_more());
        let is_whole = !has_more && self.partial.is_none();
        let legacy_limit = match frame.body().first() {
            Some(first @ (0 | 1)) if self.takes_subscriptions && is_whole => {
                Some(self.legacy_subscription_limit(*first))
            }
            _ => None,
        };
        match legacy_limit {
            Some(limit) if size > limit => {
                return Err(Misbehaved::SubscriptionTooLarge { size, limit }.into());
            }
            Some(_) => {}
            None => self.check_size(size)?,
        }
        self.check_count()?;
        let mut message = self.partial.take().unwrap_or_default();
        frame.push_to(&mut message);
        if has_more {
            self.partial = Some(message);
            self.partial_len += size;
            return Ok(None);
        }
        self.partial_len = 0;
        let is_subscribable = self.takes_subscriptions && is_whole;
        let inbound = if is_subscribable { as_legacy_subscription(&mut message) } else { Inbound::Message };
        messages.push_back(message);
        Ok(Some(inbound))
    }
}

/// The bytes of a large frame that are waited for at a time.
const PIECE: usize = 256 * 1024;
