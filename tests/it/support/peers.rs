//! The programs that publish and play: ffmpeg, GStreamer, rtmpdump and our own two clients.

use std::path::{Path, PathBuf};

use super::flv;
use super::packets::{Packet, packets};
use super::process::{Finished, Process};
use super::wait_for;

/// Programs that send an FLV file in real time and then say goodbye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publisher {
    Ffmpeg,
    /// GStreamer's own RTMP.
    GstRtmp2Sink,
    /// GStreamer on librtmp.
    GstRtmpSink,
    Push,
}

impl Publisher {
    #[track_caller]
    pub(crate) fn start(self, input: &Path, url: &str) -> Process {
        let name = format!("publisher {self:?}");
        let input = input.to_str().unwrap();
        match self {
            Self::Ffmpeg => Process::start(
                &name,
                "ffmpeg",
                [
                    "-nostdin", "-v", "info", "-re", "-i", input, "-c", "copy", "-f", "flv", url,
                ],
            ),
            Self::GstRtmp2Sink => gst_publisher(&name, input, &["rtmp2sink", "sync=true"], url),
            Self::GstRtmpSink => gst_publisher(&name, input, &["rtmpsink", "sync=true"], url),
            Self::Push => Process::millstream(&name, ["push", "-v", input, url]),
        }
    }
}

#[track_caller]
fn gst_publisher(name: &str, input: &str, sink: &[&str], url: &str) -> Process {
    let source = format!("location={input}");
    let target = format!("location={url}");
    let mut arguments = vec!["-q", "filesrc", &source, "!", "flvdemux", "name=d"];
    arguments.extend(["d.video", "!", "queue", "!", "mux.video"]);
    arguments.extend(["d.audio", "!", "queue", "!", "mux.audio"]);
    arguments.extend(["flvmux", "name=mux", "streamable=true", "!"]);
    arguments.extend_from_slice(sink);
    arguments.push(&target);
    Process::start(name, "gst-launch-1.0", arguments)
}

/// Programs that play a live stream into an FLV file until the server says that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Player {
    Ffmpeg,
    Rtmpdump,
    GstRtmp2Src,
    Pull,
}

impl Player {
    pub(crate) const ALL: [Self; 4] = [Self::Ffmpeg, Self::Rtmpdump, Self::GstRtmp2Src, Self::Pull];

    #[track_caller]
    pub(crate) fn start(self, url: &str, folder: &Path) -> Playing {
        let file = folder.join(format!("{self:?}.flv"));
        let name = format!("player {self:?}");
        let path = file.to_str().unwrap();
        let process = match self {
            Self::Ffmpeg => Process::start(
                &name,
                "ffmpeg",
                [
                    "-nostdin",
                    "-v",
                    "info",
                    "-copyts",
                    "-i",
                    url,
                    "-c",
                    "copy",
                    "-flush_packets",
                    "1",
                    "-f",
                    "flv",
                    "-y",
                    path,
                ],
            ),
            Self::Rtmpdump => {
                Process::start(&name, "rtmpdump", ["--live", "-V", "-r", url, "-o", path])
            }
            Self::GstRtmp2Src => {
                let source = format!("location={url}");
                let sink = format!("location={path}");
                let arguments = [
                    "rtmp2src",
                    &source,
                    "!",
                    "filesink",
                    "buffer-mode=unbuffered",
                    &sink,
                ];
                Process::start(&name, "gst-launch-1.0", arguments)
            }
            Self::Pull => Process::millstream(&name, ["pull", "-v", url, path]),
        };
        Playing {
            player: self,
            process,
            file,
        }
    }
}

/// A player at work.
pub(crate) struct Playing {
    pub(crate) player: Player,
    pub(crate) process: Process,
    pub(crate) file: PathBuf,
}

impl Playing {
    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        std::fs::metadata(&self.file).map_or(0, |file| file.len())
    }

    /// Waits until the file has at least this many bytes.
    #[track_caller]
    pub(crate) fn wait_written(&self, bytes: u64) {
        let what = format!("{bytes} bytes from {:?}", self.player);
        wait_for(&what, || (self.written() >= bytes).then_some(()));
    }

    /// Waits for its good end and gives what it wrote.
    #[track_caller]
    pub(crate) fn finish(self) -> (Finished, Vec<Packet>) {
        let finished = self.process.succeed();
        (finished, packets(&self.file))
    }

    /// As [`Self::finish`], by the strict FLV reader: a whole file.
    #[track_caller]
    pub(crate) fn finish_flv(self) -> Vec<flv::Tag> {
        self.process.succeed();
        flv::read(&self.file).unwrap_or_else(|e| panic!("{:?}: {e}", self.player))
    }
}
