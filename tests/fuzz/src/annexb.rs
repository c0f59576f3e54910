//! Annex B byte streams to access units.

use millstream::media::annexb::{AccessUnit, AnnexBCodec, AnnexBError, UnitReader};
use millstream::media::flv::{HevcForm, VideoHeader};
use millstream::media::sniff;

use super::pieces::pieces;

/// Larger access units than this are refused.
const UNIT_SIZE_MAX: usize = 512;

/// First byte: codec; second: where to cut.
pub fn annexb(data: &[u8]) {
    let [mode, cut, input @ ..] = data else {
        return;
    };
    let codec = match mode & 1 {
        0 => AnnexBCodec::Avc,
        _ => AnnexBCodec::Hevc,
    };
    let whole = read(codec, std::iter::once(input));
    let split = read(codec, pieces(input, *cut));
    assert_eq!(whole, split, "depends on how the input is cut");

    for unit in &whole.units {
        check_lengths(&unit.frame);
        let body = unit.body(0, HevcForm::Enhanced);
        let header = VideoHeader::parse(&body).expect("what was written");
        assert_eq!(header.is_keyframe(), unit.is_keyframe);
        assert_eq!(header.payload(&body), unit.frame);
        if let Some(body) = unit.sequence_header(HevcForm::Enhanced) {
            let header = VideoHeader::parse(&body).expect("what was written");
            assert!(header.is_sequence_header());
        }
    }
    // A player can only start where the parameter sets are.
    if let Some(first) = whole.units.first() {
        assert!(
            first.config.is_some(),
            "the first access unit has no configuration"
        );
    }
    sniff(input);
}

/// The frame is NAL units behind four-byte lengths, none of them empty, nothing left over.
fn check_lengths(frame: &[u8]) {
    let mut rest = frame;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        assert!(0 < length && length <= behind.len(), "a length that lies");
        rest = &behind[length..];
    }
    assert!(rest.is_empty() && !frame.is_empty());
}

#[derive(Debug, PartialEq)]
struct Outcome {
    units: Vec<AccessUnit>,
    error: Option<AnnexBError>,
    end: Result<(), AnnexBError>,
}

fn read<'a>(codec: AnnexBCodec, input: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = UnitReader::with_unit_size_max(codec, UNIT_SIZE_MAX);
    let mut units = Vec::new();
    let mut error = None;
    for piece in input {
        reader.handle_input(piece);
        drain(&mut reader, &mut units, &mut error);
    }
    reader.finish();
    drain(&mut reader, &mut units, &mut error);
    Outcome {
        units,
        error,
        end: reader.outcome(),
    }
}

fn drain(reader: &mut UnitReader, units: &mut Vec<AccessUnit>, error: &mut Option<AnnexBError>) {
    while error.is_none() {
        match reader.poll_unit() {
            Ok(Some(unit)) => units.push(unit),
            Ok(None) => return,
            Err(fault) => *error = Some(fault),
        }
    }
}
