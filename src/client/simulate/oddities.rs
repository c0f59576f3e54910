//! What a simulated camera does differently from a plain one.

use std::time::Duration;

use super::wire::Habits;

/// Everything that can be odd. The default is a plain camera: nothing is.
#[derive(Debug, Clone)]
pub(super) struct Oddities {
    pub(super) address: Address,
    /// The handshake comes in pieces, C2 is no echo, and `connect` rides behind it.
    pub(super) scatters_handshake: bool,
    pub(super) order: Order,
    pub(super) sizes: Sizes,
    /// Requests that want no answer, and `publish`, have transaction id 0.
    pub(super) has_transaction_zero: bool,
    /// `publish` has its second argument, `live`.
    pub(super) says_live: bool,
    /// Commands behind `connect`, and data, as AMF3 messages.
    pub(super) is_amf3: bool,
    pub(super) demands: Demands,
    pub(super) haste: Haste,
    /// Between the accepted `publish` and the first media.
    pub(super) rests: Duration,
    pub(super) goodbye: Goodbye,
    pub(super) csids: Csids,
    pub(super) habits: Habits,
    /// The message stream that media is sent on, instead of the one that was given.
    pub(super) msid: Option<u32>,
    pub(super) tricks: Tricks,
    pub(super) metadata: MetadataForm,
    pub(super) video: VideoForm,
    pub(super) audio: AudioForm,
    pub(super) clock: Clock,
}

/// How app, name and tcUrl are said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Address {
    #[default]
    Plain,
    /// `app` is empty; it stands in front of the name.
    EmptyApp,
    /// `tcUrl` ends in a query.
    QueryInTcUrl,
    /// `tcUrl` is in single quotes.
    QuotedTcUrl,
    /// The property is called `tcurl`.
    LowerCaseTcUrl,
    /// The name is nothing but a query; what it was called stands behind the app.
    QueryOnlyName,
}

/// What is asked for, in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// connect, releaseStream, FCPublish, createStream, publish.
    #[default]
    Fmle,
    /// connect, createStream, publish.
    Bare,
    /// connect, _checkbw, createStream, FCPublish, publish.
    Haivision,
}

/// Chunk size and acknowledgement window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// What is announced; `None`: 128, which needs no word.
    pub(super) chunk: Option<u32>,
    /// Announced in front of `connect`.
    pub(super) is_chunk_first: bool,
    /// Announced to the server, bytes.
    pub(super) window: Option<u32>,
    /// The chunk size of the server is remembered from one connection to the next.
    pub(super) keeps_servers_chunk: bool,
}

/// What the camera wants of the server's replies.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demands {
    /// `level` in front of `code`.
    pub(super) level_first: bool,
    /// `onStatus` on the message stream that was given.
    pub(super) own_msid: bool,
}

/// What is sent before the server has agreed to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Haste {
    #[default]
    None,
    /// Everything, right behind `publish`.
    MediaBeforeResult,
    /// Metadata and sequence headers, before `publish`; the latter again behind it.
    MediaBeforePublish,
}

/// How the camera leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Goodbye {
    /// FCUnpublish and deleteStream; waits a second for the answer.
    #[default]
    Proper,
    /// As before, with an end of sequence in front of it.
    EndOfSequence,
    /// FCUnpublish, and deleteStream with the name of the stream on message stream 0.
    NameInDeleteStream,
    /// closeStream on the message stream.
    CloseStream,
    /// FCUnpublish, nothing behind it.
    UnpublishOnly,
    /// Closes the connection without a word.
    Close,
    /// Resets the connection.
    Reset,
    /// The power is cut: nothing is sent any more, not even an answer to a ping, and nothing closed.
    PowerCut,
}

/// The chunk streams in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Csids {
    pub(super) chunk_size: u32,
    pub(super) window: u32,
    pub(super) user_control: u32,
    pub(super) command: u32,
    pub(super) publish: u32,
    pub(super) audio: u32,
    pub(super) video: u32,
    pub(super) data: u32,
}

/// What is done between messages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tricks {
    /// Answers a ping that nobody sent, as the first message on its chunk stream.
    pub(super) pongs_first: bool,
    /// Each keyframe is given up once, in the middle, and begun anew with another length.
    pub(super) restarts_keyframes: bool,
    /// Sound lies between the chunks of pictures.
    pub(super) interleaves: bool,
    /// After a second, a chunk refers to a header that never came.
    pub(super) loses_bytes: bool,
}

