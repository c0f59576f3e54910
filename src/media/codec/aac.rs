//! AAC: AudioSpecificConfig and ADTS (ISO/IEC 14496-3).
