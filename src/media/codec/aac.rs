//! AAC: the AudioSpecificConfig and the ADTS header.
//!
//! ISO/IEC 14496-3 §1.6.2.1 (AudioSpecificConfig), §4.4.1 (GASpecificConfig), §1.A.2.2 (ADTS).
//!
//! ```text
//! AudioSpecificConfig   object type:5 (31: +6) | frequency index:4 (15: +24) | channels:4
//!                       [extension frequency, object type     if the object type is 5 or 29]
//!                       frame length:1 depends on core:1 (+14) extension:1 [program config if channels 0]
//!                       [0x2B7:11 | 5:5 | sbr:1 | frequency | 0x548:11 | ps:1]
//! ADTS   FFF:12 id:1 layer:2 no_crc:1 | profile:2 index:4 private:1 channels:3 ...:4 | length:13 ...:11 blocks-1:2
//! ```

use super::CodecError;
use super::bits::Bits;

/// AAC Main.
pub const OBJECT_MAIN: u8 = 1;
/// AAC LC, what everybody sends.
pub const OBJECT_LC: u8 = 2;
/// Spectral band replication: HE-AAC.
pub const OBJECT_SBR: u8 = 5;
/// Parametric stereo: HE-AAC v2.
pub const OBJECT_PS: u8 = 29;

/// Sampling frequencies by index; 13 and 14 are reserved, 15 means that 24 bits follow.
const FREQUENCIES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Highest frequency that any peer could mean.
const FREQUENCY_MAX: u32 = 192_000;

/// What an AudioSpecificConfig says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacConfig {
    /// The audio object type of the core, 2 for AAC LC also under HE-AAC.
    pub object_type: u8,
    /// Sampling frequency of the core in Hz.
    pub sample_rate: u32,
    /// `channelConfiguration`, 0..=15; 0 means that a program config element lists them.
    pub channel_config: u8,
    /// Number of channels, by the configuration or the program config element; with parametric
    /// stereo the decoder makes two of one. 0 when unknown.
    pub channels: u8,
    /// Sampling frequency behind spectral band replication, when that is signalled.
    pub sbr_sample_rate: Option<u32>,
    /// Whether parametric stereo is signalled.
    pub has_ps: bool,
    /// Samples in a frame of the core: 1024, or 960.
    pub frame_samples: u16,
}

impl AacConfig {
    /// AAC with nothing special about it.
    pub fn new(object_type: u8, sample_rate: u32, channel_config: u8) -> Self {
        Self {
            object_type,
            sample_rate,
            channel_config,
            channels: channel_count(channel_config),
            sbr_sample_rate: None,
            has_ps: false,
            frame_samples: 1024,
        }
    }

    /// Reads an AudioSpecificConfig. Bytes behind it are left alone.
    ///
    /// # Errors
    /// [`CodecError`] when it ends before the channel configuration or a frequency is not one.
    /// What comes later is optional in practice, and damage there is passed over.
    pub fn parse(config: &[u8]) -> Result<Self, CodecError> {
        let mut bits = Bits::new(config);
        let mut object_type = read_object_type(&mut bits)?;
        let sample_rate = read_frequency(&mut bits)?;
        let channel_config = bits.small(4)?;
        let mut aac = Self::new(object_type, sample_rate, channel_config);
        if object_type == OBJECT_SBR || object_type == OBJECT_PS {
            aac.has_ps = object_type == OBJECT_PS;
            aac.sbr_sample_rate = Some(read_frequency(&mut bits)?);
            object_type = read_object_type(&mut bits)?;
            aac.object_type = object_type;
        }
        // What was read before a fault stays.
        aac.read_specific(&mut bits).unwrap_or_default();
        Ok(aac)
    }

    fn read_specific(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        if !matches!(self.object_type, 1..=4 | 6 | 7 | 17 | 19..=23) {
            return Ok(());
        }
        if bits.flag()? {
            self.frame_samples = 960;
        }
        if bits.flag()? {
            bits.skip(14)?; // coreCoderDelay
        }
        let has_extension = bits.flag()?;
        if self.channel_config == 0 {
            self.channels = read_program_config(bits)?;
            // Behind the element comes a comment of any length; nothing that we need.
            return Ok(());
        }
        if has_extension || matches!(self.object_type, 6 | 20) || self.sbr_sample_rate.is_some() {
            return Ok(());
        }
        // Backward compatible signalling: old decoders stop before it.
        if bits.remaining() >= 16 && bits.u(11)? == 0x2B7 && read_object_type(bits)? == OBJECT_SBR {
            if bits.flag()? {
                self.sbr_sample_rate = Some(read_frequency(bits)?);
            }
            if bits.remaining() >= 12 && bits.u(11)? == 0x548 {
                self.has_ps = bits.flag()?;
            }
        }
        Ok(())
    }

