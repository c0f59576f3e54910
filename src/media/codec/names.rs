//! What people call profiles and levels, and the numbers that stand for them in the bitstream.
//!
//! ITU-T H.264 Annex A, ITU-T H.265 Annex A, ISO/IEC 14496-3 Table 1.17. A number without a name
//! here has none that people know it by.

/// The name of a profile, or its number where nobody gave it a name.
pub fn named(name: Option<&'static str>, number: u8) -> String {
    name.map_or_else(|| format!("profile {number}"), str::to_owned)
}

/// The profile of an H.264 stream, by `profile_idc` and the byte of constraint flags behind it.
pub fn avc_profile(profile: u8, constraints: u8) -> Option<&'static str> {
    let set = |flag: u8| constraints & (0x80 >> flag) != 0;
    Some(match profile {
        44 => "CAVLC 4:4:4 Intra",
        66 if set(1) => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 if set(4) && set(5) => "Constrained High",
        100 => "High",
        110 if set(3) => "High 10 Intra",
        110 => "High 10",
        122 if set(3) => "High 4:2:2 Intra",
        122 => "High 4:2:2",
        244 if set(3) => "High 4:4:4 Intra",
        244 => "High 4:4:4 Predictive",
        _ => return None,
    })
}

/// The level of an H.264 stream, such as `4.1` or `1b`.
pub fn avc_level(profile: u8, constraints: u8, level: u8) -> String {
    // Level 1b is 9, or in the old profiles 11 with constraint_set3_flag.
    if level == 9 || (level == 11 && constraints & 0x10 != 0 && matches!(profile, 66 | 77 | 88)) {
        return "1b".to_owned();
    }
    format!("{}.{}", level / 10, level % 10)
}

/// The profile of an H.265 stream, by `general_profile_idc`.
pub fn hevc_profile(profile: u8) -> Option<&'static str> {
    Some(match profile {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Picture",
        4 => "Range Extensions",
        5 => "High Throughput",
        6 => "Multiview Main",
        7 => "Scalable Main",
        8 => "3D Main",
        9 => "Screen Content Coding",
        _ => return None,
    })
}

/// The level of an H.265 stream, by `general_level_idc`, such as `4.1`.
pub fn hevc_level(level: u8) -> String {
    format!("{}.{}", level / 30, level % 30 / 3)
}

/// The profile of an AV1 stream, by `seq_profile`.
pub fn av1_profile(profile: u8) -> Option<&'static str> {
    Some(match profile {
        0 => "Main",
        1 => "High",
        2 => "Professional",
        _ => return None,
    })
}

/// What `chroma_format_idc` stands for.
pub fn chroma(chroma_format: u8) -> &'static str {
    match chroma_format {
        0 => "monochrome",
        1 => "4:2:0",
        2 => "4:2:2",
        _ => "4:4:4",
    }
}

/// The kind of AAC, by the object type of its core and what extends it.
pub fn aac_profile(object_type: u8, has_sbr: bool, has_ps: bool) -> Option<&'static str> {
    Some(match object_type {
        _ if has_ps => "HE-AAC v2",
        _ if has_sbr => "HE-AAC",
        1 => "Main",
        2 => "LC",
        3 => "SSR",
        4 => "LTP",
        23 => "LD",
        39 => "ELD",
        42 => "xHE-AAC",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_their_names() {
        for (profile, constraints, name) in [
            (66, 0x00, Some("Baseline")),
            (66, 0xC0, Some("Constrained Baseline")),
            (77, 0x40, Some("Main")),
            (100, 0x00, Some("High")),
            (100, 0x0C, Some("Constrained High")),
            (110, 0x10, Some("High 10 Intra")),
            (244, 0x00, Some("High 4:4:4 Predictive")),
            (7, 0x00, None),
        ] {
            assert_eq!(avc_profile(profile, constraints), name, "{profile}");
        }
        assert_eq!(hevc_profile(2), Some("Main 10"));
        assert_eq!(hevc_profile(0), None);
        assert_eq!(av1_profile(0), Some("Main"));
        assert_eq!(av1_profile(3), None);
        assert_eq!(aac_profile(2, false, false), Some("LC"));
        assert_eq!(aac_profile(2, true, false), Some("HE-AAC"));
        assert_eq!(aac_profile(2, true, true), Some("HE-AAC v2"));
        assert_eq!(aac_profile(31, false, false), None);
    }

    #[test]
    fn levels_are_written_with_a_point() {
        for (profile, constraints, level, name) in [
            (100, 0, 41, "4.1"),
            (100, 0, 30, "3.0"),
            (66, 0x10, 11, "1b"),
            (100, 0x10, 11, "1.1"),
            (100, 0, 9, "1b"),
        ] {
            assert_eq!(avc_level(profile, constraints, level), name);
        }
        assert_eq!(hevc_level(93), "3.1");
        assert_eq!(hevc_level(120), "4.0");
        assert_eq!(hevc_level(255), "8.5");
    }
}
