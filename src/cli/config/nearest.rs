//! What somebody who misspelt a name may have meant.

/// Similarity (Jaro-Winkler, 0 to 1) from which on a name is worth proposing.
const SIMILAR: f64 = 0.8;

/// `; did you mean NAME?`, or nothing when no candidate is like it.
pub(super) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(text, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, candidate)| {
            format!("; did you mean {candidate}?")
        })
}
