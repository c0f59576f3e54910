//! The `connect` command's object, read (RTMP 1.0 §7.2.1.1; Enhanced RTMP v2 for the last fields).

use crate::amf::{Object, Value};

/// What a client says of itself when it connects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectRequest {
    /// Application name without query and outer slashes; may be empty. `_definst_`, the name of
    /// an application's default instance, is left out.
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
        let (url_base, url_query) = cut_query(tc_url);
        let app = object.get_ignore_case("app").and_then(Value::as_str);
        // Without the field (an empty one is legal) the URL's path says it.
        let (app, app_query) = cut_query(app.unwrap_or_else(|| url_path(url_base)));
        let app = app.trim().trim_matches('/');
        let app = app.strip_suffix("_definst_").unwrap_or(app);
        Self {
            app: app.trim_end_matches('/').to_owned(),
            query: join_queries(app_query, url_query),
            tc_url: tc_url.to_owned(),
            flash_version: text("flashVer").to_owned(),
            object_encoding: object
                .get_ignore_case("objectEncoding")
                .and_then(Value::as_number)
                .unwrap_or_default(),
            object,
        }
    }

    /// Whether the client knows Enhanced RTMP (it sent one of the fields of its connect object).
    pub fn is_enhanced(&self) -> bool {
        const FIELDS: [&str; 4] = [
            "fourCcList",
            "videoFourCcInfoMap",
            "audioFourCcInfoMap",
            "capsEx",
        ];
        FIELDS.iter().any(|field| {
            self.object
                .get_ignore_case(field)
                .is_some_and(|value| !matches!(value, Value::Null | Value::Undefined))
        })
    }
}

fn cut_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// The path of an URL, without its first slash.
fn url_path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or("", |(_, path)| path)
}

/// Most clients that have a query in both places have the same one there.
fn join_queries(app: &str, url: &str) -> String {
    match (app, url) {
        (query, "") | ("", query) => query.to_owned(),
        (app, url) if app == url => app.to_owned(),
        (app, url) => format!("{app}&{url}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(fields: &[(&str, &str)]) -> Object {
        Object {
            properties: fields
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Value::String((*value).to_owned())))
                .collect(),
        }
    }

    #[track_caller]
    fn check(fields: &[(&str, &str)], app: &str, query: &str) {
        let request = ConnectRequest::new(object(fields));
        assert_eq!((&*request.app, &*request.query), (app, query));
    }

    #[test]
    fn app_and_query_are_taken_apart() {
        check(&[], "", "");
        check(&[("app", "live")], "live", "");
        check(&[("app", "/live/")], "live", "");
        check(&[("app", "live/inst")], "live/inst", "");
        check(&[("app", "live/_definst_")], "live", "");
        check(&[("app", "_definst_")], "", "");
        check(&[("app", "live?token=a=b")], "live", "token=a=b");
        check(&[("app", "live/?t=1")], "live", "t=1");
        // OpenIPC: an empty app is one.
        check(&[("app", ""), ("tcUrl", "rtmp://h/cam")], "", "");
        // The field is missing.
        check(&[("tcUrl", "rtmp://h:1935/cam/x?a=1")], "cam/x", "a=1");
        check(&[("tcUrl", "rtmp://h")], "", "");
        check(&[("tcUrl", "nonsense")], "", "");
        // The same query twice, and two different ones.
        let url = ("tcUrl", "rtmp://h/live?t=1");
        check(&[("app", "live?t=1"), url], "live", "t=1");
        check(&[("app", "live?u=2"), url], "live", "u=2&t=1");
        check(&[("app", "live"), url], "live", "t=1");
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