    /// The AudioSpecificConfig: two bytes for the usual frequencies, with HE-AAC signalled
    /// explicitly (hierarchical, as ISO/IEC 14496-3 §1.6.5 prefers) when it was.
    ///
    /// # Errors
    /// [`CodecError::OutOfRange`] for object types above 94, channel configuration 0 or above 15
    /// (a program config element is not written) and frequencies of 2^24 and more.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        if self.channel_config == 0 || self.channel_config > 15 {
            return Err(CodecError::OutOfRange {
                field: "channelConfiguration",
                value: u32::from(self.channel_config),
            });
        }
        let mut bits = BitWriter::default();
        let outer = match (self.sbr_sample_rate, self.has_ps) {
            (None, _) => self.object_type,
            (Some(_), false) => OBJECT_SBR,
            (Some(_), true) => OBJECT_PS,
        };
        bits.put_object_type(outer)?;
        bits.put_frequency(self.sample_rate)?;
        bits.put(4, u32::from(self.channel_config));
        if let Some(rate) = self.sbr_sample_rate {
            bits.put_frequency(rate)?;
            bits.put_object_type(self.object_type)?;
        }
        bits.put(1, u32::from(self.frame_samples == 960));
        bits.put(2, 0); // dependsOnCoreCoder, extensionFlag
        Ok(bits.bytes)
    }

    /// Sampling frequency that a player hears: behind spectral band replication if there is any.
    pub fn output_sample_rate(&self) -> u32 {
        self.sbr_sample_rate.unwrap_or(self.sample_rate)
    }

    /// Number of channels that a player hears. 0 when unknown.
    pub fn output_channels(&self) -> u8 {
        match (self.channels, self.has_ps) {
            (1, true) => 2,
            (channels, _) => channels,
        }
    }

    /// The codec as HTML and DASH name it (RFC 6381): `mp4a.40.2`, `.5` for HE-AAC, `.29` for v2.
    pub fn rfc6381(&self) -> String {
        let object_type = match (self.sbr_sample_rate, self.has_ps) {
            (_, true) => OBJECT_PS,
            (Some(_), false) => OBJECT_SBR,
            (None, false) => self.object_type,
        };
        format!("mp4a.40.{object_type}")
    }
}

/// Channels of a channel configuration, ISO/IEC 14496-3 table 1.19; 0 when it does not say.
fn channel_count(channel_config: u8) -> u8 {
    match channel_config {
        1..=6 => channel_config,
        7 | 12 | 14 => 8,
        11 => 7,
        13 => 24,
        _ => 0,
    }
}

fn read_object_type(bits: &mut Bits<'_>) -> Result<u8, CodecError> {
    match bits.small(5)? {
        31 => Ok(32 + bits.small(6)?),
        object_type => Ok(object_type),
    }
}

fn read_frequency(bits: &mut Bits<'_>) -> Result<u32, CodecError> {
    let index = bits.small(4)?;
    let frequency = match index {
        15 => bits.u(24)?,
        _ => FREQUENCIES.get(usize::from(index)).copied().unwrap_or(0),
    };
    if frequency == 0 || frequency > FREQUENCY_MAX {
        return Err(CodecError::OutOfRange {
            field: "samplingFrequency",
            value: frequency,
        });
    }
    Ok(frequency)
}

/// Counts the channels of a program config element, ISO/IEC 14496-3 §4.4.1.1.
fn read_program_config(bits: &mut Bits<'_>) -> Result<u8, CodecError> {
    bits.skip(10)?; // element_instance_tag, object_type, sampling_frequency_index
    let [front, side, back] = [bits.u(4)?, bits.u(4)?, bits.u(4)?];
    let low_frequency = bits.small(2)?;
    bits.skip(7)?; // associated data and coupling elements
    for width in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(width)?; // mixdown elements
        }
    }
    let mut channels = low_frequency;
    for _ in 0..front + side + back {
        channels += if bits.flag()? { 2 } else { 1 };
        bits.skip(4)?; // element tag
    }
    Ok(channels)
}

