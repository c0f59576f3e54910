//! G.711: what is the same for every sender.
//!
//! ITU-T G.711. Sound formats 7 (A-law) and 8 (mu-law) of FLV: one byte is a sample. Cameras set
//! any rate and channel bits with it and mean this.

/// Hz.
pub const SAMPLE_RATE: u32 = 8_000;

/// Always one.
pub const CHANNELS: u8 = 1;

/// How long a frame of so many bytes sounds, in milliseconds, rounded down.
pub fn duration_ms(bytes: usize) -> u64 {
    // 8 bytes are a millisecond.
    u64::try_from(bytes).unwrap_or(u64::MAX) / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_a_sample() {
        for (bytes, ms) in [(0, 0), (7, 0), (160, 20), (320, 40), (8_000, 1_000)] {
            assert_eq!(duration_ms(bytes), ms);
        }
    }
}
