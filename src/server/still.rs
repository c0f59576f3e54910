//! The latest picture of a live stream, as a file: its last keyframe, which nobody decodes here.

use std::time::Instant;

use super::framing;
use super::http::File;
use super::live_stream::LiveStream;
use super::mail::StreamName;
use super::worker::Worker;
use crate::broadcast::{Slot, Track};
use crate::http::request::Request;
use crate::http::response::Caching;
use crate::http::status::Status;
use crate::media::fmp4;

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoPicture {
    /// It has not come yet.
    NotYet,
    /// It has sound only.
    SoundOnly,
    /// MP4 does not take it.
    Codec,
}

fn still(live: &LiveStream) -> Result<Vec<u8>, NoPicture> {
    let join = live.join_point().ok_or(NoPicture::NotYet)?;
    let header = join.headers.get(Track::Video, Slot::MAIN);
    let keyframe = live
        .frame(join.seq)
        .filter(|frame| frame.flags().is_keyframe)
        .ok_or(NoPicture::SoundOnly)?;
    let header = header.and_then(|header| framing::mp4_body(header));
    let keyframe = framing::mp4_body(keyframe);
    let (header, keyframe) = header.zip(keyframe).ok_or(NoPicture::Codec)?;
    fmp4::still(&header, &keyframe).ok_or(NoPicture::Codec)
}

impl Worker {
    /// Sends the latest picture of a live stream. It is where that is published: whoever asks
    /// elsewhere is handed over.
    pub(super) fn show_still(
        &mut self,
        key: usize,
        name: &StreamName,
        request: &Request,
        now: Instant,
    ) {
        let Some(home) = self.shared.registry.home(name) else {
            let detail = "nobody publishes it";
            return self.answer_error(key, request, Status::NotFound, detail, now);
        };
        let here = self.stream_slots.get(name).copied();
        let here = here.map(|slot| still(&self.streams[slot]));
        let refused = match here {
            Some(Ok(file)) => {
                let file = File {
                    media_type: "video/mp4",
                    caching: Caching::Never,
                    pieces: vec![file.into()],
                };
                return self.answer_file(key, request, file, now);
            }
            _ if home != self.id => return self.hand_over(key, home, request),
            Some(Err(why)) => why,
            None => NoPicture::NotYet,
        };
        let (status, detail) = match refused {
            NoPicture::NotYet => (Status::ServiceUnavailable, "no picture has come yet"),
            NoPicture::SoundOnly => (Status::NotFound, "it has no pictures"),
            NoPicture::Codec => (Status::NotAcceptable, "MP4 does not take its codec"),
        };
        self.answer_error(key, request, status, detail, now);
    }
}
