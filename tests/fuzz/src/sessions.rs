//! Both sessions against any bytes behind a handshake.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream::amf;
use millstream::rtmp::MediaKind;
use millstream::rtmp::chunk::{ChunkDecoder, ChunkLimits, Message, Payload};
use millstream::rtmp::message::MessageType;
use millstream::rtmp::message::control::Control;
use millstream::rtmp::session::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, ClientState, Refusal, ServerConfig,
    ServerEvent, ServerSession, SessionError, SessionLimits,
};

use super::pieces::pieces;

/// Zeros are a good handshake block for either side.
const BLOCKS: [u8; 2 * 1536] = [0; 2 * 1536];

/// What a few bytes may make us answer at most, per byte received: the reply to a short
/// `createStream` or `_checkbw` is the worst.
const AMPLIFICATION_MAX: usize = 32;

/// Replies to a whole conversation that do not depend on how much was received.
const ANSWER_BYTES_MAX: usize = 8192;

/// Pieces from a seed below this are at most 12 bytes long, and a command with an empty name is
/// longer: string, number and null take 3, 9 and 1 bytes.
const COMMAND_BYTES_MIN_TIMES_8: u8 = 96;

fn limits() -> SessionLimits {
    SessionLimits {
        chunk: ChunkLimits {
            message_size_max: 8192,
            chunk_streams_max: 8,
            partial_bytes_max: 16_384,
        },
        amf: amf::Limits::default(),
        message_streams_max: 4,
        ..SessionLimits::default()
    }
}

/// First byte: which requests are accepted, and whether the handshake is part of the input;
/// second: where to cut.
pub fn server_session(data: &[u8]) {
    let [mode, cut, input @ ..] = data else {
        return;
    };
    let hello = hello(*mode);
    let now = Instant::now();
    // Requests wait for the caller, who sees them later when more input comes at once, so how
    // the input is cut may change what happens: a `pause` right behind a `play` finds it accepted
    // or not. Pieces in which two commands cannot end must not change anything.
    let bytewise = serve(*mode, now, hello.clone().chain(input.chunks(1)));
    let split = pieces(input, cut % COMMAND_BYTES_MIN_TIMES_8);
    let split = serve(*mode, now, hello.clone().chain(split));
    compare(&bytewise, &split);
    let whole = serve(*mode, now, hello.clone().chain(std::iter::once(input)));
    assert!(whole.sent.len() <= ANSWER_BYTES_MAX + AMPLIFICATION_MAX * input.len());
}

/// First byte: publish or play, and whether the handshake is part of the input; second: where to
/// cut.
pub fn client_session(data: &[u8]) {
    let [mode, cut, input @ ..] = data else {
        return;
    };
    let hello = hello(*mode);
    let now = Instant::now();
    let whole = connect(*mode, now, hello.clone().chain(std::iter::once(input)));
    let split = connect(*mode, now, hello.clone().chain(pieces(input, *cut)));
    compare(&whole, &split);
    assert!(whole.sent.len() <= ANSWER_BYTES_MAX + AMPLIFICATION_MAX * input.len());
}

/// What comes before the input: a handshake, in one piece, which a fuzzer would otherwise have to
/// carry along in every input; or nothing, and the input is to bring its own.
fn hello(mode: u8) -> std::option::IntoIter<&'static [u8]> {
    const HELLO: &[u8] = &{
        let mut hello = [0; 1 + BLOCKS.len()];
        hello[0] = 3;
        hello
    };
    (mode & 0x80 == 0).then_some(HELLO).into_iter()
}

#[derive(Debug, Default)]
struct Outcome {
    /// Each event in words, with its payload.
    events: Vec<String>,
    sent: Vec<u8>,
    error: Option<SessionError>,
}

fn compare(whole: &Outcome, split: &Outcome) {
    assert_eq!(whole.error, split.error, "depends on how the input is cut");
    if whole.error.is_none() {
        assert_eq!(
            whole.events, split.events,
            "depends on how the input is cut"
        );
        assert_eq!(
            replies(&whole.sent),
            replies(&split.sent),
            "depends on how the input is cut"
        );
    }
}

/// What was sent, without what the session answers by itself and at once, maybe in front of the
/// caller's answer to a request that came in the same piece.
fn replies(sent: &[u8]) -> Vec<Message> {
    let mut rest = sent.get(1 + BLOCKS.len()..).unwrap_or_default();
    let mut decoder = ChunkDecoder::new(ChunkLimits::default());
    let mut messages = Vec::new();
    while let (consumed, Some(message)) = decoder.decode(rest).expect("what was sent") {
        rest = &rest[consumed..];
        match Control::decode(message.message_type, message.payload.as_slice()) {
            Ok(Some(Control::SetChunkSize(size))) => decoder.set_chunk_size(size),
            Ok(Some(_)) => {}
            _ if message.message_type == MessageType::USER_CONTROL => {}
            _ => messages.push(message),
        }
    }
    messages
}

