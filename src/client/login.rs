//! The login at a server that asks for user and password: what it wants, step by step, each over
//! a connection of its own.

use super::ClientError;
use super::manner::Change;
use crate::rtmp::authentication::{Demand, name_query};
use crate::rtmp::session::Rejection;
use crate::rtmp::url::RtmpUrl;

/// How far the login for one connection has come.
#[derive(Debug)]
pub(super) struct Login<'a> {
    url: &'a RtmpUrl,
    /// What `connect` says this time.
    query: String,
    has_named: bool,
    has_answered: bool,
}

impl<'a> Login<'a> {
    /// Nothing is said before the server asks.
    pub(super) fn new(url: &'a RtmpUrl) -> Self {
        Self {
            url,
            query: String::new(),
            has_named: false,
            has_answered: false,
        }
    }

    /// What goes behind app and tcUrl.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Whether the server has asked for it.
    pub(super) fn has_begun(&self) -> bool {
        self.has_named || self.has_answered
    }

    /// The next step after this error; the error itself, or a better one, if there is none.
    /// `random`: see [`crate::rtmp::authentication::Challenge::answer`].
    pub(super) fn step(&mut self, error: ClientError, random: u32) -> Result<Change, ClientError> {
        let ClientError::Rejected(rejection) = error else {
            return Err(error);
        };
        let Some(demand) = rejection.demand() else {
            return Err(ClientError::Rejected(rejection));
        };
        let (Some(user), Some(password)) = (&self.url.user, &self.url.password) else {
            return Err(ClientError::Rejected(rejection));
        };
        match demand {
            Demand::Name(mode) if !self.has_begun() => {
                self.has_named = true;
                self.query = name_query(mode, user);
                Ok(Change {
                    why: "asks for a user",
                    how: "with the user name",
                })
            }
            Demand::Proof(challenge) if !self.has_answered => {
                self.has_answered = true;
                self.query = challenge.answer(&self.url.app, user, password, random);
                Ok(Change {
                    why: "asks for a proof of the password",
                    how: "with the answer to its challenge",
                })
            }
            Demand::Unknown => Err(ClientError::Rejected(rejection)),
            Demand::Name(_) | Demand::Proof(_) | Demand::Refused(_) => Err(self.refused(rejection)),
        }
    }

    fn refused(&self, rejection: Rejection) -> ClientError {
        let user = self.url.user.clone().unwrap_or_default();
        ClientError::LoginRefused { user, rejection }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::rtmp::session::Stage;

    const NAME: &str = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] :";
    const PROOF: &str = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=u\
                         &salt=s&challenge=c";
    const FAILED: &str = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed";

    /// The queries, and the last line, when the server says all of this.
    #[track_caller]
    fn check(url: &str, said: &[&str], queries: &[&str], error: Option<&str>) {
        let url = RtmpUrl::parse(url).unwrap();
        let mut login = Login::new(&url);
        let mut sent = Vec::new();
        for description in said {
            let rejection = Rejection {
                stage: Stage::Connect,
                code: String::new(),
                description: (*description).to_owned(),
            };
            match login.step(ClientError::Rejected(rejection), 1) {
                Ok(_) => sent.push(login.query().to_owned()),
                Err(found) => {
                    let found = found.to_string();
                    assert!(!found.contains("secret"), "{found}");
                    assert!(found.contains(error.unwrap()), "{found}");
                    assert_eq!(sent, queries);
                    return;
                }
            }
        }
        assert_eq!(sent, queries);
        assert_eq!(error, None);
    }

    #[test]
    fn each_step_is_taken_once() {
        let url = "rtmp://u:secret@h/live/cam";
        let name = "?authmod=adobe&user=u";
        let answer = "?authmod=adobe&user=u&challenge=00000001&response=ALOtzGdoVrhn1QdsJHyZrA==";
        let refused = "user \"u\"";
        check(url, &[NAME, PROOF], &[name, answer], None);
        // Some ask for the proof at once.
        check(url, &[PROOF], &[answer], None);
        check(url, &[NAME, PROOF, FAILED], &[name, answer], Some(refused));
        check(url, &[NAME, PROOF, PROOF], &[name, answer], Some(refused));
        check(url, &[NAME, PROOF, NAME], &[name, answer], Some(refused));
        check(url, &[NAME, NAME], &[name], Some(refused));
        check(url, &[NAME, FAILED], &[name], Some(refused));
        check(url, &[NAME, "full"], &[name], Some("(full): check app"));
        check(
            url,
            &["authmod=x"],
            &[],
            Some("a way to log in that is not"),
        );
    }

    #[test]
    fn without_user_and_password_there_is_no_login() {
        for url in ["rtmp://h/live/cam", "rtmp://u@h/live/cam"] {
            check(url, &[NAME], &[], Some("rtmp://USER:PASSWORD@HOST/APP/KEY"));
        }
    }

    #[test]
    fn other_errors_stay_what_they_are() {
        let url = RtmpUrl::parse("rtmp://u:p@h/live/cam").unwrap();
        let mut login = Login::new(&url);
        let error = login.step(ClientError::Closed, 1).unwrap_err();
        assert!(matches!(error, ClientError::Closed));
    }
}
