//! A score of what was measured, and what took points off it, in words.

use std::fmt;

/// Jumps and gaps cost for so long: milliseconds.
pub(super) const RECENT_MS: u64 = 300_000;

/// What the score is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    pub(super) silent_ms: u64,
    pub(super) jitter_percent: Option<u32>,
    pub(super) gop_ms: Option<u64>,
    /// Within [`RECENT_MS`].
    pub(super) jumps: u64,
    /// Within [`RECENT_MS`].
    pub(super) audio_gaps: u64,
    /// Of a stream that has had sound.
    pub(super) audio_silent_ms: Option<u64>,
    /// Of now and as usual, bits a second.
    pub(super) bitrate: Option<(u64, u64)>,
    pub(super) reconnects: u64,
}

/// How well a live stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// 100: nothing to complain of. 0: nobody can watch it.
    pub score: u8,
    /// Why it is not 100, the costliest first.
    pub reasons: Vec<Reason>,
}

/// Something that makes a live stream worse to watch; `Display` says to a person what is so and
/// what to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing comes.
    Silent {
        /// For so long, milliseconds.
        ms: u64,
    },
    /// Frames are shown at uneven distances.
    FrameRateJitter {
        /// Mean distance from the mean, percent of it.
        percent: u32,
    },
    /// Keyframes are rare.
    GopTooLong {
        /// From keyframe to keyframe, milliseconds.
        ms: u64,
    },
    /// Timestamps that had to be mended in the last minutes.
    TimestampJumps {
        /// How many.
        count: u64,
    },
    /// Far fewer bits than before.
    BitrateCollapse {
        /// Now, bits a second.
        bitrate: u64,
        /// Before, bits a second.
        usual: u64,
    },
    /// Pauses in the sound in the last minutes.
    AudioGaps {
        /// How many.
        count: u64,
    },
    /// The sound has stopped and the picture goes on.
    AudioSilent {
        /// For so long, milliseconds.
        ms: u64,
    },
    /// The publisher was lost and came back, in the last hour.
    Reconnects {
        /// How often.
        count: u64,
    },
}

impl Reason {
    /// Its name, which does not change.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "silent",
            Self::FrameRateJitter { .. } => "frame-rate-jitter",
            Self::GopTooLong { .. } => "gop-too-long",
            Self::TimestampJumps { .. } => "timestamp-jumps",
            Self::BitrateCollapse { .. } => "bitrate-collapse",
            Self::AudioGaps { .. } => "audio-gaps",
            Self::AudioSilent { .. } => "audio-silent",
            Self::Reconnects { .. } => "reconnects",
        }
    }

    /// Points that it takes off the score: 1..=100.
    pub fn cost(&self) -> u8 {
        let some = |each: u64, count: u64, max: u64| {
            let cost = each.saturating_mul(count).min(max);
            u8::try_from(cost).unwrap_or(100)
        };
        match *self {
            // A stutter, a pause that everybody sees, the end of it.
            Self::Silent { ms: ..5_000 } => 40,
            Self::Silent { ms: ..10_000 } => 70,
            Self::Silent { .. } => 100,
            Self::FrameRateJitter { percent: ..50 } => 10,
            Self::FrameRateJitter { .. } => 20,
            // Whoever joins waits that long or sees nothing; HLS cannot cut.
            Self::GopTooLong { ms: ..8_000 } => 10,
            Self::GopTooLong { ms: ..15_000 } => 20,
            Self::GopTooLong { .. } => 30,
            Self::TimestampJumps { count } => some(5, count, 30),
            Self::BitrateCollapse { .. } => 30,
            Self::AudioGaps { count } => some(5, count, 20),
            Self::AudioSilent { .. } => 20,
            Self::Reconnects { count } => some(5, count, 40),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Silent { ms } => write!(
                f,
                "nothing has come for {}: the publisher hangs, or its network does",
                seconds(ms)
            ),
            Self::FrameRateJitter { percent } => write!(
                f,
                "frames are {percent} % off an even pace on the average: \
                 the camera or encoder is overloaded, or lacks light"
            ),
            Self::GopTooLong { ms } => write!(
                f,
                "a keyframe comes only every {}: set the encoder's keyframe interval to 2 s",
                seconds(ms)
            ),
            Self::TimestampJumps { count } => write!(
                f,
                "timestamps jumped {} in five minutes: the publisher's clock is at fault",
                times(count)
            ),
            Self::BitrateCollapse { bitrate, usual } => write!(
                f,
                "{} kbit/s come where {} were usual: its network is too slow",
                bitrate / 1000,
                usual / 1000
            ),
            Self::AudioGaps { count } => {
                write!(f, "the sound paused {} in five minutes", times(count))
            }
            Self::AudioSilent { ms } => {
                write!(
                    f,
                    "the sound stopped {} ago, the picture goes on",
                    seconds(ms)
                )
            }
            Self::Reconnects { count } => write!(
                f,
                "the publisher came back {} in an hour: its network or power is unreliable",
                times(count)
            ),
        }
    }
}

