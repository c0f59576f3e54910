//! Cuts an input into pieces, repeatably.

/// The pieces of `bytes`: sizes between 1 and some, drawn from `seed`. Empty pieces are among
/// them, since a caller may hand in nothing.
pub(crate) fn pieces(bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    // Small pieces for most seeds, byte by byte for seed 0, big ones for the upper half.
    let size_max = match seed {
        0 => 1,
        1..128 => 1 + usize::from(seed) / 8,
        _ => 1 + usize::from(seed) * 8,
    };
    let mut state = u32::from(seed) | 0x5EED_0000;
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // Numerical Recipes' linear congruence; its upper bits are random enough to cut bytes.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = (state >> 16) as usize % (size_max + 1);
        let (piece, behind) = rest.split_at(size.max(usize::from(seed == 0)).min(rest.len()));
        rest = behind;
        Some(piece)
    })
}
