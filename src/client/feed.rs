//! What is to be sent next, and when: an input with its timestamps placed and its pace kept.

use std::collections::VecDeque;
use std::time::Instant;

use super::input::{Input, Next};
use super::pacing::{LoopClock, Pacer};
use super::push::PushOptions;
use super::{ClientError, InputError, Reactor};
use crate::amf::Limits;
use crate::media::flv::{Metadata, Tag, TagKind, VideoHeader, VideoPacket};
use crate::rtmp::message::data::{encode_metadata, metadata_object};

/// Tags looked at for metadata before anything is sent, when the input has none.
const PROBE_TAGS_MAX: usize = 64;

/// What a tag and those before it say to a new connection.
#[derive(Debug, Default)]
pub(super) struct Introduction {
    /// AMF0 "onMetaData" and a value.
    pub(super) metadata: Option<Vec<u8>>,
    /// Bodies of the latest sequence headers.
    pub(super) video_header: Option<Vec<u8>>,
    pub(super) audio_header: Option<Vec<u8>>,
}

/// An input on its way out.
#[derive(Debug)]
pub(super) struct Feed {
    input: Input,
    loops: bool,
    /// It goes on whether we take it or not: what cannot be sent in time is dropped.
    is_unstoppable: bool,
    clock: LoopClock,
    pacer: Pacer,
    /// Tags that were read, timestamps placed.
    ahead: VecDeque<(i64, Tag)>,
    introduction: Introduction,
    has_ended: bool,
}

impl Introduction {
    /// Remembers what later connections must be told. False when there is nothing new in it:
    /// files that start over, and cameras that repeat themselves, need not be repeated.
    pub(super) fn learn(&mut self, tag: &Tag) -> bool {
        let known = match tag.kind {
            TagKind::Script if Metadata::parse(&tag.body).is_some() => &mut self.metadata,
            TagKind::Audio if tag.is_sequence_header() => &mut self.audio_header,
            TagKind::Video if tag.is_sequence_header() => &mut self.video_header,
            _ => return true,
        };
        if known.as_ref() == Some(&tag.body) {
            return false;
        }
        *known = Some(tag.body.clone());
        true
    }
}

impl Feed {
    pub(super) fn new(input: Input, options: PushOptions) -> Self {
        Self {
            is_unstoppable: input.is_live() || (input.is_pipe() && options.paces),
            pacer: Pacer::new(options.paces && !input.is_live()),
            clock: LoopClock::new(options.keeps_timestamps),
            loops: options.loops,
            ahead: VecDeque::new(),
            introduction: Introduction::default(),
            has_ended: false,
            input,
        }
    }

    /// Looks into the input before the server is bothered: for its metadata, or what they would
    /// be, and for its earliest frame.
    pub(super) fn probe(&mut self, reactor: &mut Reactor) -> Result<(), ClientError> {
        let mut built = Metadata::new();
        let mut tags = Vec::new();
        let mut has = [false; 2];
        while tags.len() < PROBE_TAGS_MAX {
            let tag = match self.read()? {
                Next::Tag(tag) if self.loops && is_end_of_sequence(&tag) => continue,
                Next::Tag(tag) => tag,
                Next::Wait if reactor.stopper().is_stopped() => return Err(ClientError::Stopped),
                Next::Wait => {
                    reactor.sleep(None).map_err(ClientError::System)?;
                    continue;
                }
                Next::End => {
                    self.has_ended = true;
                    break;
                }
            };
            let is_header = tag.is_sequence_header();
            match tag.kind {
                TagKind::Script if self.introduction.metadata.is_none() => {
                    self.introduction.learn(&tag);
                }
                TagKind::Script => {}
                TagKind::Audio => has[0] |= !is_header,
                TagKind::Video => has[1] |= !is_header,
            }
            built.observe(tag.kind, &tag.body);
            tags.push(tag);
            if has == self.promised_tracks() {
                break;
            }
        }
        if has == [false; 2] && self.has_ended {
            return Err(ClientError::Input(InputError::Empty {
                name: self.input.name().to_owned(),
            }));
        }
        if has != [false; 2] {
            let metadata = &mut self.introduction.metadata;
            metadata.get_or_insert_with(|| built.to_body());
        }
        if let Some(earliest) = tags
            .iter()
            .filter(|tag| is_frame(tag))
            .map(|tag| tag.dts)
            .min()
        {
            self.clock.start_at(earliest);
        }
        for tag in tags {
            self.ahead.push_back((self.clock.place(&tag), tag));
        }
        if self.has_ended && self.loops {
            // It is so short that it was read whole.
            self.has_ended = !self.start_over()?;
        }
        Ok(())
    }

