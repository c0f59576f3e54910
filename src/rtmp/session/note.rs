//! Rules of RTMP that peers break without ending the connection.

/// A rule that the peer broke without ending the connection; `Display` is for the log, in plain
/// words.
///
/// A session reports each of them once, however often the rule is broken, and counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Note {
    /// Media outside an accepted `publish`: dropped.
    #[error("sends media without an accepted publish: dropped")]
    MediaWithoutPublish,
    /// A message was given up in the middle for a new one.
    #[error("starts a new message inside an unfinished one: that one is dropped")]
    MessageRestarted,
    /// A protocol control message could not be read: ignored.
    #[error("sends a control message that is too short: ignored")]
    ControlTooShort,
    /// A user control, data or aggregate message could not be read: ignored.
    #[error("sends a message that cannot be read: ignored")]
    Unreadable,
    /// Protocol control elsewhere than on csid 2.
    #[error("sends protocol control on a chunk stream other than 2: taken all the same")]
    ControlOnOtherCsid,
    /// A command other than `connect` before `connect`: answered with an error.
    #[error("sends a command before connect: refused")]
    CommandBeforeConnect,
    /// More than is held while `connect` or `publish` waits for the caller's answer: dropped.
    #[error("sends too much before its request was answered: dropped")]
    HeldTooMuch,
    /// The first header of a chunk stream refers to an earlier one (fmt 1 in place of 0).
    #[error("begins a chunk stream with a header that refers to an earlier one: read as if from 0")]
    ShortStart,
    /// Chunks of fmt 3 lack the extended timestamp that RTMP 1.0 §5.3.1.3 puts there.
    #[error(
        "leaves the extended timestamp out of chunks that continue a message: read all the same"
    )]
    ExtendedTimestampOmitted,
    /// A chunk size above the largest message.
    #[error("announces chunks larger than the largest message: taken as 16777215 bytes")]
    ChunkSizeHuge,
    /// An acknowledgement window below what we honour.
    #[error("wants an acknowledgement every few bytes: gets one every 32 KiB")]
    AckWindowTiny,
    /// Media on another message stream than the one that publishes.
    #[error("sends media on another message stream than its publish: taken all the same")]
    OtherMessageStream,
    /// Media or metadata before `publish`, or before it was answered.
    #[error("does not wait for the answer to publish before it sends: held until then")]
    TooEarly,
    /// `publish` without its second argument.
    #[error("publishes without saying how: taken as live")]
    PublishWithoutType,
    /// `deleteStream` without the number of a stream.
    #[error("deletes a stream without its number: taken as its own")]
    StreamNumberMissing,
    /// `tcUrl` under another name, or in quotes.
    #[error("misspells or quotes tcUrl: read all the same")]
    TcUrlMisspelt,
    /// A data message does not begin with its name.
    #[error("puts other values in front of the name of a data message: left out")]
    ValuesInFront,
}

impl Note {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::MediaWithoutPublish,
        Self::MessageRestarted,
        Self::ControlTooShort,
        Self::Unreadable,
        Self::ControlOnOtherCsid,
        Self::CommandBeforeConnect,
        Self::HeldTooMuch,
        Self::ShortStart,
        Self::ExtendedTimestampOmitted,
        Self::ChunkSizeHuge,
        Self::AckWindowTiny,
        Self::OtherMessageStream,
        Self::TooEarly,
        Self::PublishWithoutType,
        Self::StreamNumberMissing,
        Self::TcUrlMisspelt,
        Self::ValuesInFront,
    ];

    /// Its name in statistics, which does not change.
    pub fn id(self) -> &'static str {
        match self {
            Self::MediaWithoutPublish => "media-without-publish",
            Self::MessageRestarted => "message-restarted",
            Self::ControlTooShort => "control-too-short",
            Self::Unreadable => "unreadable-message",
            Self::ControlOnOtherCsid => "control-on-other-csid",
            Self::CommandBeforeConnect => "command-before-connect",
            Self::HeldTooMuch => "held-too-much",
            Self::ShortStart => "short-start",
            Self::ExtendedTimestampOmitted => "extended-timestamp-omitted",
            Self::ChunkSizeHuge => "chunk-size-huge",
            Self::AckWindowTiny => "ack-window-tiny",
            Self::OtherMessageStream => "other-message-stream",
            Self::TooEarly => "too-early",
            Self::PublishWithoutType => "publish-without-type",
            Self::StreamNumberMissing => "stream-number-missing",
            Self::TcUrlMisspelt => "tcurl-misspelt",
            Self::ValuesInFront => "values-in-front",
        }
    }
}
