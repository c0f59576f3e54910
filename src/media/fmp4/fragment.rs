//! One fragment: `moof` with a run of samples per track, and `mdat` with their bytes.

use super::boxes::{put_box, put_full_box};
use crate::wire::PutBytes;

/// A sample and its place in time, milliseconds.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) dts: i64,
    pub(super) composition_offset: i32,
    pub(super) duration: u32,
    pub(super) is_sync: bool,
    pub(super) data: Vec<u8>,
}

/// `tfhd`: offsets count from the `moof`.
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;

/// `trun`: data offset, and for each sample duration, size, flags and composition offset.
const TRUN_FLAGS: u32 = 0x01 | 0x100 | 0x200 | 0x400 | 0x800;

/// `sample_depends_on` 2: on nothing.
const SYNC_SAMPLE: u32 = 0x0200_0000;

/// `sample_depends_on` 1: on others; `sample_is_non_sync_sample`.
const OTHER_SAMPLE: u32 = 0x0101_0000;

/// A `moof` and its `mdat`; `runs` are track ids with at least one sample each.
pub(super) fn fragment(sequence: u32, runs: &[(u32, Vec<Sample>)]) -> Vec<u8> {
    // The sizes do not depend on the offsets, so a first pass tells where the data will be.
    let moof_size = moof(sequence, runs, 0).len();
    let mut out = moof(sequence, runs, moof_size + 8);
    put_box(&mut out, b"mdat", |out| {
        for sample in runs.iter().flat_map(|(_, samples)| samples) {
            out.extend_from_slice(&sample.data);
        }
    });
    out
}

fn moof(sequence: u32, runs: &[(u32, Vec<Sample>)], mut data_offset: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_box(&mut out, b"moof", |out| {
        put_full_box(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        for (track, samples) in runs {
            put_box(out, b"traf", |out| {
                put_traf(out, *track, samples, data_offset);
            });
            data_offset += samples
                .iter()
                .map(|sample| sample.data.len())
                .sum::<usize>();
        }
    });
    out
}

fn put_traf(out: &mut Vec<u8>, track: u32, samples: &[Sample], data_offset: usize) {
    let start = samples.first().map_or(0, |sample| sample.dts);
    put_full_box(out, b"tfhd", 0, DEFAULT_BASE_IS_MOOF, |out| {
        out.put_u32(track);
    });
    put_full_box(out, b"tfdt", 1, 0, |out| {
        out.put_u64(u64::try_from(start).unwrap_or(0));
    });
    // Version 1: composition offsets have a sign.
    put_full_box(out, b"trun", 1, TRUN_FLAGS, |out| {
        out.put_u32(u32::try_from(samples.len()).unwrap_or(u32::MAX));
        out.put_u32(u32::try_from(data_offset).unwrap_or(u32::MAX));
        for sample in samples {
            out.put_u32(sample.duration);
            out.put_u32(u32::try_from(sample.data.len()).unwrap_or(u32::MAX));
            out.put_u32(if sample.is_sync {
                SYNC_SAMPLE
            } else {
                OTHER_SAMPLE
            });
            out.put_u32(sample.composition_offset.cast_unsigned());
        }
    });
}
