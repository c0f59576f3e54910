//! Authentication of a client inside `connect`, as Adobe's access manager (`authmod=adobe`) and
//! Limelight (`authmod=llnw`) ask for it; there is no specification. Pure functions: random
//! numbers are arguments.
//!
//! ```text
//! client                                server refuses `connect`, its description says
//! app                              ──►  code=403 need auth; authmod=adobe          Demand::Name
//! app?authmod=adobe&user=U         ──►  authmod=adobe ?reason=needauth&salt=S&..   Demand::Proof
//! app?authmod=adobe&user=U&
//!     challenge=C2&response=R      ──►  accepted, or ?reason=authfailed, nosuchuser
//! ```
//! Each line is a connection of its own. The same query goes behind the app and behind tcUrl.
//! Values are raw: Base64 with its `+` and `=`.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What would end or change a value of the query. The rest of a user's name goes as it is, which
/// is how other clients send it.
const IN_VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'&').add(b'?');

/// The instance that is part of the path in Limelight's digest when the app names none.
const DEFAULT_INSTANCE: &str = "/_definst_";

/// Which scheme a server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Salted MD5, Base64.
    Adobe,
    /// HTTP digest authentication (RFC 2617) in other clothes.
    Llnw,
}

impl fmt::Display for AuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adobe => "adobe",
            Self::Llnw => "llnw",
        })
    }
}

/// What a server wants that refused a `connect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand<'a> {
    /// The user's name: answer with [`name_query`].
    Name(AuthMode),
    /// Knowledge of the password: answer with [`Challenge::answer`].
    Proof(Challenge<'a>),
    /// Nothing: it has read name or answer, and does not accept them, for this reason
    /// (`authfailed`, `nosuchuser`, ...).
    Refused(&'a str),
    /// An `authmod` that is not known here, or a challenge without its fields.
    Unknown,
}

impl<'a> Demand<'a> {
    /// Reads the description of a refusal; `None` if it is about something else. Servers put
    /// different words and brackets around the fields.
    pub fn parse(description: &'a str) -> Option<Self> {
        let (_, mode) = description.split_once("authmod=")?;
        let mode = match word(mode) {
            "adobe" => AuthMode::Adobe,
            "llnw" => AuthMode::Llnw,
            _ => return Some(Self::Unknown),
        };
        let Some((_, fields)) = description.split_once("?reason=") else {
            return Some(Self::Name(mode));
        };
        let fields = fields.split_whitespace().next().unwrap_or_default();
        let (reason, fields) = fields.split_once('&').unwrap_or((fields, ""));
        if reason != "needauth" {
            return Some(Self::Refused(reason));
        }
        let challenge = Challenge::parse(mode, fields);
        Some(challenge.map_or(Self::Unknown, Self::Proof))
    }
}

/// What a server wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge<'a> {
    mode: AuthMode,
    /// Adobe: hashed with the password.
    salt: &'a str,
    /// What makes the answer good for once: `opaque` or else `challenge`; Llnw: `nonce`.
    once: &'a str,
    /// Adobe: to be sent back.
    opaque: Option<&'a str>,
}

impl<'a> Challenge<'a> {
    fn parse(mode: AuthMode, fields: &'a str) -> Option<Self> {
        let field = |key| {
            let mut fields = fields.split('&').filter_map(|field| field.split_once('='));
            let value = fields.find_map(|(name, value)| (name == key).then_some(value));
            value.filter(|value| !value.is_empty())
        };
        let opaque = field("opaque").filter(|_| mode == AuthMode::Adobe);
        let once = match mode {
            AuthMode::Adobe => opaque.or_else(|| field("challenge"))?,
            AuthMode::Llnw => field("nonce")?,
        };
        Some(Self {
            mode,
            salt: field("salt").unwrap_or_default(),
            once,
            opaque,
        })
    }

    /// The query that shows that the password is known, with its `?`. `app` is the one of
    /// `connect`, without slashes at its ends; `random` must not repeat soon.
    pub fn answer(&self, app: &str, user: &str, password: &str, random: u32) -> String {
        let ours = format!("{random:08x}");
        let mut query = name_query(self.mode, user);
        match self.mode {
            AuthMode::Adobe => {
                let response = adobe_response(user, password, self.salt, self.once, &ours);
                query.push_str(&format!("&challenge={ours}&response={response}"));
                if let Some(opaque) = self.opaque {
                    query.push_str(&format!("&opaque={opaque}"));
                }
            }
            AuthMode::Llnw => {
                let path = app.split('?').next().unwrap_or_default();
                let instance = if path.contains('/') {
                    ""
                } else {
                    DEFAULT_INSTANCE
                };
                let identity = hex_md5(&[user, ":live:", password]);
                let target = hex_md5(&["publish:/", path, instance]);
                let response = digest_response(&identity, self.once, &ours, &target);
                query.push_str(&format!(
                    "&nonce={}&cnonce={ours}&nc={COUNT}&response={response}",
                    self.once
                ));
            }
        }
        query
    }
}

/// The query that only says who we are, with its `?`.
pub fn name_query(mode: AuthMode, user: &str) -> String {
    let user = utf8_percent_encode(user, IN_VALUE);
    format!("?authmod={mode}&user={user}")
}

fn adobe_response(user: &str, password: &str, salt: &str, once: &str, ours: &str) -> String {
    let salted = base64(&md5(&[user, salt, password]));
    base64(&md5(&[&salted, once, ours]))
}

/// How often a nonce of the server's was used.
const COUNT: &str = "00000001";

/// RFC 2617 §3.2.2.1, quality of protection "auth".
fn digest_response(identity: &str, nonce: &str, cnonce: &str, target: &str) -> String {
    hex_md5(&[
        identity, ":", nonce, ":", COUNT, ":", cnonce, ":auth:", target,
    ])
}

fn md5(parts: &[&str]) -> [u8; 16] {
    let mut context = md5::Context::new();
    for part in parts {
        context.consume(part);
    }
    context.finalize().0
}

fn hex_md5(parts: &[&str]) -> String {
    md5(parts)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// RFC 4648 §4, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            (bits << 8) | usize::from(group.get(at).copied().unwrap_or_default())
        });
        for at in 0..4 {
            let index = (bits >> (18 - 6 * at)) & 0x3F;
            let letter = ALPHABET.get(index).filter(|_| at <= group.len());
            text.push(char::from(letter.copied().unwrap_or(b'=')));
        }
    }
    text
}

/// The letters and digits at the start.
fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric());
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