/// How metadata is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum MetadataForm {
    /// `@setDataFrame`, `onMetaData` and what there is to say.
    #[default]
    Whole,
    /// Never.
    Missing,
    /// null instead of an object.
    Null,
    /// Nothing behind `onMetaData`.
    Nothing,
    /// Without `@setDataFrame`.
    Bare,
    /// Without `videocodecid`.
    NoVideoCodec,
    /// Two numbers in front.
    JunkInFront,
    /// Nothing about any track.
    NoTracks,
    /// `videocodecid` is a string.
    CodecAsText,
    /// Whole, a second behind the first frame.
    Late,
    /// Another picture and other codecs than there are.
    Wrong,
}

/// How video is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum VideoForm {
    #[default]
    Plain,
    /// No sequence header; SPS and PPS in front of each keyframe.
    NoHeader,
    /// Start codes instead of lengths.
    StartCodes,
    /// NAL units and packets without a byte in them.
    EmptyUnits,
    /// Keyframes are filled up to 3 MiB.
    HugeKeyframes,
    /// The sequence header in front of every keyframe, audio's with it.
    HeaderEveryKeyframe,
    /// Every two seconds another picture size, with a new sequence header.
    TurnsWithHeader,
    /// Every two seconds another picture size, said only by SPS and PPS in front of the keyframe.
    TurnsInBand,
    /// A second track beside the first one (Enhanced RTMP, Multitrack).
    SecondTrack,
    /// HEVC as codec id 12.
    HevcId12,
    /// HEVC as codec id 12, no sequence header; VPS, SPS and PPS in front of each keyframe.
    HevcNoHeader,
    /// HEVC that claims to be codec id 7.
    HevcAsAvc,
    /// HEVC as `hvc1`, declared nowhere.
    HevcEnhanced,
}

/// How audio is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum AudioForm {
    #[default]
    Plain,
    /// Metadata promises it, none comes.
    Never,
    /// Frames before their sequence header.
    BeforeHeader,
    /// An empty sequence header, and bodies of one byte and none.
    EmptyBodies,
    /// An ADTS header in front of each frame.
    Adts,
    /// A-law, a tone.
    ALaw,
    /// Mu-law, a tone.
    MuLaw,
}

/// What timestamps say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Clock {
    #[default]
    FromZero,
    /// Starts here, milliseconds.
    From(u32),
    /// All are the same.
    Still,
    /// A single frame now and then is hours off.
    Outliers,
    /// After two seconds it is this much later, milliseconds.
    Jumps(i64),
    /// After two seconds it starts over.
    StartsOver,
    /// Audio is this much ahead of video, milliseconds.
    AudioAhead(i64),
}

impl Default for Oddities {
    fn default() -> Self {
        Self {
            address: Address::default(),
            scatters_handshake: false,
            order: Order::default(),
            sizes: Sizes {
                chunk: Some(4096),
                is_chunk_first: false,
                window: None,
                keeps_servers_chunk: false,
            },
            has_transaction_zero: false,
            says_live: true,
            is_amf3: false,
            demands: Demands::default(),
            haste: Haste::default(),
            rests: Duration::ZERO,
            goodbye: Goodbye::default(),
            csids: Csids {
                chunk_size: 2,
                window: 2,
                user_control: 2,
                command: 3,
                publish: 8,
                audio: 4,
                video: 6,
                data: 4,
            },
            habits: Habits::default(),
            msid: None,
            tricks: Tricks::default(),
            metadata: MetadataForm::default(),
            video: VideoForm::default(),
            audio: AudioForm::default(),
            clock: Clock::default(),
        }
    }
}

impl VideoForm {
    /// Whether this camera sends HEVC.
    pub(super) fn is_hevc(self) -> bool {
        matches!(
            self,
            Self::HevcId12 | Self::HevcNoHeader | Self::HevcAsAvc | Self::HevcEnhanced
        )
    }

    /// Whether the picture changes its size.
    pub(super) fn turns(self) -> bool {
        matches!(self, Self::TurnsWithHeader | Self::TurnsInBand)
    }

    /// Whether it works on H.264 only.
    pub(super) fn needs_avc(self) -> bool {
        !matches!(self, Self::Plain | Self::HeaderEveryKeyframe) && !self.is_hevc()
    }
}
