//! H.264: avcC and SPS (ISO/IEC 14496-15 §5.3.3, ITU-T H.264).
