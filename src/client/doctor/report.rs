//! What a doctor found. In JSON the keys are the names of the fields; they are stable.

use serde::Serialize;

/// What a doctor found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DoctorReport {
    /// What was asked for, without a password.
    pub url: String,
    /// Whether nothing failed.
    pub is_fine: bool,
    /// What was looked at, in order.
    pub checks: Vec<Check>,
    /// The conversations, in order.
    pub conversations: Vec<Conversation>,
    /// All of it in one line, with what to do.
    pub verdict: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should.
    Fine,
    /// It was not looked at, and why is said.
    Skipped,
    /// It works, and there is something to say.
    Odd,
    /// It does not work.
    Failed,
}

impl Health {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Skipped => "-",
            Self::Odd => "odd",
            Self::Failed => "FAILED",
        }
    }
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `name`, `tcp`, `port`, `login`, `play`, `stream`, `manner`, `publish`.
    pub name: &'static str,
    /// How it went.
    pub health: Health,
    /// What there is to say, with what to do if it did not work.
    pub text: String,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conversation {
    /// What it was for: `play`, `publish`, or how else the server was addressed.
    pub purpose: String,
    /// What was said.
    pub lines: Vec<StoryLine>,
    /// What to make of it.
    pub verdict: String,
    /// Whether nothing in it failed.
    pub is_fine: bool,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoryLine {
    /// Since the connection stood, milliseconds.
    pub ms: f64,
    /// Who said what.
    pub text: String,
}