impl Health {
    pub(super) fn of(signs: Signs) -> Self {
        let silent = (signs.silent_ms >= 2_000).then_some(Reason::Silent {
            ms: signs.silent_ms,
        });
        // Of a stream that is silent the sound and the bits are, too.
        let is_silent = silent.is_some();
        let jitter = signs.jitter_percent.filter(|&percent| percent >= 25);
        let gop = signs.gop_ms.filter(|&ms| ms > 4_500);
        let fallen = signs.bitrate.filter(|&(now, usual)| now < usual / 4);
        let quiet = signs.audio_silent_ms.filter(|&ms| ms >= 3_000);
        let count = |count: u64| (count > 0).then_some(count);
        let mut reasons: Vec<Reason> = [
            silent,
            jitter.map(|percent| Reason::FrameRateJitter { percent }),
            gop.map(|ms| Reason::GopTooLong { ms }),
            count(signs.jumps).map(|count| Reason::TimestampJumps { count }),
            fallen
                .filter(|_| !is_silent)
                .map(|(bitrate, usual)| Reason::BitrateCollapse { bitrate, usual }),
            count(signs.audio_gaps).map(|count| Reason::AudioGaps { count }),
            quiet
                .filter(|_| !is_silent)
                .map(|ms| Reason::AudioSilent { ms }),
            count(signs.reconnects).map(|count| Reason::Reconnects { count }),
        ]
        .into_iter()
        .flatten()
        .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.cost()));
        let score = reasons
            .iter()
            .fold(100_u8, |score, reason| score.saturating_sub(reason.cost()));
        Self { score, reasons }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[track_caller]
    fn check(signs: Signs, score: u8, ids: &[&str]) -> Health {
        let health = Health::of(signs);
        let found: Vec<&str> = health.reasons.iter().map(Reason::id).collect();
        assert_eq!((health.score, &found[..]), (score, ids));
        health
    }

    #[test]
    fn what_is_usual_costs_nothing() {
        check(
            Signs {
                silent_ms: 1_000,
                jitter_percent: Some(10),
                gop_ms: Some(4_000),
                audio_silent_ms: Some(1_000),
                bitrate: Some((1_000_000, 3_000_000)),
                ..Signs::default()
            },
            100,
            &[],
        );
    }

    #[test]
    fn each_reason_is_said_with_its_numbers() {
        let health = check(
            Signs {
                gop_ms: Some(10_040),
                jitter_percent: Some(31),
                ..Signs::default()
            },
            70,
            &["gop-too-long", "frame-rate-jitter"],
        );
        assert_eq!(
            health.reasons[0].to_string(),
            "a keyframe comes only every 10.0 s: set the encoder's keyframe interval to 2 s"
        );
        let health = check(
            Signs {
                bitrate: Some((100_000, 2_000_000)),
                reconnects: 2,
                jumps: 1,
                ..Signs::default()
            },
            55,
            &["bitrate-collapse", "reconnects", "timestamp-jumps"],
        );
        let texts: Vec<String> = health.reasons.iter().map(Reason::to_string).collect();
        assert_eq!(
            texts[0],
            "100 kbit/s come where 2000 were usual: its network is too slow"
        );
        assert!(texts[1].contains("came back twice"));
        assert!(texts[2].contains("jumped once"));
        check(
            Signs {
                audio_silent_ms: Some(3_000),
                audio_gaps: 100,
                ..Signs::default()
            },
            60,
            &["audio-gaps", "audio-silent"],
        );
    }

    #[test]
    fn silence_is_one_reason() {
        for (silent_ms, score) in [(2_000, 60), (5_000, 30), (10_000, 0), (u64::MAX, 0)] {
            check(
                Signs {
                    silent_ms,
                    audio_silent_ms: Some(silent_ms),
                    bitrate: Some((0, 1_000_000)),
                    ..Signs::default()
                },
                score,
                &["silent"],
            );
        }
    }

    #[test]
    fn the_score_stays_in_its_bounds() {
        let health = check(
            Signs {
                silent_ms: u64::MAX,
                jitter_percent: Some(1000),
                gop_ms: Some(u64::MAX),
                jumps: u64::MAX,
                audio_gaps: u64::MAX,
                reconnects: u64::MAX,
                ..Signs::default()
            },
            0,
            &[
                "silent",
                "reconnects",
                "gop-too-long",
                "timestamp-jumps",
                "frame-rate-jitter",
                "audio-gaps",
            ],
        );
        for reason in health.reasons {
            assert!((1..=100).contains(&reason.cost()));
        }
    }
}
