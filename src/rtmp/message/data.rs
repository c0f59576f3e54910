//! Data messages: types 18 and 15 (RTMP 1.0 §7.1.2; `@setDataFrame` is Adobe's convention).

use crate::amf::Limits;

/// What a data message asks for. Slices point into the message's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// `@setDataFrame`, "onMetaData", value, or a bare `onMetaData`: the AMF0 bytes from the
    /// string "onMetaData" on, ready to be relayed.
    SetMetadata(&'a [u8]),
    /// `@clearDataFrame`.
    ClearMetadata,
    /// Anything else, unchanged (the AMF3 format byte left out).
    Other(&'a [u8]),
}

impl<'a> Data<'a> {
    /// Reads the body of a type 18 message, or of a type 15 one (`amf3`). Values in front of the
    /// first string are skipped (Uniview cameras send two numbers there).
    ///
    /// Never fails: what cannot be read is [`Data::Other`].
    pub fn decode(_body: &'a [u8], _amf3: bool, _limits: &Limits) -> Self {
        todo!()
    }
}
