//! The types of a sealed link where no mechanism seals. None of them has a value.

use bytes::Bytes;
use monocoque_core::{Outbox, SegmentedBuffer};

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
pub(crate) enum Opened {}

impl Sealer {
    pub(crate) fn put(&mut self, _: u8, _: &[u8], _: &[u8], _: &mut Outbox) {
        match *self {}
    }
}

impl Opener {
    pub(crate) fn check_start(&self, _: FrameHeader, _: &SegmentedBuffer) -> Result<(), ZmtpError> {
        match *self {}
    }

    pub(crate) fn open(&mut self, _: FrameHeader, _: &mut SegmentedBuffer) -> Result<Opened, ZmtpError> {
        match *self {}
    }
}

impl Opened {
    pub(crate) fn has_more(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_command(&self) -> bool {
        match *self {}
    }

    pub(crate) fn body(&self) -> &[u8] {
        match *self {}
    }

    pub(crate) fn into_large(self) -> Result<Bytes, Self> {
        match self {}
    }
}

/// What sealing adds to the body of a frame.
pub(crate) const SEALED_OVERHEAD: u64 = 0;
