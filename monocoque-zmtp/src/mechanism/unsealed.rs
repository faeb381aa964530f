//! The types of a sealed link where no mechanism seals. None of them has a value.
#![expect(clippy::needless_pass_by_ref_mut, reason = "the same methods as where frames are sealed")]

use monocoque_core::{Message, Outbox, SegmentedBuffer};

use crate::ZmtpError;
use crate::frame::FrameHeader;

/// See `curve::seal`.
#[derive(Debug)]
pub(crate) enum Sealer {}

/// See `curve::seal`.
#[derive(Debug)]
pub(crate) enum Opener {}

/// See `curve::seal`.
#[derive(Debug)]
pub(crate) struct Opened<'a>(&'a Opener);

impl Sealer {
    pub(crate) fn put(&mut self, _: u8, _: &[u8], _: &[u8], _: &mut Outbox) {
        match *self {}
    }
}

impl Opener {
    pub(crate) fn check_start(&self, _: FrameHeader, _: &SegmentedBuffer) -> Result<(), ZmtpError> {
        match *self {}
    }

    pub(crate) fn is_opening(&self) -> bool {
        match *self {}
    }

    pub(crate) fn begin(&mut self, _: FrameHeader, _: &mut SegmentedBuffer) -> Result<(), ZmtpError> {
        match *self {}
    }

    pub(crate) fn go_on(&mut self, _: &mut SegmentedBuffer) -> usize {
        match *self {}
    }

    pub(crate) fn finish(&mut self) -> Result<Opened<'_>, ZmtpError> {
        match *self {}
    }

    pub(crate) fn open(&mut self, _: FrameHeader, _: &mut SegmentedBuffer) -> Result<Opened<'_>, ZmtpError> {
        match *self {}
    }
}

impl Opened<'_> {
    pub(crate) fn has_more(&self) -> bool {
        match *self.0 {}
    }

    pub(crate) fn is_command(&self) -> bool {
        match *self.0 {}
    }

    pub(crate) fn body(&self) -> &[u8] {
        match *self.0 {}
    }

    pub(crate) fn push_to(self, _: &mut Message) {
        match *self.0 {}
    }
}

/// See `curve::seal`.
pub(crate) const AT_ONCE_MAX: usize = 0;
/// See `curve::seal`.
pub(crate) const BOX_START: usize = 0;
/// The bytes that sealing adds to the body of a frame.
pub(crate) const SEALED_OVERHEAD: u64 = 0;
