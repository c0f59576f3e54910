//! The `connect` command's object, read (RTMP 1.0 §7.2.1.1; Enhanced RTMP v2 for the last fields).

use super::Capabilities;
use crate::amf::{Object, Value};
use crate::rtmp::url::split_query;

/// What a client says of itself when it connects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectRequest {
    /// Application as sent, with the query that some clients put behind it; may be empty.
    /// [`stream_path`](crate::rtmp::url::stream_path) makes sense of it.
    pub app: String,
    /// The URL as the client has it, quotes trimmed.
    pub tc_url: String,
    /// Name of the client's software.
    pub flash_version: String,
    /// 0 or 3.
    pub object_encoding: f64,
    /// What it declares of Enhanced RTMP.
    pub capabilities: Capabilities,
    /// The whole object, for fields that are not named here.
    pub object: Object,
}

impl ConnectRequest {
    /// Reads the command object. What is missing or of the wrong type is empty: clients exist
    /// that send next to nothing.
    pub fn new(object: Object) -> Self {
        let text = |key| {
            object
                .get_ignore_case(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        // One client has the URL in single quotes, others write the key in lower case.
        let tc_url = text("tcUrl").trim().trim_matches(['\'', '"']);
        // Without the field (an empty one is legal) the URL's path says it.
        let app = object.get_ignore_case("app").and_then(Value::as_str);
        let app = app.unwrap_or_else(|| url_path(tc_url)).trim();
        Self {
            app: app.to_owned(),
            tc_url: tc_url.to_owned(),
            flash_version: text("flashVer").to_owned(),
            object_encoding: object
                .get_ignore_case("objectEncoding")
                .and_then(Value::as_number)
                .unwrap_or_default(),
            capabilities: Capabilities::of(&object),
            object,
        }
    }

    /// The application without its query, for the log: queries carry tokens.
    pub fn app_path(&self) -> &str {
        split_query(&self.app).0
    }

    /// Whether the field `tcUrl` has another name than that, or quotes around its value.
    pub fn is_tc_url_odd(&self) -> bool {
        let is_here = self.object.get_ignore_case("tcUrl").is_some();
        let text = self.object.get("tcUrl").and_then(Value::as_str);
        is_here && text.is_none_or(|text| text.trim() != self.tc_url)
    }

    /// Whether the client knows Enhanced RTMP (it sent one of the fields of its connect object).
    pub fn is_enhanced(&self) -> bool {
        self.capabilities.is_enhanced
    }
}

/// The path of an URL and its query, without the first slash.
fn url_path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or("", |(_, path)| path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::rtmp::url::stream_path;

    fn object(fields: &[(&str, &str)]) -> Object {
        Object {
            properties: fields
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Value::String((*value).to_owned())))
                .collect(),
        }
    }

    /// Path and query of the live stream that a client means with these fields and the name "cam".
    #[track_caller]
    fn check(fields: &[(&str, &str)], path: &str, query: &str) {
        let request = ConnectRequest::new(object(fields));
        let found = stream_path(&request.app, "cam", Some(&request.tc_url)).unwrap();
        assert_eq!((&*found.path, &*found.query), (path, query));
        assert!(!request.app_path().contains('?'));
    }

    #[test]
    fn app_and_url_name_the_live_stream_together() {
        check(&[], "cam", "");
        check(&[("app", "live")], "live/cam", "");
        check(&[("app", "/live/")], "live/cam", "");
        check(&[("app", "live/inst")], "live/inst/cam", "");
        check(&[("app", "live/_definst_")], "live/cam", "");
        check(&[("app", "_definst_")], "cam", "");
        check(&[("app", "live?token=a=b")], "live/cam", "token=a=b");
        check(&[("app", "live/?t=1")], "live/cam", "t=1");
        // OpenIPC: an empty app is one.
        check(&[("app", ""), ("tcUrl", "rtmp://h/x")], "cam", "");
        // The field is missing.
        let url = ("tcUrl", "rtmp://h:1935/live/x?a=1");
        check(&[url], "live/x/cam", "a=1");
        check(&[("tcUrl", "rtmp://h")], "cam", "");
        check(&[("tcUrl", "nonsense")], "cam", "");
        // The query of the app alone, the same in both places, and two different ones.
        let plain = ("tcUrl", "rtmp://h/live");
        check(&[("app", "live?t=1"), plain], "live/cam", "t=1");
        let url = ("tcUrl", "rtmp://h/live?t=1");
        check(&[("app", "live?t=1"), url], "live/cam", "t=1");
        check(&[("app", "live?u=2"), url], "live/cam", "u=2&t=1");
        check(&[("app", "live"), url], "live/cam", "t=1");
    }

    #[test]
    fn the_url_loses_its_quotes_and_the_key_its_case() {
        for key in ["tcUrl", "tcurl", "TCURL"] {
            let request = ConnectRequest::new(object(&[(key, "'rtmp://h/live'")]));
            assert_eq!(request.tc_url, "rtmp://h/live");
        }
    }

    #[test]
    fn a_field_of_the_wrong_type_is_as_good_as_missing() {
        let mut fields = object(&[("flashVer", "x"), ("objectEncoding", "3")]);
        fields
            .properties
            .push(("app".to_owned(), Value::Number(1.0)));
        fields.properties.push(("capsEx".to_owned(), Value::Null));
        let request = ConnectRequest::new(fields);
        assert_eq!(request.app, "");
        assert_eq!(request.object_encoding, 0.0);
        assert!(!request.is_enhanced());
        assert!(ConnectRequest::new(object(&[("fourCcList", "*")])).is_enhanced());
    }
}
