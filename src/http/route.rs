//! Targets to typed routes.
//!
//! | Path | Route |
//! |---|---|
//! | `/` | the dashboard |
//! | `/watch/APP/KEY` | the page of one live stream |
//! | `/assets/FILE`, `/favicon.ico` | what the pages are made of |
//! | `/APP/KEY.flv`, `/APP/KEY.mp4` | a live stream without end |
//! | `/APP/KEY.m3u8` | its HLS playlist |
//! | `/APP/KEY/FILE.m4s`, `/APP/KEY/init-N.mp4` | what the playlist names |
//! | `/APP/KEY/still.mp4` | its latest keyframe |
//! | `/api/v1/...`, `/metrics`, `/healthz` | for programs |
//!
//! `APP/KEY` is the live stream's path as RTMP has it, of one segment or of many. Apps called
//! `watch`, `assets` and `api` cannot be had over HTTP; nor can a stream whose last segment is
//! `still` or `init-0` as MP4, which belongs to the stream above it.

use super::escape;
use super::request::Method;
use super::target::Target;

/// Longest path of a live stream, bytes; RTMP has the same bound.
pub const STREAM_NAME_BYTES_MAX: usize = 1024;

/// What the first segment cannot be for a live stream.
const RESERVED: [&str; 3] = ["watch", "assets", "api"];

/// What a target means. Live streams are named by their path, such as `live/cam`: decoded, with
/// one `/` between segments, at most [`STREAM_NAME_BYTES_MAX`] bytes, and not known to exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Route {
    /// The dashboard.
    Dashboard,
    /// The page that shows this live stream.
    Watch(String),
    /// A file of the pages, by its name.
    Asset(String),
    /// A live stream from now on, also for a WebSocket.
    Live {
        /// The live stream.
        name: String,
        /// In which container.
        container: Container,
    },
    /// The HLS playlist of this live stream.
    Playlist(String),
    /// A file that the playlist names.
    HlsFile {
        /// The live stream.
        name: String,
        /// The file, one segment.
        file: String,
    },
    /// The latest keyframe of this live stream as an MP4 file.
    Still(String),
    /// Something of the API.
    Api(ApiRoute),
    /// Counters for Prometheus.
    Metrics,
    /// Whether the server is well.
    Health,
    /// `*`: the server as a whole.
    Asterisk,
}

/// What a live stream without end comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// FLV.
    Flv,
    /// Fragmented MP4.
    Mp4,
}

/// What is under `/api/v1/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ApiRoute {
    /// `openapi.json`: the description of the rest.
    OpenApi,
    /// `server`
    Server,
    /// `streams`: all live streams.
    Streams,
    /// `stream?name=APP/KEY`: one. A name has slashes, which a path parameter of OpenAPI cannot
    /// have.
    Stream(String),
    /// `connections`
    Connections,
    /// `config`: what is in force.
    Config,
    /// `kick`: closes a connection.
    Kick,
    /// `drain`: takes nobody new, and ends.
    Drain,
}

impl Route {
    /// `None` is 404.
    pub fn of(target: &Target) -> Option<Self> {
        if target.is_asterisk {
            return Some(Self::Asterisk);
        }
        let segments: Vec<&str> = target.segments.iter().map(String::as_str).collect();
        // A slash at the end would make the relative links of a page other ones.
        if target.has_trailing_slash {
            return None;
        }
        match segments.as_slice() {
            [] => Some(Self::Dashboard),
            ["metrics"] => Some(Self::Metrics),
            ["healthz"] => Some(Self::Health),
            ["favicon.ico"] => Some(Self::Asset("favicon.ico".to_owned())),
            ["assets", file] => Some(Self::Asset((*file).to_owned())),
            ["watch", name @ ..] => Some(Self::Watch(stream_name(name)?)),
            ["api", "v1", rest] => ApiRoute::of(rest, target).map(Self::Api),
            [first, ..] if RESERVED.contains(first) => None,
            [name @ .., file] if !name.is_empty() && is_of_playlist(file) => Some(Self::HlsFile {
                name: stream_name(name)?,
                file: (*file).to_owned(),
            }),
            [name @ .., "still.mp4"] if !name.is_empty() => Some(Self::Still(stream_name(name)?)),
            [parents @ .., last] => Self::of_ending(parents, last),
        }
    }

    fn of_ending(parents: &[&str], last: &str) -> Option<Self> {
        let (stem, ending) = last.rsplit_once('.')?;
        // What is left of `..flv` and `...flv` is the name of no live stream.
        if matches!(stem, "" | "." | "..") {
            return None;
        }
        let name = stream_name(&[parents, &[stem]].concat())?;
        let live = |container| Self::Live {
            name: name.clone(),
            container,
        };
        match ending {
            "flv" => Some(live(Container::Flv)),
            "mp4" => Some(live(Container::Mp4)),
            "m3u8" => Some(Self::Playlist(name)),
            _ => None,
        }
    }

