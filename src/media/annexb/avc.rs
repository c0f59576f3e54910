//! What each NAL unit of an H.264 byte stream is.
//!
//! Knows where pictures start (ITU-T H.264 §7.4.1.2.4, as far as it occurs), keeps the parameter
//! sets, derives picture order counts (§8.2.1.1). Two fields of a frame make one access unit.
//! Memory management operation 5 is not read: it restarts the count within a sequence, and no
//! encoder that we know of uses it.

use crate::media::codec::avc::{
    AvcConfig, NAL_IDR, NAL_PARTITION_A, NAL_PPS, NAL_SEI, NAL_SLICE, NAL_SPS, PicOrder, Pps,
    SliceHeader, SliceStart, Sps, has_recovery_point, nal_type,
};

use super::{PARAMETER_SET_SIZE_MAX, Picture, Role};

/// State from one unit to the next.
#[derive(Debug, Default)]
pub(super) struct AvcStream {
    sps: Vec<(Sps, Vec<u8>)>,
    pps: Vec<(Pps, Vec<u8>)>,
    /// Whether a set changed since the last record.
    has_new_sets: bool,
    active_sps: Option<u8>,
    record: Vec<u8>,
    last_slice: Option<LastSlice>,
    previous_reference: PreviousReference,
}

#[derive(Debug, Clone, Copy)]
struct LastSlice {
    header: SliceHeader,
    is_idr: bool,
    /// Both fields of a frame have come.
    has_both_fields: bool,
}

/// Where a slice belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    NewPicture,
    SamePicture,
    /// The first slice of the second field, which shares the access unit of the first.
    SecondField(SliceHeader),
}

/// `prevPicOrderCntMsb` and `prevPicOrderCntLsb`.
#[derive(Debug, Clone, Copy, Default)]
struct PreviousReference {
    msb: i64,
    lsb: i64,
}

impl AvcStream {
    pub(super) fn on_unit(&mut self, unit: &[u8]) -> Role {
        match nal_type(unit) {
            NAL_SLICE | NAL_PARTITION_A | NAL_IDR => {
                let place = self.place(unit);
                if let Place::SecondField(header) = place
                    && let Some(last) = &mut self.last_slice
                {
                    last.header = header;
                    last.has_both_fields = true;
                }
                Role::Slice {
                    starts_picture: place == Place::NewPicture,
                }
            }
            // Partitions B and C, auxiliary and extension slices follow slices of their picture.
            3 | 4 | 19..=21 => Role::Suffix,
            NAL_SEI => Role::Prefix {
                is_recovery_point: has_recovery_point(unit),
            },
            NAL_SPS => {
                self.keep_sps(unit);
                Role::Nothing
            }
            NAL_PPS => {
                self.keep_pps(unit);
                Role::Nothing
            }
            14 => Role::Prefix {
                is_recovery_point: false,
            },
            // Delimiters, end markers, filler, subset SPS, reserved and unspecified ones.
            _ => Role::Nothing,
        }
    }

    /// The picture that begins with this slice; `None` while its parameter sets are missing.
    pub(super) fn start_picture(
        &mut self,
        unit: &[u8],
        is_recovery_point: bool,
    ) -> Option<Picture> {
        self.last_slice = None;
        let start = SliceStart::parse(unit).ok()?;
        let sps = self.sps_of(start)?;
        let header = SliceHeader::parse(unit, sps).ok()?;
        let (sps_id, frame_rate, reorder_max) = (sps.id, sps.frame_rate, sps.reorder_frames_max);
        let lsb_bits = match sps.pic_order {
            PicOrder::Lsb(bits) => bits,
            _ => 0,
        };
        let is_idr = nal_type(unit) == NAL_IDR;
        self.last_slice = Some(LastSlice {
            header,
            is_idr,
            has_both_fields: false,
        });
        let is_reference = unit.first().is_some_and(|first| first & 0x60 != 0);
        let pic_order = header
            .pic_order_lsb
            .map(|lsb| (self.pic_order(lsb, lsb_bits, is_idr, is_reference), is_idr));
        Some(Picture {
            is_keyframe: is_idr || is_recovery_point,
            config: self.new_record(sps_id)?,
            frame_rate,
            pic_order,
            reorder_max,
        })
    }

    /// Whether a unit of which only the head has come is a slice that starts a picture.
    pub(super) fn begins_picture(&self, head: &[u8]) -> bool {
        matches!(nal_type(head), NAL_SLICE | NAL_PARTITION_A | NAL_IDR)
            && self.place(head) == Place::NewPicture
    }

