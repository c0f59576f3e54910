//! What the server's replies mean to a simulated camera.

use super::link::Reply;
use crate::client::ClientError;
use crate::rtmp::message::command::Command;
use crate::rtmp::session::{Rejection, Stage};

/// The message stream that servers give first.
pub(super) const FIRST_MSID: u32 = 1;

pub(super) fn is_publish_start(reply: &Reply) -> bool {
    let info = reply.command.info();
    info.is_some_and(|info| info.code == "NetStream.Publish.Start")
}

/// An error when this is the server's no.
pub(super) fn refusal(reply: &Reply, stage: Stage) -> Result<(), ClientError> {
    let command = &reply.command;
    let info = command.info();
    let is_no = match command.name.as_str() {
        // Servers refuse calls that they do not know; those that matter are waited for by id.
        Command::ERROR => stage != Stage::Publish,
        Command::ON_STATUS => info.as_ref().is_some_and(|info| info.is_error()),
        _ => false,
    };
    if !is_no {
        return Ok(());
    }
    let (code, description) = info.map_or_else(Default::default, |info| {
        (info.code.to_owned(), info.description.to_owned())
    });
    Err(ClientError::Rejected(Rejection {
        stage,
        code,
        description,
    }))
}

/// An error when `code` stands in front of `level`, which Wirecast does not read.
pub(super) fn check_order(is_strict: bool, reply: &Reply) -> Result<(), ClientError> {
    let Some(info) = reply.command.info().filter(|_| is_strict) else {
        return Ok(());
    };
    let place = |key| info.object.iter().position(|(name, _)| name == key);
    match (place("level"), place("code")) {
        (Some(level), Some(code)) if level < code => Ok(()),
        _ => Err(ClientError::CodeBeforeLevel),
    }
}

/// Numbers of message streams are small and whole.
pub(super) fn stream_id(number: f64) -> u32 {
    (0..=u32::from(u16::MAX))
        .find(|id| f64::from(*id) >= number)
        .unwrap_or(FIRST_MSID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;
    use crate::rtmp::message::command::{Level, status_info};

    fn reply(name: &str, info: Object) -> Reply {
        let command = Command::new(name, 0.0).with_argument(info);
        Reply { msid: 1, command }
    }

    #[test]
    fn wirecast_reads_level_before_code() {
        let right = reply("onStatus", status_info(Level::Status, "a", "b"));
        assert!(check_order(true, &right).is_ok());
        let other = Object::new().with("code", "a").with("level", "status");
        let wrong = reply("onStatus", other);
        assert!(check_order(true, &wrong).is_err());
        assert!(check_order(false, &wrong).is_ok());
    }

    #[test]
    fn a_no_of_the_server_is_told_from_a_shrug() {
        let no = status_info(Level::Error, "NetStream.Publish.BadName", "taken");
        for (name, stage, is_no) in [
            ("onStatus", Stage::Publish, true),
            ("_error", Stage::Connect, true),
            // To a call that the server does not know.
            ("_error", Stage::Publish, false),
            ("_result", Stage::Publish, false),
        ] {
            let outcome = refusal(&reply(name, no.clone()), stage);
            assert_eq!(outcome.is_err(), is_no, "{name} {stage:?}");
        }
    }
}