    /// Where to go instead of a page with a slash behind its name, as people write it.
    pub fn moved(target: &Target) -> Option<String> {
        let (first, name) = target.segments.split_first()?;
        if first != "watch" || name.is_empty() || !target.has_trailing_slash {
            return None;
        }
        let query = match target.query.is_empty() {
            true => String::new(),
            false => format!("?{}", target.query),
        };
        Some(format!("/watch/{}{query}", escape::path(&name.join("/"))))
    }

    /// What to tell, for a person, of a target that has no route.
    pub fn absent(target: &Target) -> String {
        match target.segments.as_slice() {
            [first, ..] if first == "api" => {
                "nothing is here; /api/v1/openapi.json tells what there is".to_owned()
            }
            [first, .., last]
                if !RESERVED.contains(&first.as_str())
                    && !target.has_trailing_slash
                    && !last.contains('.') =>
            {
                let name = escape::path(&target.segments.join("/"));
                format!("nothing is here; add .flv, .mp4 or .m3u8, or open /watch/{name}")
            }
            _ => "nothing is here".to_owned(),
        }
    }

    /// The methods that it has, for `Allow`. Whatever changes state is never GET.
    pub fn methods(&self) -> &'static [Method] {
        match self {
            Self::Asterisk => &[Method::Options],
            Self::Api(ApiRoute::Kick | ApiRoute::Drain) => &[Method::Post, Method::Options],
            _ => &[Method::Get, Method::Head, Method::Options],
        }
    }

    /// The live stream that it is about.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Watch(name)
            | Self::Live { name, .. }
            | Self::Playlist(name)
            | Self::HlsFile { name, .. }
            | Self::Still(name)
            | Self::Api(ApiRoute::Stream(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether pages of other sites may read the answer: the media, for players that are
    /// embedded elsewhere; not what tells about the server.
    pub fn is_shared(&self) -> bool {
        matches!(
            self,
            Self::Live { .. } | Self::Playlist(_) | Self::HlsFile { .. } | Self::Still(_)
        )
    }
}

impl ApiRoute {
    fn of(word: &str, target: &Target) -> Option<Self> {
        Some(match word {
            "openapi.json" => Self::OpenApi,
            "server" => Self::Server,
            "streams" => Self::Streams,
            "stream" => Self::Stream(target.query_value("name").unwrap_or_default()),
            "connections" => Self::Connections,
            "config" => Self::Config,
            "kick" => Self::Kick,
            "drain" => Self::Drain,
            _ => return None,
        })
    }
}

/// Whether a playlist may name this file. What it means is not known here.
fn is_of_playlist(file: &str) -> bool {
    let init = file.strip_prefix("init-");
    let number = init.and_then(|rest| rest.strip_suffix(".mp4"));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    file.ends_with(".m4s") || number.is_some_and(|text| !text.is_empty() && is_number(text))
}

/// `None` when there is none, or a longer one than any live stream has.
fn stream_name(segments: &[&str]) -> Option<String> {
    let name = segments.join("/");
    (!name.is_empty() && name.len() <= STREAM_NAME_BYTES_MAX).then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn route(target: &str) -> Option<Route> {
        Route::of(&Target::parse(target).unwrap())
    }

    #[track_caller]
    fn check(target: &str, expected: Route) {
        assert_eq!(route(target), Some(expected), "{target}");
    }

    fn live(name: &str, container: Container) -> Route {
        Route::Live {
            name: name.to_owned(),
            container,
        }
    }

    #[test]
    fn live_streams_have_outputs() {
        let file = |name: &str, file: &str| Route::HlsFile {
            name: name.to_owned(),
            file: file.to_owned(),
        };
        check("/live/cam.flv", live("live/cam", Container::Flv));
        check("/live/cam.mp4?token=1", live("live/cam", Container::Mp4));
        check("/cam.flv", live("cam", Container::Flv));
        check("/a/b/c/d.flv", live("a/b/c/d", Container::Flv));
        check(
            "/live/cam.front.flv",
            live("live/cam.front", Container::Flv),
        );
        check("/live/cam.flv.flv", live("live/cam.flv", Container::Flv));
        check("/live/%22%3E.mp4", live("live/\">", Container::Mp4));
        check(
            "/live/cam.m3u8?_HLS_msn=1",
            Route::Playlist("live/cam".into()),
        );
        check("/live/cam/7.m4s", file("live/cam", "7.m4s"));
        check("/live/cam/7.2.m4s?token=1", file("live/cam", "7.2.m4s"));
        check("/cam/init-0.mp4", file("cam", "init-0.mp4"));
        check("/live/init-x.mp4", live("live/init-x", Container::Mp4));
        check("/init-0.mp4", live("init-0", Container::Mp4));
        check("/live/cam/still.mp4", Route::Still("live/cam".into()));
        check("/still.mp4", live("still", Container::Mp4));
        check("/hls/cam.flv", live("hls/cam", Container::Flv));
        check("/live/watch.flv", live("live/watch", Container::Flv));
    }

    #[test]
    fn pages_and_programs_have_theirs() {
        check("/", Route::Dashboard);
        check("/?theme=dark", Route::Dashboard);
        check("/watch/live/cam", Route::Watch("live/cam".into()));
        check("/watch/live/cam.flv", Route::Watch("live/cam.flv".into()));
        check("/assets/page.js", Route::Asset("page.js".into()));
        check("/favicon.ico", Route::Asset("favicon.ico".into()));
        check("/metrics", Route::Metrics);
        check("/healthz", Route::Health);
        check("*", Route::Asterisk);
        for (word, expected) in [
            ("openapi.json", ApiRoute::OpenApi),
            ("server", ApiRoute::Server),
            ("streams", ApiRoute::Streams),
            ("stream?name=live/cam", ApiRoute::Stream("live/cam".into())),
            (
                "stream?name=live%2Fcam",
                ApiRoute::Stream("live/cam".into()),
            ),
            ("stream", ApiRoute::Stream(String::new())),
            ("connections", ApiRoute::Connections),
            ("config", ApiRoute::Config),
            ("kick", ApiRoute::Kick),
            ("drain", ApiRoute::Drain),
        ] {
            check(&format!("/api/v1/{word}"), Route::Api(expected));
        }
    }

    #[test]
    fn the_rest_is_not_found() {
        for target in [
            "/live",
            "/live/cam",
            "/live/cam/",
            "/live/.flv",
            "/live/..flv",
            "/live/...m3u8",
            "/..mp4",
            "/.%2E.mp4",
            "/.mp4",
            "/live/cam.FLV",
            "/live/cam.ts",
            "/live/cam.flv/",
            "/watch",
            "/watch/",
            "/watch/live/cam/",
            "/api",
            "/api/v1",
            "/api/v2/streams",
            "/api/v1/nothing",
            "/api/v1/streams/live",
            "/api/cam.flv",
            "/assets",
            "/assets/a/b.flv",
            "/metrics/x",
            "/7.m4s",
            "/api/v1/7.m4s",
        ] {
            assert_eq!(route(target), None, "{target}");
        }
        let long = format!("/{}.flv", "a".repeat(STREAM_NAME_BYTES_MAX + 1));
        assert_eq!(route(&long), None);
        let fits = "a".repeat(STREAM_NAME_BYTES_MAX);
        check(&format!("/{fits}.flv"), live(&fits, Container::Flv));
    }

    #[test]
    fn what_is_not_found_is_explained() {
        for (target, moved, words) in [
            ("/live/demo", None, "or open /watch/live/demo"),
            ("/live/a%20%22", None, "open /watch/live/a%20%22"),
            ("/live/cam.ts", None, "nothing is here"),
            ("/api/v2", None, "/api/v1/openapi.json"),
            ("/watch/live/demo/", Some("/watch/live/demo"), ""),
            ("/watch/a%20%3Cb/?c=d", Some("/watch/a%20%3Cb?c=d"), ""),
            ("/watch/", None, "nothing is here"),
            ("/watch/live/demo", None, ""),
            ("/live/demo/", None, "nothing is here"),
        ] {
            let target = Target::parse(target).unwrap();
            assert_eq!(Route::moved(&target).as_deref(), moved, "{target:?}");
            let said = Route::absent(&target);
            assert!(said.ends_with(words) || said.contains(words), "{said}");
        }
    }

    #[test]
    fn what_changes_state_is_never_asked_for_with_get() {
        for (target, has_get) in [
            ("/", true),
            ("/api/v1/streams", true),
            ("/api/v1/kick", false),
            ("/api/v1/drain", false),
            ("*", false),
        ] {
            let methods = route(target).unwrap().methods();
            assert_eq!(methods.contains(&Method::Get), has_get, "{target}");
            assert_eq!(methods.contains(&Method::Head), has_get, "{target}");
        }
        assert!(route("/live/cam.flv").unwrap().is_shared());
        assert!(!route("/api/v1/config").unwrap().is_shared());
    }
}
