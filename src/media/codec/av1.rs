//! AV1: the av1C record, OBUs, and the sequence header among them.
//!
//! "AV1 Codec ISO Media File Format Binding" v1.2 §2.3.3, AV1 bitstream specification §5.3 to
//! §5.5 and §5.9.
//!
//! ```text
//! av1C   marker 1:1 version 1:7 | profile:3 level:5 | tier:1 high_depth:1 twelve:1 mono:1
//!        sub_x:1 sub_y:1 position:2 | 000 delay_present:1 delay-1:4 | OBUs
//! OBU    0:1 type:4 extension:1 has_size:1 0:1 [extension u8] [size leb128] payload
//! ```

use crate::wire::Reader;

use super::CodecError;
use super::bits::Bits;

/// OBU type of a sequence header.
pub const OBU_SEQUENCE_HEADER: u8 = 1;
/// OBU type of a temporal delimiter, which starts a temporal unit in a byte stream.
pub const OBU_TEMPORAL_DELIMITER: u8 = 2;
/// OBU type of a frame header.
pub const OBU_FRAME_HEADER: u8 = 3;
/// OBU type of metadata.
pub const OBU_METADATA: u8 = 5;
/// OBU type of a frame: header and tiles in one.
pub const OBU_FRAME: u8 = 6;

/// One open bitstream unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obu<'a> {
    /// `obu_type`, 0..=15.
    pub obu_type: u8,
    /// What is behind header and size.
    pub payload: &'a [u8],
}

/// Iterates over the OBUs of a temporal unit; what cannot be read ends it. The last one may lack
/// its size.
pub fn obus(unit: &[u8]) -> impl Iterator<Item = Obu<'_>> {
    let mut rest = unit;
    std::iter::from_fn(move || {
        let (obu, behind) = split_obu(rest)?;
        rest = behind;
        Some(obu)
    })
}

fn split_obu(bytes: &[u8]) -> Option<(Obu<'_>, &[u8])> {
    let mut reader = Reader::new(bytes);
    let header = reader.u8().ok()?;
    if header & 0x80 != 0 {
        return None;
    }
    if header & 0x04 != 0 {
        reader.u8().ok()?;
    }
    let size = match header & 0x02 {
        0 => reader.remaining(),
        _ => leb128(&mut reader)?,
    };
    let obu = Obu {
        obu_type: (header >> 3) & 0x0F,
        payload: reader.bytes(size).ok()?,
    };
    Some((obu, reader.rest()))
}

/// At most eight bytes of seven bits, least significant first; the value fits 32 bits.
fn leb128(reader: &mut Reader<'_>) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..56).step_by(7) {
        let byte = reader.u8().ok()?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return usize::try_from(value).ok();
        }
    }
    None
}

/// What a sequence header says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceHeader {
    /// 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx` of the first operating point: 4 * (major - 2) + minor.
    pub level: u8,
    /// High tier.
    pub is_high_tier: bool,
    /// Largest width of a frame, pixels.
    pub width: u32,
    /// Largest height.
    pub height: u32,
    /// 8, 10 or 12.
    pub bit_depth: u8,
    /// Without chroma.
    pub is_monochrome: bool,
    /// Chroma has half the width, and half the height.
    pub subsampling: (bool, bool),
    /// `chroma_sample_position`.
    pub chroma_position: u8,
    /// Frames per second, when all are equally long and that is said.
    pub frame_rate: Option<f64>,
}

impl SequenceHeader {
    /// Reads the payload of a sequence header OBU.
    ///
    /// # Errors
    /// [`CodecError`] when it is cut short or the profile does not exist.
    pub fn parse(payload: &[u8]) -> Result<Self, CodecError> {
        let mut bits = Bits::new(payload);
        let profile = bits.small(3)?;
        if profile > 2 {
            return Err(CodecError::OutOfRange {
                field: "seq_profile",
                value: u32::from(profile),
            });
        }
        bits.skip(1)?; // still_picture
        let is_reduced = bits.flag()?;
        let mut frame_rate = None;
        let (mut level, mut is_high_tier) = (0, false);
        if is_reduced {
            level = bits.small(5)?;
        } else {
            let mut delay_bits = None;
            if bits.flag()? {
                frame_rate = read_timing(&mut bits)?;
                if bits.flag()? {
                    delay_bits = Some(bits.u(5)? + 1);
                    bits.skip(32 + 5 + 5)?; // num_units_in_decoding_tick, time lengths
                }
            }
            let has_initial_delay = bits.flag()?;
            let points = bits.small(5)?;
            for point in 0..=points {
                bits.skip(12)?; // operating_point_idc
                let point_level = bits.small(5)?;
                let point_tier = point_level > 7 && bits.flag()?;
                if let Some(delay_bits) = delay_bits
                    && bits.flag()?
                {
                    bits.skip(2 * delay_bits + 1)?;
                }
                if has_initial_delay && bits.flag()? {
                    bits.skip(4)?;
                }
                if point == 0 {
                    (level, is_high_tier) = (point_level, point_tier);
                }
            }
        }
        let width_bits = bits.u(4)? + 1;
        let height_bits = bits.u(4)? + 1;
        let width = bits.u(width_bits)? + 1;
        let height = bits.u(height_bits)? + 1;
        skip_tools(&mut bits, is_reduced)?;
        let color = ColorConfig::read(&mut bits, profile)?;
        Ok(Self {
            profile,
            level,
            is_high_tier,
            width,
            height,
            bit_depth: color.bit_depth,
            is_monochrome: color.is_monochrome,
            subsampling: color.subsampling,
            chroma_position: color.position,
            frame_rate,
        })
    }

