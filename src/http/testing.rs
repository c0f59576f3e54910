//! What the tests of readers share.

/// `input` in pieces that end where `cuts` says.
pub(super) fn pieces<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts
        .iter()
        .copied()
        .filter(|&cut| cut < input.len())
        .collect();
    ends.sort_unstable();
    ends.push(input.len());
    let mut start = 0;
    let piece = |end| {
        let piece = input.get(start..end).expect("the ends are sorted");
        start = end;
        piece
    };
    ends.into_iter().map(piece).collect()
}
