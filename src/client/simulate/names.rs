//! What a simulated camera calls the server, the application and the stream.

use super::oddities::Address;
use crate::amf::Object;
use crate::rtmp::message::command::Command;
use crate::rtmp::url::{RtmpUrl, split_query};

/// What the camera calls the server, the application and the stream.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) app: String,
    pub(super) stream: String,
    tc_url: String,
    tc_url_key: &'static str,
}

impl Names {
    pub(super) fn new(url: &RtmpUrl, address: Address) -> Self {
        let mut names = Self {
            app: url.app.clone(),
            stream: url.stream_name.clone(),
            tc_url: url.tc_url(),
            tc_url_key: "tcUrl",
        };
        let root = format!("{}://{}/", url.scheme(), url.authority());
        match address {
            Address::Plain => {}
            Address::EmptyApp => {
                names.stream = join(&names.app, &names.stream);
                names.app = String::new();
                names.tc_url = root;
            }
            Address::QueryInTcUrl => names.tc_url += "?token=simulated",
            Address::QuotedTcUrl => names.tc_url = format!("'{}'", names.tc_url),
            Address::LowerCaseTcUrl => names.tc_url_key = "tcurl",
            Address::QueryOnlyName => {
                let (name, query) = split_query(&names.stream);
                let query = if query.is_empty() {
                    "clientConfigId=1"
                } else {
                    query
                };
                names.app = join(&names.app, name);
                names.stream = format!("?{query}");
                names.tc_url = format!("{root}{}", names.app);
            }
        }
        names
    }

    pub(super) fn connect(&self, is_amf3: bool) -> Command {
        let encoding = if is_amf3 { 3.0 } else { 0.0 };
        let object = Object::new()
            .with("app", self.app.as_str())
            .with("type", "nonprivate")
            .with("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)")
            .with("swfUrl", self.tc_url.as_str())
            .with(self.tc_url_key, self.tc_url.as_str())
            .with("objectEncoding", encoding);
        Command::new("connect", 1.0).with_object(object)
    }
}

pub(super) fn join(app: &str, name: &str) -> String {
    match app.is_empty() {
        true => name.to_owned(),
        false => format!("{app}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[track_caller]
    fn check_names(address: Address, url: &str, expected: [&str; 3]) {
        let names = Names::new(&RtmpUrl::parse(url).unwrap(), address);
        assert_eq!([names.app, names.stream, names.tc_url], expected);
    }

    #[test]
    fn the_same_stream_has_many_names() {
        let url = "rtmp://host/live/cam";
        for (address, expected) in [
            (Address::Plain, ["live", "cam", "rtmp://host/live"]),
            (Address::EmptyApp, ["", "live/cam", "rtmp://host/"]),
            (
                Address::QueryInTcUrl,
                ["live", "cam", "rtmp://host/live?token=simulated"],
            ),
            (Address::QuotedTcUrl, ["live", "cam", "'rtmp://host/live'"]),
            (Address::LowerCaseTcUrl, ["live", "cam", "rtmp://host/live"]),
            (
                Address::QueryOnlyName,
                ["live/cam", "?clientConfigId=1", "rtmp://host/live/cam"],
            ),
        ] {
            check_names(address, url, expected);
        }
        check_names(
            Address::QueryOnlyName,
            "rtmp://host/cam?key=1",
            ["cam", "?key=1", "rtmp://host/cam"],
        );
        check_names(
            Address::EmptyApp,
            "rtmp://host/cam",
            ["", "cam", "rtmp://host/"],
        );
    }
}
