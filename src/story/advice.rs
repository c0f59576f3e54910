//! What to do about it.

use super::course::{Login, Refused};
use super::media::Caution;
use super::narrator::Role;
use crate::rtmp::handshake::Guess;

/// The other side speaks something else.
pub(super) fn foreign(role: Role, guess: Guess) -> &'static str {
    match (role, guess) {
        (Role::Server, Guess::Http) => {
            "a browser or an HTTP client came to the RTMP port: give it the port for HTTP, or an \
             rtmp:// URL"
        }
        (Role::Server, Guess::Tls) => {
            "its URL begins with rtmps:// or https://, and this port is not encrypted: use rtmp://"
        }
        (Role::Client, Guess::Http) => {
            "that port is one of HTTP: look for the RTMP port, mostly 1935"
        }
        (Role::Client, Guess::Tls) => {
            "that port is encrypted (RTMPS or HTTPS), rtmp:// is not: look for the plain RTMP \
             port, mostly 1935"
        }
        (_, Guess::Rtsp) => {
            "RTSP is another protocol, of the cameras themselves: use the RTMP port, mostly 1935"
        }
        (_, Guess::Rtmpe) => "encrypted RTMP (RTMPE) is not supported: use rtmp://",
        (_, Guess::ProxyHeader) => {
            "a load balancer in front puts a PROXY header before the connection: switch that off \
             for this port"
        }
        (Role::Server, Guess::Unknown(_)) => {
            "something else than RTMP came to this port: check what it is and its port"
        }
        (Role::Client, Guess::Unknown(_)) => {
            "something else than RTMP answers there: check the port, mostly 1935"
        }
    }
}

/// Not a byte came.
pub(super) fn silent(role: Role) -> &'static str {
    match role {
        Role::Server => {
            "a port scan or a health check looks like this; a camera that does it waits for \
             another protocol"
        }
        Role::Client => {
            "something listens there and does not speak RTMP, or a firewall lets the connection \
             through and no bytes: check port and firewall"
        }
    }
}

/// The handshake stopped half-way.
pub(super) fn half_shaken(role: Role) -> &'static str {
    match role {
        Role::Server => {
            "it gave up in the middle, or its bytes do not arrive whole: check the network (MTU, \
             VPN) and whether it wants RTMPE or RTMPS"
        }
        Role::Client => {
            "the server gave up in the middle, or its bytes do not arrive whole: check the network \
             (MTU, VPN) and whether it wants another handshake"
        }
    }
}

/// A refusal.
pub(super) fn refused(role: Role, refused: &Refused) -> &'static str {
    match refused.login {
        Some(Login::Wanted) => {
            return "it wants a user name and a password: put them into the URL, as in \
                    rtmp://USER:PASSWORD@HOST/APP/KEY";
        }
        Some(Login::Refused) => return "check user name and password in the URL",
        Some(Login::Unknown) => {
            return "it wants a way to log in that is not supported: try another user";
        }
        None => {}
    }
    match (refused.code.as_str(), role) {
        ("NetStream.Publish.BadName", Role::Server) => {
            "another publisher has this name: stop that one, give this one another key, or allow \
             it with `takeover`"
        }
        ("NetStream.Publish.BadName", Role::Client) => {
            "another publisher has this name, or the name is not allowed: stop that one, or take \
             another key"
        }
        (
            "NetStream.Publish.Denied" | "NetStream.Publish.Rejected" | "NetStream.Publish.BadAuth",
            _,
        ) => "check the stream key, and the token behind it",
        ("NetStream.Play.StreamNotFound" | "NetStream.Play.Failed", _) => {
            "nobody publishes it: check app and key letter by letter (capitals count), and \
             whether its camera is connected"
        }
        ("NetConnection.Connect.InvalidApp", _) => {
            "there is no such app: check the part of the URL right behind the host"
        }
        _ => "check app and key in the URL",
    }
}

/// `connect` did not come, or nothing behind it.
pub(super) fn nothing_asked(role: Role) -> &'static str {
    match role {
        Role::Server => {
            "it connects and asks for no stream: look at its own log; many cameras do that to test \
             an address"
        }
        Role::Client => "it was ended before anything was asked for",
    }
}

/// No answer.
pub(super) fn unanswered(role: Role) -> &'static str {
    match role {
        Role::Server => "it left before it was answered",
        Role::Client => {
            "servers that know neither app nor key often just close: check both; or it is \
             overloaded"
        }
    }
}

/// Accepted, and nothing came.
pub(super) fn no_media(role: Role, is_play: bool) -> &'static str {
    match (role, is_play) {
        (Role::Server, false) => {
            "it was accepted and sends nothing: its encoder does not run, or its upload is blocked"
        }
        (Role::Server, true) => "nothing was sent to it: its publisher sends nothing",
        (Role::Client, false) => "nothing was sent",
        (Role::Client, true) => {
            "the server accepts the play and has nothing to send: nobody publishes this stream, or \
             its publisher stalls"
        }
    }
}

/// Pictures without a keyframe.
pub(super) const NO_KEYFRAME: &str = "no player can begin without a keyframe: set a keyframe interval (GOP) of 2 to 4 s in the camera";

/// No picture.
pub(super) const SOUND_ONLY: &str =
    "if there should be a picture, look at the camera's video settings for this stream";

/// Frames before their sequence header.
pub(super) const NO_HEADER: &str =
    "players need the sequence header first; servers that do not make one of their own stay dark";

/// The chunk layer is out of step.
pub(super) fn broken(role: Role) -> &'static str {
    match role {
        Role::Server => {
            "bytes were lost, or its firmware writes chunks wrongly: update it, and try another \
             chunk size if it has that setting"
        }
        Role::Client => {
            "the server writes chunks wrongly, or this is not RTMP behind the handshake"
        }
    }
}

/// The connection broke.
pub(super) const LOST: &str =
    "look at the network: reception, cable, power, and routers that drop idle connections";

/// What not every player reads.
pub(super) fn caution(caution: Caution) -> &'static str {
    match caution {
        Caution::HevcCodecId12 => {
            "HEVC as codec id 12 is no standard: ffmpeg below 6.1 and most players do not show it; \
             H.264 plays everywhere"
        }
        Caution::Enhanced => {
            "this codec needs Enhanced RTMP (ffmpeg 6.1, OBS 30 or later); H.264 plays everywhere"
        }
        Caution::Sound => "not every player has this sound; AAC plays everywhere",
        Caution::Unknown => {
            "no player that we know of has this codec; H.264 and AAC play everywhere"
        }
    }
}
