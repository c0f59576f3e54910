//! Test media: a moving picture with a tone, made by ffmpeg once and kept under the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Seconds of stream time in every sample.
pub(crate) const SECONDS: u32 = 4;

/// Frames from one keyframe to the next; 25 frames are a second.
pub(crate) const GOP_FRAMES: usize = 25;

/// The samples, each with 25 frames a second and a keyframe every second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    /// FLV, H.264 without B-frames, AAC.
    Plain,
    /// FLV, H.264 with B-frames (composition times are not zero), AAC.
    BFrames,
    /// FLV, tiny frames: 64 x 64 grey, silence.
    Tiny,
    /// MP4, H.264 with B-frames, AAC.
    Mp4,
    /// MP4, HEVC, AAC.
    HevcMp4,
    /// Annex B, H.264.
    H264,
}

impl Sample {
    fn file_name(self) -> &'static str {
        match self {
            Self::Plain => "plain.flv",
            Self::BFrames => "b-frames.flv",
            Self::Tiny => "tiny.flv",
            Self::Mp4 => "b-frames.mp4",
            Self::HevcMp4 => "hevc.mp4",
            Self::H264 => "plain.h264",
        }
    }

    /// What follows the inputs on ffmpeg's command line.
    fn arguments(self) -> String {
        let b_frames = match self {
            Self::BFrames | Self::Mp4 => 2,
            _ => 0,
        };
        let gop = format!("-g {GOP_FRAMES} -keyint_min {GOP_FRAMES} -sc_threshold 0");
        let avc = format!("-c:v libx264 -preset veryfast {gop} -bf {b_frames} -pix_fmt yuv420p");
        let hevc = format!(
            "-c:v libx265 -preset ultrafast -pix_fmt yuv420p \
             -x265-params keyint={GOP_FRAMES}:min-keyint={GOP_FRAMES}:scenecut=0:bframes=0:log-level=none"
        );
        match self {
            Self::Plain | Self::BFrames => format!("{avc} -c:a aac -b:a 64k -f flv"),
            Self::Tiny => format!("{avc} -crf 51 -c:a aac -b:a 8k -f flv"),
            Self::Mp4 => format!("{avc} -c:a aac -b:a 64k -f mp4"),
            Self::HevcMp4 => format!("{hevc} -tag:v hvc1 -c:a aac -b:a 64k -f mp4"),
            Self::H264 => format!("-an {avc} -f h264"),
        }
    }

    /// The file, made on the first call.
    #[track_caller]
    pub(crate) fn path(self) -> PathBuf {
        static MAKING: Mutex<()> = Mutex::new(());
        // A test that failed while it held the lock has left no half-made file behind.
        let _guard = MAKING
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // The number changes with the recipe, so that an old cache is not taken for a new one.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("media-1");
        let path = folder.join(self.file_name());
        if !path.exists() {
            fs::create_dir_all(&folder).unwrap();
            self.make(&path);
        }
        path
    }

    #[track_caller]
    fn make(self, path: &Path) {
        let (picture, tone) = match self {
            Self::Tiny => ("color=gray:size=64x64", "anullsrc=r=44100:cl=mono"),
            _ => (
                "testsrc2=size=320x180",
                "sine=frequency=440:sample_rate=44100",
            ),
        };
        // Written under another name first: two test runs may share this folder.
        let unfinished = path.with_extension(format!("{}.part", std::process::id()));
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(["-f", "lavfi", "-i", &format!("{picture}:rate=25")])
            .args(["-f", "lavfi", "-i", tone])
            .args(["-t", &SECONDS.to_string(), "-fflags", "+bitexact"])
            .args(self.arguments().split_whitespace())
            .arg(&unfinished)
            .output()
            .unwrap_or_else(|e| panic!("ffmpeg does not start ({e}); tests/run installs it"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "ffmpeg cannot make {self:?}: {said}"
        );
        fs::rename(&unfinished, path).unwrap();
    }
}
