//! The `connect` command's object, read (RTMP 1.0 §7.2.1.1; Enhanced RTMP v2 for the last fields).

use crate::amf::Object;

/// What a client says of itself when it connects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectRequest {
    /// Application name without query and outer slashes; may be empty.
    pub app: String,
    /// Query parts of `app` and `tcUrl`, without `?`, joined by `&`.
    pub query: String,
    /// The URL as the client has it, quotes trimmed.
    pub tc_url: String,
    /// Name of the client's software.
    pub flash_version: String,
    /// 0 or 3.
    pub object_encoding: f64,
    /// The whole object, for fields that are not named here.
    pub object: Object,
}
