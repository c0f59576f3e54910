//! Both sessions against each other: a fake clock, seeded delays, every cut.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, ClientState, ServerConfig, ServerEvent,
    ServerSession, SessionLimits,
};
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::{ChunkEncoder, ChunkStreamId, MessageStreamId};
use crate::rtmp::handshake::{DigestLayout, HandshakeKind};
use crate::rtmp::message::MessageType;

const MILLISECOND: Duration = Duration::from_millis(1);
const METADATA: &[u8] = b"\x02\x00\x0AonMetaData\x08\x00\x00\x00\x00\x00\x00\x09";

/// One direction of a connection: bytes on their way, delivered in pieces of random size.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
}

impl Pipe {
    fn deliver(&mut self, random: &mut fastrand::Rng, piece_max: usize) -> Vec<u8> {
        let count = random.usize(0..=piece_max).min(self.bytes.len());
        self.bytes.drain(..count).collect()
    }
}

/// A client and a server session, and what each reported.
struct World {
    random: fastrand::Rng,
    piece_max: usize,
    now: Instant,
    client: ClientSession,
    server: ServerSession,
    to_server: Pipe,
    to_client: Pipe,
    client_events: Vec<ClientEvent>,
    server_events: Vec<ServerEvent>,
    /// What the server sends to a subscriber once it plays.
    media: Vec<(MediaKind, u32, Vec<u8>)>,
}

impl World {
    fn new(role: ClientRole, digest: Option<DigestLayout>, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let now = Instant::now();
        let config = ClientConfig {
            role,
            app: "live".to_owned(),
            stream_name: "cam".to_owned(),
            tc_url: "rtmp://localhost/live".to_owned(),
            digest,
            chunk_size: random.u32(128..70_000),
            limits: SessionLimits::default(),
        };
        let server_config = ServerConfig {
            chunk_size: random.u32(128..=65_536),
            ..ServerConfig::default()
        };
        Self {
            piece_max: [1, 10, 200, 5000, 100_000][random.usize(..5)],
            client: ClientSession::new(config, random.u64(..), now),
            server: ServerSession::new(server_config, random.u64(..), now),
            media: frames(&mut random),
            random,
            now,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            client_events: Vec::new(),
            server_events: Vec::new(),
        }
    }

    /// One turn of both loops.
    fn turn(&mut self) {
        self.now += MILLISECOND;
        self.to_server
            .bytes
            .extend(self.client.poll_output().unwrap_or_default());
        self.to_client
            .bytes
            .extend(self.server.poll_output().unwrap_or_default());
        let piece = self.to_server.deliver(&mut self.random, self.piece_max);
        self.server.handle_input(self.now, &piece).unwrap();
        while let Some(event) = self.server.poll_event() {
            self.answer(&event);
            self.server_events.push(event);
        }
        let piece = self.to_client.deliver(&mut self.random, self.piece_max);
        self.client.handle_input(self.now, &piece).unwrap();
        self.client_events
            .extend(std::iter::from_fn(|| self.client.poll_event()));
        self.client.handle_timeout(self.now).unwrap();
        self.server.handle_timeout(self.now).unwrap();
    }

    fn answer(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::Connect(_) => self.server.accept_connect(),
            ServerEvent::Publish { msid, .. } => self.server.accept_publish(self.now, *msid),
            ServerEvent::Play { msid, .. } => {
                self.server.accept_play(self.now, *msid);
                self.play(*msid);
            }
            _ => {}
        }
    }

    /// As the server does it: the session's bytes, then media from an encoder of its own.
    fn play(&mut self, msid: MessageStreamId) {
        let mut bytes = self.server.poll_output().unwrap();
        let mut encoder = ChunkEncoder::new();
        encoder.set_chunk_size(self.server.config().chunk_size);
        let mut put = |csid, message_type, timestamp, body: &[u8]| {
            encoder.encode(&mut bytes, csid, msid, message_type, timestamp, body);
        };
        put(ChunkStreamId::DATA, MessageType::DATA_AMF0, 0, METADATA);
        for (kind, timestamp, body) in &self.media {
            match kind {
                MediaKind::Audio => {
                    put(ChunkStreamId::AUDIO, MessageType::AUDIO, *timestamp, body);
                }
                MediaKind::Video => {
                    put(ChunkStreamId::VIDEO, MessageType::VIDEO, *timestamp, body);
                }
            }
        }
        self.to_client.bytes.extend(bytes);
    }

    #[track_caller]
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..2_000_000 {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!(
            "{what} never came: {:?} {:?}",
            self.client_events, self.server_events
        );
    }

    fn all_delivered(&self) -> bool {
        self.to_server.bytes.is_empty() && self.to_client.bytes.is_empty()
    }
}