    fn place(&self, unit: &[u8]) -> Place {
        let Ok(start) = SliceStart::parse(unit) else {
            return Place::SamePicture;
        };
        let by_macroblock = if start.first_macroblock == 0 {
            Place::NewPicture
        } else {
            Place::SamePicture
        };
        let Some(last) = &self.last_slice else {
            return by_macroblock;
        };
        let header = self
            .sps_of(start)
            .and_then(|sps| SliceHeader::parse(unit, sps).ok());
        let Some(header) = header else {
            return by_macroblock;
        };
        let before = last.header;
        let is_idr = nal_type(unit) == NAL_IDR;
        let is_second_field = header.frame_num == before.frame_num
            && matches!(
                (before.bottom_field, header.bottom_field),
                (Some(first), Some(second)) if first != second
            )
            && (last.is_idr || !is_idr);
        if is_second_field && !last.has_both_fields {
            return Place::SecondField(header);
        }
        let is_other = header.frame_num != before.frame_num
            || header.bottom_field != before.bottom_field
            || header.pic_order_lsb != before.pic_order_lsb
            || (is_idr && header.idr_pic_id != before.idr_pic_id)
            // The second field of an IDR frame may be a P field.
            || (is_idr != last.is_idr && !last.has_both_fields);
        if is_other {
            Place::NewPicture
        } else {
            by_macroblock
        }
    }

    fn sps_of(&self, start: SliceStart) -> Option<&Sps> {
        let (pps, _) = self.pps.iter().find(|(pps, _)| pps.id == start.pps_id)?;
        let (sps, _) = self.sps.iter().find(|(sps, _)| sps.id == pps.sps_id)?;
        Some(sps)
    }

    fn pic_order(&mut self, lsb: u32, bits: u32, is_idr: bool, is_reference: bool) -> i64 {
        if is_idr {
            self.previous_reference = PreviousReference::default();
        }
        let PreviousReference { msb, lsb: previous } = self.previous_reference;
        let msb = unrolled_msb(i64::from(lsb), previous, msb, bits);
        let lsb = i64::from(lsb);
        if is_reference {
            self.previous_reference = PreviousReference { msb, lsb };
        }
        msb + lsb
    }

    fn keep_sps(&mut self, unit: &[u8]) {
        if let Ok(sps) = Sps::parse(unit) {
            let id = sps.id;
            self.has_new_sets |= keep(&mut self.sps, sps, unit, |kept| kept.id == id);
        }
    }

    fn keep_pps(&mut self, unit: &[u8]) {
        if let Ok(pps) = Pps::parse(unit) {
            let id = pps.id;
            self.has_new_sets |= keep(&mut self.pps, pps, unit, |kept| kept.id == id);
        }
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
        // The first SPS is the one that readers of the record take the picture size from.
        let sps = ordered(&self.sps, |sps| sps.id != active_sps);
        let pps = ordered(&self.pps, |pps| pps.sps_id != active_sps);
        let record = AvcConfig::from_parameter_sets(sps, pps).ok()?.encode();
        self.has_new_sets = false;
        self.active_sps = Some(active_sps);
        if record == self.record {
            return Some(None);
        }
        self.record.clone_from(&record);
        Some(Some(record))
    }
}

/// Stores a parameter set in the place of the one with its id; whether anything changed.
pub(super) fn keep<T>(
    sets: &mut Vec<(T, Vec<u8>)>,
    set: T,
    unit: &[u8],
    has_same_id: impl Fn(&T) -> bool,
) -> bool {
    if unit.len() > PARAMETER_SET_SIZE_MAX {
        return false;
    }
    match sets.iter_mut().find(|(kept, _)| has_same_id(kept)) {
        Some((_, bytes)) if bytes == unit => false,
        Some(slot) => {
            *slot = (set, unit.to_vec());
            true
        }
        None => {
            sets.push((set, unit.to_vec()));
            true
        }
    }
}

/// The bytes of all sets, those first that do not come `later`.
pub(super) fn ordered<T>(sets: &[(T, Vec<u8>)], later: impl Fn(&T) -> bool) -> Vec<Vec<u8>> {
    let mut sets: Vec<_> = sets.iter().collect();
    sets.sort_by_key(|(set, _)| later(set));
    sets.into_iter().map(|(_, bytes)| bytes.clone()).collect()
}

/// The high part of a picture order count, given its low part and the picture before (ITU-T
/// H.264 §8.2.1.1, H.265 §8.3.1: the two are the same).
pub(super) fn unrolled_msb(lsb: i64, previous_lsb: i64, previous_msb: i64, bits: u32) -> i64 {
    let range = 1_i64 << bits;
    if lsb < previous_lsb && previous_lsb - lsb >= range / 2 {
        previous_msb.saturating_add(range)
    } else if lsb > previous_lsb && lsb - previous_lsb > range / 2 {
        previous_msb.saturating_sub(range)
    } else {
        previous_msb
    }
}
