//! What message bodies mean: one file per family.
//!
//! Audio and video bodies are not looked into here; [`crate::media::flv`] reads them.

pub mod command;
pub mod control;
pub mod data;
pub mod user_control;

/// The type byte of a message. Values without a name pass through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageType(pub u8);

impl MessageType {
    /// Set Chunk Size (RTMP 1.0 §5.4.1).
    pub const SET_CHUNK_SIZE: Self = Self(1);
    /// Abort Message (§5.4.2).
    pub const ABORT: Self = Self(2);
    /// Acknowledgement (§5.4.3).
    pub const ACKNOWLEDGEMENT: Self = Self(3);
    /// User Control (§6.2).
    pub const USER_CONTROL: Self = Self(4);
    /// Window Acknowledgement Size (§5.4.4).
    pub const WINDOW_ACK_SIZE: Self = Self(5);
    /// Set Peer Bandwidth (§5.4.5).
    pub const SET_PEER_BANDWIDTH: Self = Self(6);
    /// Audio (§7.1.4).
    pub const AUDIO: Self = Self(8);
    /// Video (§7.1.5).
    pub const VIDEO: Self = Self(9);
    /// Data, AMF3 (§7.1.2).
    pub const DATA_AMF3: Self = Self(15);
    /// Shared object, AMF3 (§7.1.3); ignored.
    pub const SHARED_OBJECT_AMF3: Self = Self(16);
    /// Command, AMF3 (§7.1.1).
    pub const COMMAND_AMF3: Self = Self(17);
    /// Data, AMF0 (§7.1.2).
    pub const DATA_AMF0: Self = Self(18);
    /// Shared object, AMF0 (§7.1.3); ignored.
    pub const SHARED_OBJECT_AMF0: Self = Self(19);
    /// Command, AMF0 (§7.1.1).
    pub const COMMAND_AMF0: Self = Self(20);
    /// Aggregate (§7.1.6).
    pub const AGGREGATE: Self = Self(22);
}
