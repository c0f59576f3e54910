//! Sample descriptions (stsd): which codec, and its configuration record.
//!
//! ISO/IEC 14496-12 §8.5.2 and §12 (sample entries), 14496-15 §5.4 and §8.4 (avcC, hvcC), 14496-14
//! §5.6 and 14496-1 §7.2.6 (esds); QuickTime File Format, Sound Sample Description V1 and V2.
//!
//! ```text
//! video entry   reserved:6 reference:2 | 70 bytes of size, name and so on | boxes: avcC, hvcC ...
//! audio entry   reserved:6 reference:2 | version u16 | 18 bytes | [16 or 36 in QuickTime] | boxes: esds, wave
//! esds          version:4 | 03 size | id u16 flags u8 | 04 size | object type u8, 12 bytes | 05 size | record
//! ```

use super::boxes::{self, BoxKind, Boxes, Mp4Box};
use super::{Mp4Error, cut_short};
use crate::media::codec::aac::AacConfig;
use crate::media::codec::avc::AvcConfig;
use crate::media::codec::hevc::HevcConfig;
use crate::wire::Reader;

/// What is played of an MP4 file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// `avc1` and `avc3`: H.264.
    Avc,
    /// `hvc1` and `hev1`: H.265.
    Hevc,
    /// `mp4a` with MPEG-4 audio in it.
    Aac,
}

impl Codec {
    /// Whether it is pictures.
    pub fn is_video(self) -> bool {
        self != Self::Aac
    }
}

/// One way in which samples of a track are coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The codec.
    pub codec: Codec,
    /// avcC, hvcC or AudioSpecificConfig, as the file has it.
    pub record: Vec<u8>,
    /// Whether the record names parameter sets; if not (`avc3`, `hev1`), they are in the frames.
    pub has_parameter_sets: bool,
    /// Bytes of length before each NAL unit; 0 for audio.
    pub length_size: u8,
}

/// Why a track or a description is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Skip {
    /// A codec that is not played from MP4.
    #[error("its codec is not pushed from MP4")]
    Codec,
    /// `encv` and `enca`.
    #[error("it is encrypted")]
    Encrypted,
    /// `mp4a` with something other than AAC, by its object type.
    #[error("its MPEG object type is {0:#04x}, not AAC")]
    ObjectType(u8),
    /// The configuration record is missing or unreadable.
    #[error("its decoder configuration is missing or damaged")]
    Record,
    /// There is a track of this kind already; RTMP carries one.
    #[error("another track of its kind comes first")]
    Second,
    /// Its tables are damaged.
    #[error("{0}")]
    Damaged(Mp4Error),
    /// Not a track of sound or pictures.
    #[error("it is neither audio nor video")]
    Kind,
}

/// The sample descriptions of a track, in their order, each with the name of its codec.
pub(super) type Descriptions = Vec<(BoxKind, Result<Description, Skip>)>;

/// Most descriptions of one track that are looked at; files have one, or one for each file that
/// they were joined from.
const DESCRIPTIONS_MAX: usize = 64;

/// Reads an stsd body.
pub(super) fn parse_stsd(body: &[u8]) -> Result<Descriptions, Mp4Error> {
    let mut reader = Reader::new(body);
    boxes::version_and_flags(&mut reader, b"stsd")?;
    let count = reader.u32().map_err(cut_short(b"stsd"))?;
    let count =
        usize::try_from(count).map_or(DESCRIPTIONS_MAX, |count| count.min(DESCRIPTIONS_MAX));
    let mut descriptions = Vec::new();
    for entry in Boxes::new(reader.rest()).take(count) {
        let entry = entry?;
        descriptions.push((entry.kind, parse_entry(entry)));
    }
    Ok(descriptions)
}

fn parse_entry(entry: Mp4Box<'_>) -> Result<Description, Skip> {
    match &entry.kind {
        b"avc1" | b"avc3" => parse_avc(entry.body),
        b"hvc1" | b"hev1" => parse_hevc(entry.body),
        b"mp4a" => parse_audio(entry.body),
        b"encv" | b"enca" => Err(Skip::Encrypted),
        _ => Err(Skip::Codec),
    }
}

fn video_record<'a>(body: &'a [u8], kind: &BoxKind) -> Result<&'a [u8], Skip> {
    let inner = body.get(78..).ok_or(Skip::Record)?;
    lenient_find(inner, kind).ok_or(Skip::Record)
}

