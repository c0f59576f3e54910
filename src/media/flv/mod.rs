//! FLV: tags, and the file format around them (Adobe FLV 10.1, Annex E; Enhanced RTMP v2).

mod audio;
mod codec_names;
mod conduct;
mod enhanced;
mod error;
mod form;
mod mend;
mod metadata;
mod multitrack;
mod reader;
mod tag;
mod video;
mod writer;

pub use audio::{
    AUDIO_HEADER_SIZE_MAX, AudioCodec, AudioHeader, AudioPacket, aac_frame, aac_sequence_header,
    audio_frame, audio_sequence_header,
};
pub use codec_names::fourcc_text;
pub use conduct::{Breach, Breaches, Conduct};
pub use enhanced::{FourCc, Multitrack};
pub use error::{FirstBytes, FlvError};
pub use form::{Converted, Form, Label, convert, relabel};
pub use mend::{Fault, Faults, Mended, Mender};
pub use metadata::{ENCODER, Metadata};
pub use multitrack::{many_tracks, one_track, with_nanoseconds};
pub use reader::{Reader, TAG_SIZE_MAX};
pub use tag::{
    Standing, StandingKey, TAG_HEADER_SIZE, Tag, TagError, TagHeader, TagKind,
    is_audio_sequence_header, is_keyframe, is_sequence_header, is_video_sequence_header, standing,
};
pub use video::{
    FrameType, HevcForm, VIDEO_HEADER_SIZE_MAX, VideoCodec, VideoHeader, VideoPacket,
    avc_end_of_sequence, avc_frame, avc_sequence_header, hevc_end_of_sequence, hevc_frame,
    hevc_sequence_header, video_frame, video_sequence_header,
};
pub use writer::{put_file_header, put_tag, put_tag_parts, tag_frame};