    /// Audio and video, as far as the input says; both unless it does.
    fn promised_tracks(&self) -> [bool; 2] {
        if self.input.is_live() {
            return [false, true];
        }
        let metadata = self.introduction.metadata.as_deref();
        match metadata.and_then(Metadata::parse) {
            Some(told) if told.audio_codec.is_some() || told.video_codec.is_some() => {
                [told.audio_codec.is_some(), told.video_codec.is_some()]
            }
            _ => [true; 2],
        }
    }

    /// What a new connection must be told first.
    pub(super) fn introduction(&mut self) -> &mut Introduction {
        &mut self.introduction
    }

    /// Puts the sequence headers that were read ahead into the introduction, for who sends them
    /// when the input does not.
    pub(super) fn look_ahead(&mut self) {
        for (_, tag) in self
            .ahead
            .iter()
            .filter(|(_, tag)| tag.is_sequence_header())
        {
            self.introduction.learn(tag);
        }
    }

    /// Whether what cannot be sent in time is to be dropped; otherwise the input waits.
    pub(super) fn is_unstoppable(&self) -> bool {
        self.is_unstoppable
    }

    /// Whether nothing will come any more.
    pub(super) fn is_exhausted(&self) -> bool {
        self.has_ended && self.ahead.is_empty()
    }

    /// Something about the input that a person should know now, in one line.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        self.input.take_notice()
    }

    /// What a person should know of the way in which the input ended, if it has.
    pub(super) fn ending(&self) -> Option<String> {
        self.has_ended.then(|| self.input.ending()).flatten()
    }

    /// The next tag, if one is there.
    pub(super) fn peek(&mut self) -> Result<Option<&(i64, Tag)>, ClientError> {
        self.fill()?;
        Ok(self.ahead.front())
    }

    /// When the next tag is to be sent; `None` if none is there.
    pub(super) fn due(&mut self, now: Instant) -> Result<Option<Instant>, ClientError> {
        self.fill()?;
        let next = self.ahead.front();
        Ok(next.map(|(dts, tag)| match is_frame(tag) {
            true => self.pacer.due(*dts, now),
            // What is no frame rides with the next one, whatever time it is stamped with.
            false => now,
        }))
    }

    /// Takes the next tag.
    pub(super) fn pop(&mut self) -> Option<(i64, Tag)> {
        self.ahead.pop_front()
    }

    /// A connection begins: a file goes on where it was, as if no time had passed.
    pub(super) fn resume(&mut self) {
        if !self.is_unstoppable {
            self.pacer.release();
        }
    }

    /// There is no connection: drops what an unstoppable input has given meanwhile. The answer is
    /// how many frames that were, and when the next one is due if that is known.
    pub(super) fn discard_due(&mut self) -> Result<(u64, Option<Instant>), ClientError> {
        let mut dropped = 0;
        while self.is_unstoppable {
            let now = Instant::now();
            match self.due(now)? {
                Some(due) if due <= now => {}
                due => return Ok((dropped, due)),
            }
            if let Some((_, tag)) = self.pop() {
                dropped += u64::from(is_frame(&tag));
                self.introduction.learn(&tag);
            }
        }
        Ok((dropped, None))
    }

    fn read(&mut self) -> Result<Next, InputError> {
        let mut next = self.input.next()?;
        if let Next::Tag(tag) = &mut next
            && tag.kind == TagKind::Script
            // A cue point has a duration as well, and keeps it.
            && Metadata::parse(&tag.body).is_some()
            && let Some(body) = live_metadata(&tag.body)
        {
            tag.body = body;
        }
        Ok(next)
    }

    /// Reads one tag if none is there.
    fn fill(&mut self) -> Result<(), ClientError> {
        while self.ahead.is_empty() && !self.has_ended {
            match self.read()? {
                // The end of the sequence is not the end of the stream then.
                Next::Tag(tag) if self.loops && is_end_of_sequence(&tag) => {}
                Next::Tag(tag) => self.ahead.push_back((self.clock.place(&tag), tag)),
                Next::Wait => return Ok(()),
                Next::End => self.has_ended = !(self.loops && self.start_over()?),
            }
        }
        Ok(())
    }

    fn start_over(&mut self) -> Result<bool, ClientError> {
        let is_possible = self.input.rewind()?;
        if is_possible {
            self.clock.start_over();
        }
        Ok(is_possible)
    }
}

