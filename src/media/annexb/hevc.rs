//! What each NAL unit of an HEVC byte stream is.
//!
//! Knows where pictures start (ITU-T H.265 §7.4.2.4.4 and §7.4.2.4.5), keeps the parameter
//! sets, derives picture order counts (§8.3.1). Only the base layer makes pictures; units of
//! other layers stay with the picture that they belong to.

use crate::media::codec::hevc::{
    HevcConfig, NAL_AUD, NAL_END_OF_BITSTREAM, NAL_END_OF_SEQUENCE, NAL_FILLER, NAL_PPS,
    NAL_SEI_PREFIX, NAL_SEI_SUFFIX, NAL_SPS, NAL_VPS, NalHeader, Pps, Sps, slice_pic_order_lsb,
    slice_start,
};

use super::avc::{keep, ordered, unrolled_msb};
use super::{Picture, Role};

/// State from one unit to the next.
#[derive(Debug, Default)]
pub(super) struct HevcStream {
    /// By `vps_video_parameter_set_id`.
    vps: Vec<(u8, Vec<u8>)>,
    sps: Vec<(Sps, Vec<u8>)>,
    pps: Vec<(Pps, Vec<u8>)>,
    /// Whether a set changed since the last record.
    has_new_sets: bool,
    active_sps: Option<u8>,
    record: Vec<u8>,
    /// High and low part of the count of the last picture of the lowest temporal layer that others may depend on.
    previous: (i64, i64),
    /// Whether a picture or anything but an end of sequence came last.
    is_in_sequence: bool,
}

impl HevcStream {
    pub(super) fn on_unit(&mut self, unit: &[u8]) -> Role {
        let Some(header) = NalHeader::parse(unit) else {
            return Role::Nothing;
        };
        if header.layer_id > 0 {
            return Role::Suffix;
        }
        if header.is_slice() {
            return match slice_start(unit) {
                Ok((starts_picture, _)) => Role::Slice { starts_picture },
                Err(_) => Role::Nothing,
            };
        }
        match header.nal_type {
            NAL_VPS | NAL_SPS | NAL_PPS => {
                self.keep_set(header.nal_type, unit);
                Role::Nothing
            }
            NAL_SEI_PREFIX | 41..=44 | 48..=55 => Role::Prefix {
                is_recovery_point: false,
            },
            NAL_SEI_SUFFIX | 45..=47 | 56..=63 => Role::Suffix,
            NAL_END_OF_SEQUENCE | NAL_END_OF_BITSTREAM => {
                self.is_in_sequence = false;
                Role::Nothing
            }
            NAL_AUD | NAL_FILLER => Role::Nothing,
            _ => Role::Nothing,
        }
    }

    /// Whether a unit of which only the head has come is a slice that starts a picture.
    pub(super) fn begins_picture(&self, head: &[u8]) -> bool {
        NalHeader::parse(head).is_some_and(|header| header.is_slice() && header.layer_id == 0)
            && slice_start(head).is_ok_and(|(starts_picture, _)| starts_picture)
    }

    /// The picture that begins with this slice; `None` while its parameter sets are missing.
    pub(super) fn start_picture(&mut self, unit: &[u8]) -> Option<Picture> {
        let header = NalHeader::parse(unit)?;
        let (_, pps_id) = slice_start(unit).ok()?;
        let (pps, _) = self.pps.iter().find(|(pps, _)| pps.id == pps_id)?;
        let (sps, _) = self.sps.iter().find(|(sps, _)| sps.id == pps.sps_id)?;
        let lsb = slice_pic_order_lsb(unit, sps, pps).ok()?;
        let (sps_id, bits) = (sps.id, sps.pic_order_lsb_bits);
        let (frame_rate, reorder_max) = (sps.frame_rate, sps.reorder_pics_max);
        let config = self.new_record(sps_id)?;
        // IDR and BLA restart the count, and so does any IRAP picture at the start of a sequence.
        let is_bla = (16..=18).contains(&header.nal_type);
        let is_reset = header.is_irap() && (header.is_idr() || is_bla || !self.is_in_sequence);
        self.is_in_sequence = true;
        Some(Picture {
            is_keyframe: header.is_irap(),
            config,
            frame_rate,
            pic_order: Some((
                self.pic_order(i64::from(lsb), bits, header, is_reset),
                is_reset,
            )),
            reorder_max,
        })
    }

    fn pic_order(&mut self, lsb: i64, bits: u32, header: NalHeader, is_reset: bool) -> i64 {
        let (previous_msb, previous_lsb) = self.previous;
        let msb = if is_reset {
            0
        } else {
            unrolled_msb(lsb, previous_lsb, previous_msb, bits)
        };
        // Leading pictures (6..=9) and those that nothing of their layer depends on (even
        // numbers up to 14) are no anchors.
        let is_leading = (6..=9).contains(&header.nal_type);
        let is_discardable = header.nal_type <= 14 && header.nal_type.is_multiple_of(2);
        if header.temporal_id == 0 && !is_leading && !is_discardable {
            self.previous = (msb, lsb);
        }
        msb + lsb
    }

    fn keep_set(&mut self, nal_type: u8, unit: &[u8]) {
        self.has_new_sets |= match nal_type {
            NAL_VPS => {
                let id = unit.get(2).map_or(0, |byte| byte >> 4);
                keep(&mut self.vps, id, unit, |&kept| kept == id)
            }
            NAL_SPS => match Sps::parse(unit) {
                Ok(sps) => {
                    let id = sps.id;
                    keep(&mut self.sps, sps, unit, |kept| kept.id == id)
                }
                Err(_) => false,
            },
            _ => match Pps::parse(unit) {
                Ok(pps) => keep(&mut self.pps, pps, unit, |kept| kept.id == pps.id),
                Err(_) => false,
            },
        };
    }

    /// The record when it differs from the last one given. The outer `None` says that there
    /// is none yet.
    #[expect(
        clippy::option_option,
        reason = "no record, the same record and a new record are three different things"
    )]
    fn new_record(&mut self, active_sps: u8) -> Option<Option<Vec<u8>>> {
        if !self.has_new_sets && self.active_sps == Some(active_sps) {
            return Some(None);
        }
        let vps = ordered(&self.vps, |_| false);
        let sps = ordered(&self.sps, |sps| sps.id != active_sps);
        let pps = ordered(&self.pps, |pps| pps.sps_id != active_sps);
        let record = HevcConfig::from_parameter_sets(vps, sps, pps)
            .ok()?
            .encode();
        self.has_new_sets = false;
        self.active_sps = Some(active_sps);
        if record == self.record {
            return Some(None);
        }
        self.record.clone_from(&record);
        Some(Some(record))
    }
}