    /// The first sequence header of a temporal unit.
    pub fn of_unit(unit: &[u8]) -> Option<Self> {
        obus(unit)
            .find(|obu| obu.obu_type == OBU_SEQUENCE_HEADER)
            .and_then(|obu| Self::parse(obu.payload).ok())
    }

    /// The codec as HTML names it, such as `av01.0.04M.08`.
    pub fn rfc6381(&self) -> String {
        let tier = if self.is_high_tier { 'H' } else { 'M' };
        format!(
            "av01.{}.{:02}{tier}.{:02}",
            self.profile, self.level, self.bit_depth
        )
    }

    /// The level as people write it, such as `4.1`; `None` for 31, "no limits".
    pub fn level_name(&self) -> Option<String> {
        (self.level < 24).then(|| format!("{}.{}", 2 + self.level / 4, self.level % 4))
    }
}

fn read_timing(bits: &mut Bits<'_>) -> Result<Option<f64>, CodecError> {
    let units_in_tick = bits.u(32)?;
    let time_scale = bits.u(32)?;
    let is_equal = bits.flag()?;
    let ticks = if is_equal { bits.ue()? } else { 0 };
    Ok(match is_equal {
        true => super::sps::frame_rate(time_scale, units_in_tick, f64::from(ticks) + 1.0),
        false => None,
    })
}

/// Steps over what says which coding tools are in use.
fn skip_tools(bits: &mut Bits<'_>, is_reduced: bool) -> Result<(), CodecError> {
    if !is_reduced && bits.flag()? {
        bits.skip(4 + 3)?; // frame id lengths
    }
    bits.skip(3)?; // superblock size, filter intra, intra edge filter
    if !is_reduced {
        bits.skip(4)?; // interintra, masked compound, warped motion, dual filter
        let has_order_hint = bits.flag()?;
        if has_order_hint {
            bits.skip(2)?; // joint compound, reference frame motion vectors
        }
        let picks_screen_content = bits.flag()?;
        let forces_screen_content = picks_screen_content || bits.flag()?;
        // The integer motion vector is either left to the frame or said here.
        if forces_screen_content && !bits.flag()? {
            bits.skip(1)?;
        }
        if has_order_hint {
            bits.skip(3)?; // order_hint_bits_minus_1
        }
    }
    bits.skip(3) // superres, cdef, restoration
}

struct ColorConfig {
    bit_depth: u8,
    is_monochrome: bool,
    subsampling: (bool, bool),
    position: u8,
}

impl ColorConfig {
    fn read(bits: &mut Bits<'_>, profile: u8) -> Result<Self, CodecError> {
        let is_high = bits.flag()?;
        let bit_depth = match (profile, is_high) {
            (2, true) if bits.flag()? => 12,
            (_, true) => 10,
            (_, false) => 8,
        };
        let is_monochrome = profile != 1 && bits.flag()?;
        let is_srgb = bits.flag()? && {
            let description = bits.u(24)?;
            // Primaries of BT.709, transfer of sRGB, identity matrix.
            description == 0x01_0D_00
        };
        let mut color = Self {
            bit_depth,
            is_monochrome,
            subsampling: (true, true),
            position: 0,
        };
        if is_monochrome {
            return Ok(color);
        }
        if is_srgb {
            color.subsampling = (false, false);
            return Ok(color);
        }
        bits.skip(1)?; // color_range
        color.subsampling = match (profile, bit_depth) {
            (0, _) => (true, true),
            (1, _) => (false, false),
            (_, 12) => {
                let sub_x = bits.flag()?;
                (sub_x, sub_x && bits.flag()?)
            }
            _ => (true, false),
        };
        if color.subsampling == (true, true) {
            color.position = bits.small(2)?;
        }
        Ok(color)
    }
}

/// What an av1C record says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Av1Config {
    /// 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// As [`SequenceHeader::level`].
    pub level: u8,
    /// The sequence header, when the record has one, as those of most encoders do.
    pub sequence_header: Option<SequenceHeader>,
}