#[derive(Debug, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    /// Free bits in the last byte.
    free: u32,
}

impl BitWriter {
    fn put(&mut self, count: u32, value: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut()
                && (value >> bit) & 1 == 1
            {
                *last |= 1 << self.free;
            }
        }
    }

    fn put_object_type(&mut self, object_type: u8) -> Result<(), CodecError> {
        match object_type {
            0..=30 => self.put(5, u32::from(object_type)),
            32..=94 => {
                self.put(5, 31);
                self.put(6, u32::from(object_type) - 32);
            }
            _ => {
                return Err(CodecError::OutOfRange {
                    field: "audioObjectType",
                    value: u32::from(object_type),
                });
            }
        }
        Ok(())
    }

    fn put_frequency(&mut self, frequency: u32) -> Result<(), CodecError> {
        let index = (0_u32..).zip(FREQUENCIES).find(|&(_, f)| f == frequency);
        if let Some((index, _)) = index {
            self.put(4, index);
        } else if frequency < 1 << 24 {
            self.put(4, 15);
            self.put(24, frequency);
        } else {
            return Err(CodecError::OutOfRange {
                field: "samplingFrequency",
                value: frequency,
            });
        }
        Ok(())
    }
}

/// The header before an AAC frame in an ADTS stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdtsHeader {
    /// Audio object type, 1..=4.
    pub object_type: u8,
    /// Sampling frequency in Hz.
    pub sample_rate: u32,
    /// Channel configuration, 0..=7.
    pub channel_config: u8,
    /// Length of header and frame together in bytes; `header_size <= frame_size < 2^13`.
    pub frame_size: usize,
    /// 7, or 9 with a checksum.
    pub header_size: usize,
    /// Raw data blocks in the frame, 1..=4; nearly always 1.
    pub blocks: u8,
}

impl AdtsHeader {
    /// Reads the header at the start of `bytes`, of which 7 are needed.
    ///
    /// # Errors
    /// [`CodecError`] when there are fewer, no sync word, or a field is out of range.
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut bits = Bits::new(bytes);
        let sync = bits.u(12)?;
        if sync != 0xFFF {
            return Err(CodecError::Missing("ADTS sync word"));
        }
        bits.skip(1)?; // MPEG-4 or MPEG-2
        let layer = bits.u(2)?;
        if layer != 0 {
            return Err(CodecError::OutOfRange {
                field: "layer",
                value: layer,
            });
        }
        let header_size = if bits.flag()? { 7 } else { 9 };
        let object_type = bits.small(2)? + 1;
        let index = bits.small(4)?;
        let sample_rate =
            *FREQUENCIES
                .get(usize::from(index))
                .ok_or_else(|| CodecError::OutOfRange {
                    field: "sampling_frequency_index",
                    value: u32::from(index),
                })?;
        bits.skip(1)?; // private_bit
        let channel_config = bits.small(3)?;
        bits.skip(4)?; // original, home, copyright bits
        let size = bits.u(13)?;
        let frame_size = usize::try_from(size).unwrap_or(usize::MAX);
        if frame_size < header_size {
            return Err(CodecError::OutOfRange {
                field: "aac_frame_length",
                value: size,
            });
        }
        bits.skip(11)?; // buffer fullness
        Ok(Self {
            object_type,
            sample_rate,
            channel_config,
            frame_size,
            header_size,
            blocks: bits.small(2)? + 1,
        })
    }

    /// The configuration that a decoder of the frames behind this header needs.
    pub fn config(&self) -> AacConfig {
        AacConfig::new(self.object_type, self.sample_rate, self.channel_config)
    }
}

/// Takes off an ADTS header that an encoder left before a raw frame, as some do in RTMP. A frame
/// is touched only when the header's length says exactly what is there.
pub fn strip_adts(frame: &[u8]) -> &[u8] {
    match AdtsHeader::parse(frame) {
        Ok(header) if header.frame_size == frame.len() => {
            frame.get(header.header_size..).unwrap_or_default()
        }
        _ => frame,
    }
}

#[cfg(test)]
mod tests;
