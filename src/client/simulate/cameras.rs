//! The table of cameras: one row for each device or client with a habit that servers stumble over.
//!
//! Numbers are those of the table of quirks that the server's handling is checked against; rows
//! without one stand for facts about chunks, clocks and goodbyes that no single device owns.

use std::time::Duration;

use super::oddities::{
    Address, AudioForm, Clock, Csids, Goodbye, Haste, MetadataForm, Oddities, Order, VideoForm,
};

/// A kind of camera.
#[derive(Debug)]
pub struct Camera {
    /// What is typed behind `--camera`.
    pub name: &'static str,
    /// Who is known to behave like that.
    pub device: &'static str,
    /// Numbers in the table of quirks; may be empty.
    pub quirks: &'static [u8],
    /// What it does, in one sentence.
    pub sentence: &'static str,
    changes: fn(&mut Oddities),
}

impl Camera {
    /// The camera of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        CAMERAS.iter().find(|camera| camera.name == name)
    }

    pub(super) fn oddities(&self) -> Oddities {
        let mut oddities = Oddities::default();
        (self.changes)(&mut oddities);
        oddities
    }
}

/// All of them.
pub const CAMERAS: &[Camera] = &[
    Camera {
        name: "plain",
        device: "any well-behaved camera",
        quirks: &[],
        sentence: "Nothing is odd: to compare with.",
        changes: |_| {},
    },
    Camera {
        name: "dahua",
        device: "Dahua IPC",
        quirks: &[1],
        sentence: "Its metadata has a width and a height and no videocodecid.",
        changes: |o| o.metadata = MetadataForm::NoVideoCodec,
    },
    Camera {
        name: "no-metadata",
        device: "Dahua, Rogue Amoeba",
        quirks: &[2],
        sentence: "It sends no metadata at all.",
        changes: |o| o.metadata = MetadataForm::Missing,
    },
    Camera {
        name: "null-metadata",
        device: "Dahua",
        quirks: &[2],
        sentence: "Its metadata is null.",
        changes: |o| o.metadata = MetadataForm::Null,
    },
    Camera {
        name: "empty-metadata",
        device: "Dahua",
        quirks: &[2],
        sentence: "Its metadata ends behind the word onMetaData.",
        changes: |o| o.metadata = MetadataForm::Nothing,
    },
    Camera {
        name: "uniview",
        device: "Uniview IPC",
        quirks: &[3],
        sentence: "Two numbers stand in front of @setDataFrame.",
        changes: |o| o.metadata = MetadataForm::JunkInFront,
    },
    Camera {
        name: "openipc",
        device: "OpenIPC, older builds",
        quirks: &[4],
        sentence: "Empty app, no metadata, silent for four seconds after publish, and no AVC \
                   sequence header: SPS and PPS come in front of each keyframe.",
        changes: |o| {
            o.address = Address::EmptyApp;
            o.metadata = MetadataForm::Missing;
            o.rests = Duration::from_secs(4);
            o.video = VideoForm::NoHeader;
        },
    },
    Camera {
        name: "no-avc-header",
        device: "OpenIPC, older builds",
        quirks: &[4, 36],
        sentence: "No AVC sequence header: SPS and PPS come in front of each keyframe.",
        changes: |o| o.video = VideoForm::NoHeader,
    },
    Camera {
        name: "reolink",
        device: "Reolink 4K, most Chinese cameras",
        quirks: &[5],
        sentence: "It sends HEVC as codec id 12.",
        changes: |o| o.video = VideoForm::HevcId12,
    },
    Camera {
        name: "no-hevc-header",
        device: "OpenIPC and others with HEVC",
        quirks: &[4, 5],
        sentence: "HEVC as codec id 12 without a sequence header: VPS, SPS and PPS come in front of \
                   each keyframe.",
        changes: |o| o.video = VideoForm::HevcNoHeader,
    },
    Camera {
        name: "ptz",
        device: "PTZ cameras",
        quirks: &[6],
        sentence: "Set Chunk Size, Window Ack Size and ping replies come on chunk streams 4 to 6.",
        changes: |o| {
            o.csids = Csids {
                chunk_size: 4,
                window: 5,
                user_control: 6,
                ..o.csids
            };
            o.sizes.window = Some(2_500_000);
            o.tricks.pongs_first = true;
        },
    },
    Camera {
        name: "dji-fly",
        device: "DJI Fly, DJI Pilot",
        quirks: &[7],
        sentence: "Timestamps are extended from the start, and repeated on fmt 3 chunks.",
        changes: |o| {
            o.clock = Clock::From(50_000_000);
            o.habits.always_full = true;
            o.sizes.chunk = None;
        },
    },
    Camera {
        name: "dji-mini",
        device: "DJI Mini, Mavic 2E",
        quirks: &[7],
        sentence: "Timestamps are extended from the start, and not repeated on fmt 3 chunks.",
        changes: |o| {
            o.clock = Clock::From(50_000_000);
            o.habits.always_full = true;
            o.habits.repeats_extended = false;
            o.sizes.chunk = None;
        },
    },
    Camera {
        name: "dji-m350",
        device: "DJI M350, Mavic 3E, Mavic 2s",
        quirks: &[8],
        sentence: "AVC packets hold NAL units of no bytes, or none at all.",
        changes: |o| o.video = VideoForm::EmptyUnits,
    },
    Camera {
        name: "dji-osmo",
        device: "DJI Osmo Action 4",
        quirks: &[9],
        sentence: "It repeats its sequence headers, and sound comes before its own.",
        changes: |o| {
            o.video = VideoForm::HeaderEveryKeyframe;
            o.audio = AudioForm::BeforeHeader;
        },
    },
    Camera {
        name: "dji-flighthub",
        device: "DJI FlightHub Sync",
        quirks: &[10],
        sentence: "Its metadata speaks of no track.",
        changes: |o| o.metadata = MetadataForm::NoTracks,
    },
    Camera {
        name: "glive-t80",
        device: "GLive T80",
        quirks: &[11],
        sentence: "All timestamps are the same.",
        changes: |o| o.clock = Clock::Still,
    },
    Camera {
        name: "streamlabs-ios",
        device: "StreamLabs for iOS",
        quirks: &[12],
        sentence: "Its metadata promises sound, and none comes.",
        changes: |o| o.audio = AudioForm::Never,
    },
    Camera {
        name: "early-media",
        device: "cheap encoders",
        quirks: &[13],
        sentence: "Media comes right behind publish, before its result.",
        changes: |o| o.haste = Haste::MediaBeforeResult,
    },
    Camera {
        name: "early-metadata",
        device: "unnamed encoders",
        quirks: &[14],
        sentence: "Metadata and sequence headers come before publish, metadata never again.",
        changes: |o| o.haste = Haste::MediaBeforePublish,
    },
    Camera {
        name: "tcurl-query",
        device: "unnamed encoders",
        quirks: &[15],
        sentence: "Its tcUrl ends in a query.",
        changes: |o| o.address = Address::QueryInTcUrl,
    },
    Camera {
        name: "no-type",
        device: "some encoders",
        quirks: &[16],
        sentence: "publish comes without its type.",
        changes: |o| o.says_live = false,
    },
    Camera {
        name: "haivision",
        device: "Haivision",
        quirks: &[17],
        sentence: "It asks for _checkbw, and FCPublish comes behind createStream.",
        changes: |o| o.order = Order::Haivision,
    },
    Camera {
        name: "librtmp-ping",
        device: "librtmp",
        quirks: &[18],
        sentence: "Its first chunk on chunk stream 2 is a ping reply with a fmt 1 header.",
        changes: |o| {
            o.habits.has_virgin_fmt1 = true;
            o.tricks.pongs_first = true;
            o.sizes.chunk = None;
        },
    },
    Camera {
        name: "wirecast",
        device: "Wirecast",
        quirks: &[20],
        sentence: "It does not start when code stands in front of level in a reply.",
        changes: |o| o.demands.level_first = true,
    },
    Camera {
        name: "obs",
        device: "OBS, librtmp",
        quirks: &[21],
        sentence: "Set Chunk Size comes before connect and all media on chunk stream 4; when \
                   refused, it waits for the server to close.",
        changes: |o| {
            o.sizes.is_chunk_first = true;
            o.csids = Csids {
                publish: 4,
                video: 4,
                ..o.csids
            };
        },
    },
    Camera {
        name: "obs-restart",
        device: "OBS",
        quirks: &[22],
        sentence: "On its second connection it still reads with the chunk size of the first.",
        changes: |o| {
            o.sizes.is_chunk_first = true;
            o.sizes.keeps_servers_chunk = true;
        },
    },
    Camera {
        name: "obs-fleet",
        device: "OBS, about one stream in a hundred",
        quirks: &[23],
        sentence: "Each keyframe is begun, given up, and begun anew by fmt 1 with another length.",
        changes: |o| o.tricks.restarts_keyframes = true,
    },
    Camera {
        name: "joy4",
        device: "joy4, vdk, MonaServer",
        quirks: &[24],
        sentence: "Chunk size 128 MiB, and metadata without @setDataFrame.",
        changes: |o| {
            o.sizes.chunk = Some(128 << 20);
            o.metadata = MetadataForm::Bare;
        },
    },
    Camera {
        name: "chunk-2g",
        device: "a custom server",
        quirks: &[25],
        sentence: "Chunk size 0x7FFFFFFF.",
        changes: |o| o.sizes.chunk = Some(0x7FFF_FFFF),
    },
    Camera {
        name: "4k",
        device: "1080p and 4K encoders",
        quirks: &[26],
        sentence: "Keyframes have 3 MiB.",
        changes: |o| o.video = VideoForm::HugeKeyframes,
    },
    Camera {
        name: "csid-64",
        device: "an encoder that calls itself WIN 9,0,115,0",
        quirks: &[27],
        sentence: "Media on chunk streams 64 to 66, whose numbers take two bytes.",
        changes: |o| {
            o.csids = Csids {
                audio: 64,
                video: 65,
                data: 66,
                ..o.csids
            };
        },
    },
    Camera {
        name: "csid-3-bytes",
        device: "nobody known, and legal",
        quirks: &[27],
        sentence: "Media on chunk streams 320 to 65599, whose numbers take three bytes.",
        changes: |o| {
            o.csids = Csids {
                audio: 320,
                video: 65_599,
                data: 1000,
                ..o.csids
            };
        },
    },
    Camera {
        name: "gstreamer",
        device: "GStreamer rtmp2sink",
        quirks: &[28],
        sentence: "Transaction id 0, chunk size 128, fmt 3 right behind fmt 0, a name in \
                   deleteStream; a status on another message stream is not read.",
        changes: |o| {
            o.has_transaction_zero = true;
            o.sizes.chunk = Some(128);
            o.sizes.window = Some(2_500_000);
            o.habits.starts_with_fmt3 = true;
            o.demands.own_msid = true;
            o.goodbye = Goodbye::NameInDeleteStream;
            o.csids.publish = 3;
        },
    },
    Camera {
        name: "fmle",
        device: "Flash Media Live Encoder",
        quirks: &[],
        sentence: "Sound starts with fmt 0 at 20 ms and goes on with fmt 3: 40, 60, 80.",
        changes: |o| {
            o.habits.starts_with_fmt3 = true;
            o.audio = AudioForm::MuLaw;
        },
    },
    Camera {
        name: "neko",
        device: "Neko",
        quirks: &[32],
        sentence: "Its tcUrl is in single quotes.",
        changes: |o| o.address = Address::QuotedTcUrl,
    },
    Camera {
        name: "tcurl-lower-case",
        device: "unnamed encoders",
        quirks: &[32],
        sentence: "tcUrl is spelled tcurl.",
        changes: |o| o.address = Address::LowerCaseTcUrl,
    },
    Camera {
        name: "tiny-window",
        device: "unnamed encoders",
        quirks: &[33],
        sentence: "It wants to be acknowledged every five bytes.",
        changes: |o| o.sizes.window = Some(5),
    },
    Camera {
        name: "empty-aac",
        device: "any AAC encoder",
        quirks: &[34],
        sentence: "An AAC sequence header without a payload, and sound of one byte and none.",
        changes: |o| o.audio = AudioForm::EmptyBodies,
    },
    Camera {
        name: "annexb",
        device: "some encoders",
        quirks: &[35],
        sentence: "Start codes inside AVC packets, where lengths belong.",
        changes: |o| o.video = VideoForm::StartCodes,
    },
    Camera {
        name: "phone-turned",
        device: "phones, screen sharing",
        quirks: &[36],
        sentence: "The picture changes its size every two seconds, with a new sequence header.",
        changes: |o| o.video = VideoForm::TurnsWithHeader,
    },
    Camera {
        name: "phone-turned-in-band",
        device: "phones",
        quirks: &[36],
        sentence: "The picture changes its size every two seconds, by SPS and PPS in front of the \
                   keyframe only.",
        changes: |o| o.video = VideoForm::TurnsInBand,
    },
    Camera {
        name: "same-header",
        device: "libwebrtc bridges, cameras",
        quirks: &[37],
        sentence: "The same sequence headers come before every keyframe.",
        changes: |o| o.video = VideoForm::HeaderEveryKeyframe,
    },
    Camera {
        name: "lost-bytes",
        device: "ffmpeg over RTMPT, proxies",
        quirks: &[38],
        sentence: "After a second a chunk refers to a header that never came: the server should \
                   close.",
        changes: |o| o.tricks.loses_bytes = true,
    },
    Camera {
        name: "xsplit",
        device: "XSplit",
        quirks: &[39],
        sentence: "videocodecid is a string.",
        changes: |o| o.metadata = MetadataForm::CodecAsText,
    },
    Camera {
        name: "late-metadata",
        device: "unnamed encoders",
        quirks: &[],
        sentence: "Its metadata comes a second behind its first frame.",
        changes: |o| o.metadata = MetadataForm::Late,
    },
    Camera {
        name: "wrong-metadata",
        device: "cameras whose settings were changed",
        quirks: &[],
        sentence: "Its metadata speaks of another picture and of other codecs than there are.",
        changes: |o| o.metadata = MetadataForm::Wrong,
    },
    Camera {
        name: "obs-hevc-7",
        device: "OBS before 29.1",
        quirks: &[40],
        sentence: "HEVC that is labelled codec id 7, which is AVC.",
        changes: |o| o.video = VideoForm::HevcAsAvc,
    },
    Camera {
        name: "obs-hevc",
        device: "OBS since 29.1",
        quirks: &[],
        sentence: "HEVC as hvc1 of Enhanced RTMP, which its connect does not mention.",
        changes: |o| o.video = VideoForm::HevcEnhanced,
    },
    Camera {
        name: "obs-query-key",
        device: "OBS multitrack video",
        quirks: &[41],
        sentence: "Its stream key is only a query; the name stands behind the app.",
        changes: |o| o.address = Address::QueryOnlyName,
    },
    Camera {
        name: "obs-multitrack",
        device: "OBS multitrack video",
        quirks: &[41],
        sentence: "A second video track comes as Multitrack packets of Enhanced RTMP.",
        changes: |o| o.video = VideoForm::SecondTrack,
    },
    Camera {
        name: "larix",
        device: "Larix, Axis CamStreamer",
        quirks: &[45],
        sentence: "The handshake comes in small pieces, C2 is no echo of S1, and connect rides \
                   behind it.",
        changes: |o| o.scatters_handshake = true,
    },
    Camera {
        name: "intelbras",
        device: "Intelbras and Dahua recorders",
        quirks: &[48],
        sentence: "Single frames are four hours off.",
        changes: |o| o.clock = Clock::Outliers,
    },
    Camera {
        name: "msid-0",
        device: "unnamed encoders",
        quirks: &[49],
        sentence: "Media on message stream 0.",
        changes: |o| o.msid = Some(0),
    },
    Camera {
        name: "msid-other",
        device: "unnamed encoders",
        quirks: &[49],
        sentence: "Media on another message stream than the server gave.",
        changes: |o| o.msid = Some(77),
    },
    Camera {
        name: "g711-alaw",
        device: "IP cameras",
        quirks: &[],
        sentence: "Sound is G.711 A-law.",
        changes: |o| o.audio = AudioForm::ALaw,
    },
    Camera {
        name: "g711-mulaw",
        device: "IP cameras",
        quirks: &[],
        sentence: "Sound is G.711 mu-law.",
        changes: |o| o.audio = AudioForm::MuLaw,
    },
    Camera {
        name: "adts",
        device: "encoders that packed MPEG-TS before",
        quirks: &[],
        sentence: "Each AAC frame has an ADTS header in front.",
        changes: |o| o.audio = AudioForm::Adts,
    },
    Camera {
        name: "chunk-128",
        device: "small cameras",
        quirks: &[],
        sentence: "It never changes its chunk size of 128 bytes.",
        changes: |o| o.sizes.chunk = None,
    },
    Camera {
        name: "interleaved",
        device: "Flash Player, and legal",
        quirks: &[],
        sentence: "Sound lies between the chunks of pictures.",
        changes: |o| {
            o.tricks.interleaves = true;
            o.sizes.chunk = None;
        },
    },
    Camera {
        name: "flash",
        device: "Flash Player",
        quirks: &[],
        sentence: "No FCPublish, AMF3 commands and data, and closeStream at the end.",
        changes: |o| {
            o.order = Order::Bare;
            o.is_amf3 = true;
            o.goodbye = Goodbye::CloseStream;
        },
    },
    Camera {
        name: "clock-extended-late",
        device: "any, after 4 h 39 min",
        quirks: &[],
        sentence: "Timestamps become extended in mid-stream.",
        changes: |o| {
            o.clock = Clock::From(0xFF_FFFF - 1000);
            o.habits.always_full = true;
            o.sizes.chunk = None;
        },
    },
    Camera {
        name: "clock-wraps",
        device: "any, after 49.7 days",
        quirks: &[],
        sentence: "Timestamps pass the end of 32 bits.",
        changes: |o| o.clock = Clock::From(u32::MAX - 1000),
    },
    Camera {
        name: "clock-jumps",
        device: "encoders whose clock is set",
        quirks: &[],
        sentence: "After two seconds all timestamps are an hour later.",
        changes: |o| o.clock = Clock::Jumps(3_600_000),
    },
    Camera {
        name: "clock-starts-over",
        device: "encoders that restart inside",
        quirks: &[],
        sentence: "After two seconds timestamps start over from 0.",
        changes: |o| o.clock = Clock::StartsOver,
    },
    Camera {
        name: "clock-split",
        device: "encoders with two clocks",
        quirks: &[],
        sentence: "Sound is stamped three seconds ahead of the picture.",
        changes: |o| o.clock = Clock::AudioAhead(3000),
    },
    Camera {
        name: "bye-end-of-sequence",
        device: "OBS",
        quirks: &[],
        sentence: "It leaves with an end of sequence, FCUnpublish and deleteStream.",
        changes: |o| o.goodbye = Goodbye::EndOfSequence,
    },
    Camera {
        name: "bye-unpublish",
        device: "Haivision",
        quirks: &[],
        sentence: "It leaves with FCUnpublish and nothing behind it.",
        changes: |o| o.goodbye = Goodbye::UnpublishOnly,
    },
    Camera {
        name: "bye-close",
        device: "simple cameras",
        quirks: &[],
        sentence: "It closes the connection without a word.",
        changes: |o| o.goodbye = Goodbye::Close,
    },
    Camera {
        name: "bye-reset",
        device: "simple cameras",
        quirks: &[],
        sentence: "It resets the connection.",
        changes: |o| o.goodbye = Goodbye::Reset,
    },
    Camera {
        name: "power-cut",
        device: "any, when the power fails",
        quirks: &[],
        sentence: "After --duration (5 s) it falls silent, answers no ping, and closes nothing.",
        changes: |o| o.goodbye = Goodbye::PowerCut,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_unlike() {
        for (index, camera) in CAMERAS.iter().enumerate() {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(camera.name.chars().all(is_plain), "{}", camera.name);
            assert!(camera.name.len() <= 20, "{}", camera.name);
            let first = CAMERAS.iter().position(|other| other.name == camera.name);
            assert_eq!(first, Some(index), "{} stands twice", camera.name);
            assert!(camera.sentence.ends_with('.'), "{}", camera.name);
        }
    }

    #[test]
    fn every_quirk_of_a_publisher_has_a_camera() {
        // 19 needs 4 GB; 29 to 31 and 42 to 44 and 47 are about other peers, 46 is about a URL.
        let elsewhere = [19, 29, 30, 31, 42, 43, 44, 46, 47];
        for quirk in 1..=49 {
            let is_here = CAMERAS.iter().any(|camera| camera.quirks.contains(&quirk));
            assert_ne!(is_here, elsewhere.contains(&quirk), "quirk {quirk}");
        }
    }
}