/// Sound or picture, as opposed to what is said about them.
fn is_frame(tag: &Tag) -> bool {
    tag.kind != TagKind::Script && !tag.is_sequence_header()
}

fn is_end_of_sequence(tag: &Tag) -> bool {
    tag.kind == TagKind::Video
        && VideoHeader::parse(&tag.body)
            .is_ok_and(|header| header.packet == VideoPacket::EndOfSequence)
}

/// Metadata without what is true of a file only, if there is such a thing in them. A live stream
/// has no end that is known: rtmpdump takes one that stops before its `duration` for cut off.
fn live_metadata(body: &[u8]) -> Option<Vec<u8>> {
    let mut object = metadata_object(body, &Limits::default())?;
    let before = object.len();
    for key in [
        "duration",
        "filesize",
        "datasize",
        "videosize",
        "audiosize",
        "lasttimestamp",
        "lastkeyframetimestamp",
        "lastkeyframelocation",
        "keyframes",
        "hasKeyframes",
        "canSeekToEnd",
    ] {
        object.remove(key);
    }
    (object.len() < before).then(|| encode_metadata(&object))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::amf::Object;
    use crate::media::flv::{avc_end_of_sequence, avc_frame, put_file_header, put_tag};

    fn flv(tags: &[Tag]) -> &'static [u8] {
        let mut out = Vec::new();
        put_file_header(&mut out, true, true);
        for tag in tags {
            put_tag(&mut out, tag).unwrap();
        }
        out.leak()
    }

    fn sample() -> &'static [u8] {
        flv(&[
            Tag::video(0, vec![0x17, 0, 0, 0, 0, 1]),
            Tag::audio(0, vec![0xAF, 0, 0x12, 0x10]),
            Tag::video(1040, avc_frame(true, 0, &[0, 0, 0, 1, 0x65])),
            Tag::audio(1000, vec![0xAF, 1, 0x21]),
            Tag::video(1080, avc_frame(false, 0, &[0, 0, 0, 1, 0x41])),
            Tag::video(1080, avc_end_of_sequence()),
        ])
    }

    fn feed(bytes: &'static [u8], options: PushOptions) -> Feed {
        let mut feed = Feed::new(Input::bytes("test", bytes), options);
        feed.probe(&mut Reactor::new().unwrap()).unwrap();
        feed
    }

    fn take(feed: &mut Feed, count: usize) -> Vec<(TagKind, i64)> {
        let mut taken = Vec::new();
        while taken.len() < count && feed.peek().unwrap().is_some() {
            let (dts, tag) = feed.pop().unwrap();
            taken.push((tag.kind, dts));
        }
        taken
    }

    #[test]
    fn what_is_true_of_a_file_only_is_not_sent() {
        let object = Object::new()
            .with("duration", 4.0)
            .with("width", 320.0)
            .with("filesize", 9.0);
        let body = live_metadata(&encode_metadata(&object)).unwrap();
        let object = metadata_object(&body, &Limits::default()).unwrap();
        assert_eq!(object.properties, [("width".to_owned(), 320.0.into())]);
        assert_eq!(live_metadata(&body), None);
        assert_eq!(live_metadata(b"no metadata"), None);
    }

    #[test]
    fn data_that_are_no_metadata_keep_their_name_and_fields() {
        let object = Object::new().with("name", "ad").with("duration", 4.0);
        let mut cue_point = Vec::new();
        crate::amf::amf0::encode_string("onCuePoint", &mut cue_point);
        crate::amf::amf0::encode_ecma_array(&object, &mut cue_point);
        let tags = [
            Tag::script(0, cue_point.clone()),
            Tag::video(0, avc_frame(true, 0, &[0, 0, 0, 1, 0x65])),
        ];
        let mut feed = feed(flv(&tags), PushOptions::default());
        assert_eq!(feed.pop().unwrap().1.body, cue_point);
    }

    #[test]
    fn the_earliest_frame_is_at_0_and_metadata_are_built() {
        use TagKind::{Audio, Video};
        let mut feed = feed(sample(), PushOptions::default());
        let body = feed.introduction().metadata.clone().unwrap();
        let metadata = Metadata::parse(&body).unwrap();
        assert!(metadata.video_codec.is_some() && metadata.audio_codec.is_some());
        let expected = [
            (Video, 0),
            (Audio, 0),
            (Video, 40),
            (Audio, 0),
            (Video, 80),
            (Video, 80),
        ];
        assert_eq!(take(&mut feed, 99), expected);
        assert!(feed.is_exhausted());
        assert_eq!(feed.ending(), None);
    }

    #[test]
    fn headers_stamped_with_0_do_not_hold_back_the_first_frame() {
        let options = PushOptions {
            keeps_timestamps: true,
            ..PushOptions::default()
        };
        let mut feed = feed(sample(), options);
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(feed.due(now).unwrap(), Some(now));
            feed.pop();
        }
        // Sound from before the first picture sent, then the second picture.
        assert_eq!(feed.due(now).unwrap(), Some(now));
        feed.pop();
        let second = now + std::time::Duration::from_millis(40);
        assert_eq!(feed.due(now).unwrap(), Some(second));
    }

    #[test]
    fn a_loop_has_no_end_of_sequence_and_no_seam() {
        let options = PushOptions {
            loops: true,
            ..PushOptions::default()
        };
        let mut feed = feed(sample(), options);
        let frames = take(&mut feed, 15);
        let video = frames.iter().filter(|(kind, _)| *kind == TagKind::Video);
        // Each round opens with its sequence header.
        let times: Vec<i64> = video.map(|(_, dts)| *dts).collect();
        assert_eq!(times.len(), 9);
        assert_eq!([times[1], times[2]], [40, 80]);
        assert_eq!([times[4], times[5]], [120, 160]);
        assert_eq!([times[7], times[8]], [200, 240]);
    }

    #[test]
    fn an_input_that_fits_into_the_probe_loops_too() {
        let options = PushOptions {
            loops: true,
            ..PushOptions::default()
        };
        let tags = [0, 40].map(|dts| Tag::video(dts, avc_frame(true, 0, &[0, 0, 0, 1, 0x65])));
        let mut feed = feed(flv(&tags), options);
        let times: Vec<i64> = take(&mut feed, 6).into_iter().map(|(_, dts)| dts).collect();
        assert_eq!(times, [0, 40, 80, 120, 160, 200]);
    }

    #[test]
    fn nothing_to_push_is_an_error() {
        let bytes = flv(&[Tag::audio(0, vec![0xAF, 0, 0x12, 0x10])]);
        let mut feed = Feed::new(Input::bytes("test", bytes), PushOptions::default());
        let error = feed.probe(&mut Reactor::new().unwrap()).unwrap_err();
        assert!(matches!(
            error,
            ClientError::Input(InputError::Empty { .. })
        ));
    }

    #[test]
    fn what_is_known_is_not_told_again() {
        let mut introduction = Introduction::default();
        let header = Tag::video(0, vec![0x17, 0, 0, 0, 0, 1]);
        assert!(introduction.learn(&header));
        assert!(!introduction.learn(&header));
        assert!(introduction.learn(&Tag::video(9, vec![0x17, 0, 0, 0, 0, 2])));
        let frame = Tag::audio(0, vec![0xAF, 1, 0x21]);
        assert!(introduction.learn(&frame) && introduction.learn(&frame));
    }

    #[test]
    fn a_file_waits_for_a_connection() {
        let mut feed = feed(sample(), PushOptions::default());
        assert_eq!(feed.discard_due().unwrap(), (0, None));
        assert_eq!(take(&mut feed, 99).len(), 6);
    }
}