/// What lies before a damaged box still counts: sample entries end in extensions of all kinds.
fn lenient_find<'a>(bytes: &'a [u8], kind: &BoxKind) -> Option<&'a [u8]> {
    boxes::find(bytes, kind).ok().flatten()
}

fn parse_avc(body: &[u8]) -> Result<Description, Skip> {
    let record = video_record(body, b"avcC")?;
    let config = AvcConfig::parse(record).map_err(|_| Skip::Record)?;
    Ok(Description {
        codec: Codec::Avc,
        record: record.to_vec(),
        has_parameter_sets: !config.sps.is_empty() && !config.pps.is_empty(),
        length_size: config.length_size,
    })
}

fn parse_hevc(body: &[u8]) -> Result<Description, Skip> {
    let record = video_record(body, b"hvcC")?;
    let config = HevcConfig::parse(record).map_err(|_| Skip::Record)?;
    Ok(Description {
        codec: Codec::Hevc,
        record: record.to_vec(),
        has_parameter_sets: !config.sps.is_empty() && !config.pps.is_empty(),
        length_size: config.length_size,
    })
}

fn parse_audio(body: &[u8]) -> Result<Description, Skip> {
    let version = body.first_chunk::<10>().ok_or(Skip::Record)?;
    let [.., high, low] = *version;
    // Version 1 is QuickTime's with 16 more bytes, or that of ISO without them.
    let starts: &[usize] = match u16::from_be_bytes([high, low]) {
        0 => &[28],
        1 => &[44, 28],
        2 => &[64],
        _ => return Err(Skip::Record),
    };
    let esds = starts.iter().find_map(|&start| {
        let inner = body.get(start..)?;
        lenient_find(inner, b"esds")
            .or_else(|| lenient_find(lenient_find(inner, b"wave")?, b"esds"))
    });
    let record = parse_esds(esds.ok_or(Skip::Record)?)?;
    AacConfig::parse(record).map_err(|_| Skip::Record)?;
    Ok(Description {
        codec: Codec::Aac,
        record: record.to_vec(),
        has_parameter_sets: true,
        length_size: 0,
    })
}

/// The AudioSpecificConfig in an esds body.
fn parse_esds(body: &[u8]) -> Result<&[u8], Skip> {
    let mut reader = Reader::new(body);
    reader.u32().map_err(|_| Skip::Record)?;
    let mut stream = Reader::new(descriptor(&mut reader, 0x03).ok_or(Skip::Record)?);
    let config = decoder_config(&mut stream).ok_or(Skip::Record)?;
    let mut config = Reader::new(config);
    match config.u8() {
        // MPEG-4 audio, and the MPEG-2 AAC profiles Main, LC and SSR.
        Ok(0x40 | 0x66..=0x68) => {}
        Ok(other) => return Err(Skip::ObjectType(other)),
        Err(_) => return Err(Skip::Record),
    }
    config.bytes(12).map_err(|_| Skip::Record)?;
    descriptor(&mut config, 0x05)
        .filter(|record| !record.is_empty())
        .ok_or(Skip::Record)
}

/// The DecoderConfigDescriptor behind the fields of an ES_Descriptor.
fn decoder_config<'a>(stream: &mut Reader<'a>) -> Option<&'a [u8]> {
    stream.u16().ok()?;
    let flags = stream.u8().ok()?;
    if flags & 0x80 != 0 {
        stream.u16().ok()?; // dependsOn_ES_ID
    }
    if flags & 0x40 != 0 {
        let url_size = stream.u8().ok()?;
        stream.bytes(usize::from(url_size)).ok()?;
    }
    if flags & 0x20 != 0 {
        stream.u16().ok()?; // OCR_ES_Id
    }
    descriptor(stream, 0x04)
}

/// The body of the next descriptor if it has this tag. Its size is 7 bits a byte, 4 bytes at most;
/// one that reaches too far is cut, as writers get these sizes wrong.
fn descriptor<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    if reader.u8().ok()? != tag {
        return None;
    }
    let mut size = 0_usize;
    for _ in 0..4 {
        let byte = reader.u8().ok()?;
        size = (size << 7) | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    reader.bytes(size.min(reader.remaining())).ok()
}