/// Some frames of all sizes, over the wrap of the clock.
fn frames(random: &mut fastrand::Rng) -> Vec<(MediaKind, u32, Vec<u8>)> {
    let starts = [0, 16_777_000, u32::MAX - 300];
    let start = starts[random.usize(..3)];
    (0..30)
        .map(|number: u32| {
            let kind = [MediaKind::Audio, MediaKind::Video][random.usize(..2)];
            let size = [1, 127, 128, 129, 5000][random.usize(..5)];
            let body = (0..size).map(|_| random.u8(..)).collect();
            (kind, start.wrapping_add(number * 20), body)
        })
        .collect()
}

const DIGESTS: [Option<DigestLayout>; 3] =
    [None, Some(DigestLayout::At8), Some(DigestLayout::At772)];

#[test]
fn publish_from_handshake_to_confirmed_close() {
    for seed in 0..60 {
        let digest = DIGESTS[usize::try_from(seed % 3).unwrap()];
        let mut world = World::new(ClientRole::Publish, digest, seed);
        world.until("Started", |world| {
            world.client.state() == ClientState::Started
        });
        world.client.send_metadata(METADATA);
        let media = world.media.clone();
        for (kind, timestamp, body) in &media {
            world.client.send_media(*kind, *timestamp, body);
        }
        world.client.close(world.now);
        world.until("CloseConfirmed", |world| {
            world.client.state() == ClientState::Closed
        });
        let kind = digest.map_or(HandshakeKind::Simple, HandshakeKind::Digest);
        assert_eq!(
            world.client_events,
            [
                ClientEvent::Handshaken(kind),
                ClientEvent::Connected,
                ClientEvent::Started,
                ClientEvent::CloseConfirmed("NetStream.Unpublish.Success".to_owned()),
            ],
            "seed {seed}"
        );
        let received: Vec<_> = world
            .server_events
            .iter()
            .filter_map(server_media)
            .collect();
        assert_eq!(received, media, "seed {seed}");
        let metadata = ServerEvent::Metadata(METADATA.into());
        assert!(world.server_events.contains(&metadata), "seed {seed}");
        let goodbye = ServerEvent::Unpublished(MessageStreamId(1));
        assert_eq!(world.server_events.last(), Some(&goodbye), "seed {seed}");
    }
}

#[test]
fn play_from_handshake_to_the_end_of_the_stream() {
    for seed in 0..60 {
        let digest = DIGESTS[usize::try_from(seed % 3).unwrap()];
        let mut world = World::new(ClientRole::Play, digest, seed);
        world.until("Started", |world| {
            world.client.state() == ClientState::Started
        });
        world.until("media", World::all_delivered);
        let last = world.server_events.last().cloned();
        let Some(ServerEvent::Play { msid, name }) = last else {
            panic!("seed {seed}: {last:?}");
        };
        assert_eq!(name, "cam");
        let received: Vec<_> = world
            .client_events
            .iter()
            .filter_map(client_media)
            .collect();
        assert_eq!(received, world.media, "seed {seed}");
        let metadata = ClientEvent::Metadata(METADATA.into());
        assert!(world.client_events.contains(&metadata), "seed {seed}");
        if seed % 2 == 0 {
            world.server.end_play(msid);
            world.until("Ended", |world| world.client.state() == ClientState::Closed);
            let last = world.client_events.last();
            assert!(
                matches!(last, Some(ClientEvent::Ended(_))),
                "seed {seed}: {last:?}"
            );
        } else {
            world.client.close(world.now);
            let stopped = ServerEvent::PlayStopped(msid);
            world.until("PlayStopped", |world| {
                world.server_events.contains(&stopped)
            });
        }
    }
}

#[test]
fn a_request_to_connect_anew_reaches_who_declared_it() {
    for role in [ClientRole::Publish, ClientRole::Play] {
        for declares in [true, false] {
            let mut world = World::new(role, None, 7);
            if declares {
                world.client.declare_reconnect();
            }
            world.until("Started", |world| {
                world.client.state() == ClientState::Started
            });
            let url = Some("rtmp://b/live");
            assert_eq!(world.server.request_reconnect(url, "draining"), declares);
            world.turn();
            world.until("delivery", World::all_delivered);
            let event = ClientEvent::ReconnectRequested(Some("rtmp://b/live".to_owned()));
            assert_eq!(world.client_events.contains(&event), declares);
            // It stays until it has something better.
            assert_eq!(world.client.state(), ClientState::Started);
        }
    }
}

fn server_media(event: &ServerEvent) -> Option<(MediaKind, u32, Vec<u8>)> {
    match event {
        ServerEvent::Media {
            kind,
            timestamp,
            payload,
        } => Some((*kind, *timestamp, payload.as_slice().to_vec())),
        _ => None,
    }
}

fn client_media(event: &ClientEvent) -> Option<(MediaKind, u32, Vec<u8>)> {
    match event {
        ClientEvent::Media {
            kind,
            timestamp,
            payload,
        } => Some((*kind, *timestamp, payload.as_slice().to_vec())),
        _ => None,
    }
}
