//! What can be wrong in a body, in words.

/// Something wrong in a body; `Display` is for the log, in plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// An HEVC record, or HEVC parameter sets, under codec id 7 or `avc1`: now `hvc1`.
    #[error("labels HEVC as H.264: put right")]
    HevcLabelledAvc,
    /// Start codes in place of lengths.
    #[error("sends Annex B inside AVC or HEVC packets: converted")]
    AnnexB,
    /// Start codes in place of an avcC or hvcC record.
    #[error("sends parameter sets with start codes as sequence header: converted")]
    AnnexBHeader,
    /// NAL units of no bytes.
    #[error("sends empty NAL units: left out")]
    EmptyNalUnit,
    /// A frame of no bytes, or of nothing but empty NAL units.
    #[error("sends frames with nothing in them: left out")]
    EmptyFrame,
    /// A sequence header of no bytes.
    #[error("sends an empty sequence header: left out")]
    EmptyHeader,
    /// A body that ends inside its own first bytes.
    #[error("sends media that is cut short: left out")]
    CutShort,
    /// Video began without a sequence header: made of the parameter sets in a frame.
    #[error("sends no video sequence header: made from the picture data")]
    HeaderMissing,
    /// The parameter sets in the frames changed without a new sequence header: made of them.
    #[error("changes the picture without a new sequence header: made from the picture data")]
    HeaderOutdated,
    /// An ADTS header before raw AAC.
    #[error("sends AAC with ADTS headers: taken off")]
    Adts,
    /// AAC before its sequence header: nobody could decode it.
    #[error("sends AAC before its sequence header: left out until that comes")]
    AacTooEarly,
    /// AAC with ADTS headers began without a sequence header: made of one.
    #[error("sends no AAC sequence header: made from an ADTS header")]
    AacHeaderMissing,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 12] = [
        Self::HevcLabelledAvc,
        Self::AnnexB,
        Self::AnnexBHeader,
        Self::EmptyNalUnit,
        Self::EmptyFrame,
        Self::EmptyHeader,
        Self::CutShort,
        Self::HeaderMissing,
        Self::HeaderOutdated,
        Self::Adts,
        Self::AacTooEarly,
        Self::AacHeaderMissing,
    ];

    /// Its name in statistics, which does not change.
    pub fn id(self) -> &'static str {
        match self {
            Self::HevcLabelledAvc => "hevc-labelled-avc",
            Self::AnnexB => "annex-b",
            Self::AnnexBHeader => "annex-b-header",
            Self::EmptyNalUnit => "empty-nal-unit",
            Self::EmptyFrame => "empty-frame",
            Self::EmptyHeader => "empty-header",
            Self::CutShort => "cut-short",
            Self::HeaderMissing => "header-missing",
            Self::HeaderOutdated => "header-outdated",
            Self::Adts => "adts",
            Self::AacHeaderMissing => "aac-header-missing",
            Self::AacTooEarly => "aac-too-early",
        }
    }
}

/// The faults of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults(u16);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u16;
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is among them.
    pub fn contains(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u16) != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL
            .into_iter()
            .filter(move |fault| self.contains(*fault))
    }
}
