//! RTMP URLs: what a person types, split into what `connect`, `publish` and `play` carry.

/// Where a live stream is, as a server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPath {
    /// App and stream key joined by `/`, without queries and outer slashes.
    pub path: String,
}

/// Joins the app of `connect` and the name of `publish` or `play`.
pub fn stream_path(app: &str, name: &str, _tc_url: Option<&str>) -> StreamPath {
    let without_query = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    let joined = format!("{}/{}", without_query(app), without_query(name));
    StreamPath {
        path: joined.trim_matches('/').to_owned(),
    }
}