fn serve<'a>(mode: u8, now: Instant, input: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let config = Arc::new(ServerConfig {
        limits: limits(),
        ..ServerConfig::default()
    });
    let mut session = ServerSession::new(config, 7, now);
    let mut outcome = Outcome::default();
    for piece in input {
        let result = session.handle_input(now, piece);
        if drain_server(mode, now, &mut session, &mut outcome) {
            // Refused: the caller sends the output and closes, whatever came behind.
            return outcome;
        }
        if let Err(error) = result {
            outcome.error = Some(error);
            return outcome;
        }
    }
    let mut later = Later::new(now);
    while let Some(at) = later.next(session.poll_timeout()) {
        let result = session.handle_timeout(at);
        drain_server(mode, at, &mut session, &mut outcome);
        if result.is_err() {
            break;
        }
    }
    outcome
}

/// Answers requests and takes events and output; true when a request was refused.
fn drain_server(
    mode: u8,
    now: Instant,
    session: &mut ServerSession,
    outcome: &mut Outcome,
) -> bool {
    let mut is_refused = false;
    let refusal = Refusal {
        code: "NetStream.Failed",
        description: "refused".to_owned(),
    };
    // An answer can bring out more events, and events come before the output they caused.
    while let Some(event) = session.poll_event() {
        outcome.events.push(describe_server(&event));
        match event {
            ServerEvent::Connect(_) if mode & 1 == 0 => session.accept_connect(),
            ServerEvent::Connect(_) => {
                session.reject_connect(&refusal);
                is_refused = true;
            }
            ServerEvent::Publish { msid, .. } if mode & 2 == 0 => session.accept_publish(now, msid),
            ServerEvent::Publish { msid, .. } => {
                session.reject_publish(msid, &refusal);
                is_refused = true;
            }
            ServerEvent::Play { msid, .. } if mode & 4 == 0 => session.accept_play(now, msid),
            ServerEvent::Play { msid, .. } => {
                session.reject_play(msid, &refusal);
                is_refused = true;
            }
            _ => {}
        }
    }
    while let Some(bytes) = session.poll_output() {
        assert!(!bytes.is_empty(), "output of no bytes");
        outcome.sent.extend_from_slice(&bytes);
    }
    is_refused
}

fn describe_server(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Media { payload, .. } | ServerEvent::Data { payload, .. } => {
            assert!(!payload.is_empty(), "media of no bytes");
            describe(event, payload)
        }
        ServerEvent::Metadata(payload) => describe(event, payload),
        _ => format!("{event:?}"),
    }
}

fn describe(event: &impl std::fmt::Debug, payload: &Payload) -> String {
    format!("{event:?} {:02x?}", payload.as_slice())
}

fn connect<'a>(mode: u8, now: Instant, input: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let config = ClientConfig {
        role: match mode & 1 {
            0 => ClientRole::Play,
            _ => ClientRole::Publish,
        },
        app: "live".to_owned(),
        stream_name: "cam".to_owned(),
        tc_url: "rtmp://127.0.0.1/live".to_owned(),
        digest: None,
        chunk_size: 4096,
        limits: limits(),
    };
    let mut session = ClientSession::new(config, 7, now);
    let mut outcome = Outcome::default();
    for piece in input {
        let result = session.handle_input(now, piece);
        drain_client(&mut session, &mut outcome);
        if let Err(error) = result {
            outcome.error = Some(error);
            return outcome;
        }
    }
    drain_client(&mut session, &mut outcome);
    let before = outcome.sent.len();
    session.send_media(MediaKind::Video, 40, &[0x17, 1, 0, 0, 0]);
    session.send_metadata(b"\x02\0\x0aonMetaData\x05");
    session.send_data(40, b"\x02\0\x02cu");
    drain_client(&mut session, &mut outcome);
    let is_publishing = mode & 1 == 1 && session.state() == ClientState::Started;
    assert_eq!(
        outcome.sent.len() > before,
        is_publishing,
        "sends only while it publishes"
    );

    let mut later = Later::new(now);
    while let Some(at) = later.next(session.poll_timeout()) {
        let result = session.handle_timeout(at);
        drain_client(&mut session, &mut outcome);
        if result.is_err() {
            break;
        }
    }
    session.close(later.now);
    drain_client(&mut session, &mut outcome);
    assert!(matches!(
        session.state(),
        ClientState::Closing | ClientState::Closed
    ));
    outcome
}

fn drain_client(session: &mut ClientSession, outcome: &mut Outcome) {
    while let Some(event) = session.poll_event() {
        outcome.events.push(match &event {
            ClientEvent::Media { payload, .. } | ClientEvent::Data { payload, .. } => {
                assert!(!payload.is_empty(), "media of no bytes");
                describe(&event, payload)
            }
            ClientEvent::Metadata(payload) => describe(&event, payload),
            _ => format!("{event:?}"),
        });
    }
    while let Some(bytes) = session.poll_output() {
        assert!(!bytes.is_empty(), "output of no bytes");
        outcome.sent.extend_from_slice(&bytes);
    }
}

/// A clock that jumps from timeout to timeout and notices when they stop advancing.
struct Later {
    now: Instant,
    turns: u32,
}

impl Later {
    fn new(now: Instant) -> Self {
        Self { now, turns: 0 }
    }

    /// The moment of the next timeout. Ends after some turns: a ping may repeat for ever.
    fn next(&mut self, timeout: Option<Instant>) -> Option<Instant> {
        let timeout = timeout?;
        self.turns += 1;
        assert!(
            timeout > self.now || self.turns < 20,
            "a timeout that was handled is still due"
        );
        self.now = self.now.max(timeout) + Duration::from_millis(1);
        (self.turns < 40).then_some(self.now)
    }
}
