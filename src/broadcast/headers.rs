//! What stands at a place of a log: the latest frame of each slot.

use std::sync::Arc;

use super::{Frame, Slot, Track};

/// Frames that are kept of all tracks and slots together. A camera has three: metadata and two
/// decoder configurations; a broadcast of eight tracks has a few dozen.
const HEADERS_MAX: usize = 64;

/// Longest body that is kept for a slot other than [`Slot::MAIN`], bytes.
const SIDE_BODY_MAX: usize = 64 * 1024;

/// What a reader needs before its first frame: metadata, decoder configurations.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// At most one for each track and slot, sorted by [`order`].
    frames: Vec<Arc<Frame>>,
}

impl Headers {
    /// The frame that stands in a slot.
    pub fn get(&self, track: Track, slot: Slot) -> Option<&Arc<Frame>> {
        let index = self.find(track, slot).ok()?;
        self.frames.get(index)
    }

    /// All of them, in the order in which a reader wants them: metadata, video, audio.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Frame>> {
        self.frames.iter()
    }

    /// Whether any of them is of this track.
    pub fn has(&self, track: Track) -> bool {
        self.frames.iter().any(|frame| frame.track() == track)
    }

    /// From now on this frame stands in its slot; nothing for one that is in none. Beyond the
    /// bounds what stood stays: it goes by as every other frame, and who joins later does not get it.
    pub(super) fn put(&mut self, frame: &Arc<Frame>) {
        let Some(slot) = frame.flags().standing else {
            return;
        };
        if slot != Slot::MAIN && frame.body().len() > SIDE_BODY_MAX {
            return;
        }
        match self.find(frame.track(), slot) {
            Ok(index) => {
                if let Some(place) = self.frames.get_mut(index) {
                    *place = Arc::clone(frame);
                }
            }
            Err(index) if self.frames.len() < HEADERS_MAX => {
                self.frames.insert(index, Arc::clone(frame));
            }
            Err(_) => {}
        }
    }

    /// Forgets what stands in a slot.
    pub(super) fn remove(&mut self, track: Track, slot: Slot) {
        if let Ok(index) = self.find(track, slot) {
            self.frames.remove(index);
        }
    }

    fn find(&self, track: Track, slot: Slot) -> Result<usize, usize> {
        self.frames
            .binary_search_by_key(&order(track, slot), |frame| {
                let slot = frame.flags().standing.unwrap_or(Slot::MAIN);
                order(frame.track(), slot)
            })
    }
}

impl FromIterator<Arc<Frame>> for Headers {
    fn from_iter<T: IntoIterator<Item = Arc<Frame>>>(frames: T) -> Self {
        let mut headers = Self::default();
        for frame in frames {
            headers.put(&frame);
        }
        headers
    }
}

fn order(track: Track, slot: Slot) -> (u8, u16) {
    let rank = match track {
        Track::Data => 0,
        Track::Video => 1,
        Track::Audio => 2,
    };
    (rank, slot.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::{FrameFlags, Separator};

    fn frame(track: Track, slot: u16, len: usize) -> Arc<Frame> {
        let flags = FrameFlags {
            standing: Some(Slot(slot)),
            ..FrameFlags::default()
        };
        let separator = Separator { byte: 0, stride: 1 };
        Arc::new(Frame::new(track, 0, flags, vec![0; len], 0, &[], separator))
    }

    fn seen(headers: &Headers) -> Vec<(Track, u16, usize)> {
        let of = |frame: &Arc<Frame>| {
            let slot = frame.flags().standing.map_or(u16::MAX, |slot| slot.0);
            (frame.track(), slot, frame.body().len())
        };
        headers.iter().map(of).collect()
    }

    #[test]
    fn the_latest_of_each_slot_stands_metadata_first() {
        let mut headers = Headers::default();
        for (track, slot, len) in [
            (Track::Audio, 0, 1),
            (Track::Video, 256, 2),
            (Track::Video, 0, 3),
            (Track::Data, 0, 4),
            (Track::Video, 0, 5),
        ] {
            headers.put(&frame(track, slot, len));
        }
        let expected = [
            (Track::Data, 0, 4),
            (Track::Video, 0, 5),
            (Track::Video, 256, 2),
            (Track::Audio, 0, 1),
        ];
        assert_eq!(seen(&headers), expected);
        headers.remove(Track::Data, Slot::MAIN);
        headers.remove(Track::Data, Slot(9));
        assert_eq!(seen(&headers), expected[1..]);
        assert!(headers.has(Track::Audio) && !headers.has(Track::Data));
    }

    #[test]
    fn a_hostile_publisher_cannot_make_it_grow() {
        let mut headers = Headers::default();
        for slot in 0..1000 {
            headers.put(&frame(Track::Video, slot, 1));
        }
        assert_eq!(headers.iter().count(), HEADERS_MAX);
        headers.put(&frame(Track::Video, 1, SIDE_BODY_MAX + 1));
        assert_eq!(seen(&headers)[1].2, 1, "the old one stays");
        headers.put(&frame(Track::Video, 0, SIDE_BODY_MAX + 1));
        assert_eq!(seen(&headers)[0].2, SIDE_BODY_MAX + 1);
    }
}