impl Av1Config {
    /// Reads an av1C record.
    ///
    /// # Errors
    /// [`CodecError`] when it is shorter than four bytes or marker and version are not 1.
    pub fn parse(record: &[u8]) -> Result<Self, CodecError> {
        let (&[first, second, _, _], obus) =
            record.split_first_chunk().ok_or(CodecError::Truncated)?;
        if first != 0x81 {
            return Err(CodecError::OutOfRange {
                field: "marker and version",
                value: u32::from(first),
            });
        }
        Ok(Self {
            profile: second >> 5,
            level: second & 0x1F,
            sequence_header: SequenceHeader::of_unit(obus),
        })
    }
}

/// An av1C record made of the sequence header in a temporal unit, for encoders that send none.
pub fn record_of_unit(unit: &[u8]) -> Option<Vec<u8>> {
    let obu = obus(unit).find(|obu| obu.obu_type == OBU_SEQUENCE_HEADER)?;
    let header = SequenceHeader::parse(obu.payload).ok()?;
    let bit = |is_set: bool, place: u8| u8::from(is_set) << place;
    let mut record = vec![
        0x81,
        (header.profile << 5) | header.level,
        bit(header.is_high_tier, 7)
            | bit(header.bit_depth > 8, 6)
            | bit(header.bit_depth == 12, 5)
            | bit(header.is_monochrome, 4)
            | bit(header.subsampling.0, 3)
            | bit(header.subsampling.1, 2)
            | header.chroma_position,
        0,
    ];
    record.push((OBU_SEQUENCE_HEADER << 3) | 0x02);
    let mut size = obu.payload.len();
    loop {
        let [low, ..] = size.to_le_bytes();
        size >>= 7;
        record.push((low & 0x7F) | bit(size > 0, 7));
        if size == 0 {
            break;
        }
    }
    record.extend_from_slice(obu.payload);
    Some(record)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::media::codec::hex;

    /// FFmpeg 5.1.9: libaom in 8 and 10 bits, SVT-AV1; 160x90.
    const AOM: &str = "81000c00 0a0a00000003b4fd936be401";
    const AOM_10: &str = "81004c00 0a0a00000003b4fd936be501";
    const SVT: &str = "81000c00 0a0a00000003b4fd900be001";

    #[test]
    fn records_of_ffmpeg() {
        for (name, record, depth, codec) in [
            ("libaom", AOM, 8, "av01.0.00M.08"),
            ("libaom, 10 bits", AOM_10, 10, "av01.0.00M.10"),
            ("SVT-AV1", SVT, 8, "av01.0.00M.08"),
        ] {
            let record = hex(record);
            let config = Av1Config::parse(&record).unwrap();
            assert_eq!((config.profile, config.level), (0, 0), "{name}");
            let header = config.sequence_header.unwrap();
            assert_eq!((header.width, header.height), (160, 90), "{name}");
            assert_eq!(header.bit_depth, depth, "{name}");
            assert_eq!(header.subsampling, (true, true), "{name}");
            assert!(!header.is_monochrome, "{name}");
            assert_eq!(header.rfc6381(), codec, "{name}");
            assert_eq!(header.level_name().as_deref(), Some("2.0"), "{name}");
            assert_eq!(record_of_unit(&record[4..]), Some(record.clone()), "{name}");
            for length in 0..4 {
                assert!(Av1Config::parse(&record[..length]).is_err(), "{name}");
            }
            for length in 4..record.len() {
                let cut = Av1Config::parse(&record[..length]).unwrap();
                assert_eq!(cut.sequence_header, None, "{name} cut to {length}");
            }
        }
        assert!(Av1Config::parse(&[0x82, 0, 0, 0]).is_err());
        assert!(Av1Config::parse(&[0x01, 0, 0, 0]).is_err());
    }

    #[test]
    fn units_are_taken_apart() {
        // A temporal delimiter, a sequence header, and a frame without a size.
        let unit = hex("1200 0a0a00000003b4fd936be401 30 aabb");
        let found: Vec<(u8, usize)> = obus(&unit)
            .map(|obu| (obu.obu_type, obu.payload.len()))
            .collect();
        assert_eq!(found, [(2, 0), (1, 10), (6, 2)]);
        // An extension byte; a size beyond the end; the forbidden bit; a size without end.
        assert_eq!(obus(&hex("36 00 01 aa")).count(), 1);
        assert_eq!(obus(&hex("32 05 aa")).count(), 0);
        assert_eq!(obus(&hex("b2 01 aa")).count(), 0);
        assert_eq!(obus(&hex("32 ffffffffffffffff")).count(), 0);
        assert_eq!(record_of_unit(&hex("1200")), None);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let total: usize = obus(&bytes).map(|obu| obu.payload.len() + 1).sum();
            prop_assert!(total <= bytes.len());
            let _header = SequenceHeader::parse(&bytes);
            if let Some(record) = record_of_unit(&bytes) {
                let config = Av1Config::parse(&record).unwrap();
                prop_assert_eq!(config.sequence_header, SequenceHeader::of_unit(&bytes));
            }
        }
    }
}
