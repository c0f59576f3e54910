//! HLS with low latency: pieces of live MP4 to segments in memory, and the playlist that names
//! them (RFC 8216bis, "HTTP Live Streaming 2nd Edition").
//!
//! ```text
//!  KEY.m3u8          the playlist
//!  KEY/init-0.mp4    initialisation segment, a new number for each new one
//!  KEY/7.m4s         segment 7: its parts one behind the other
//!  KEY/7.2.m4s       part 2 of segment 7
//! ```
//! Requests that wait (blocking playlist reload, a hinted part) are the caller's: this module says
//! whether the time has come.

mod fit;
mod playlist;
mod segmenter;

pub use playlist::{PieceName, Reload};
pub use segmenter::{Config, Found, Segmenter};
