//! The whole loop: a publisher's picture through the server to every subscriber, over loopback.
//!
//! One picture is on its way at a time, so this is the time until the last of them has it. The
//! server has one worker and sends each message at once. With few subscribers it depends on where
//! the system puts the two threads: to wake the other core can take ten times as long as all the
//! work. Results can be compared when both have the same core: `taskset -c 0 cargo bench ...`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use millstream::media::flv;
use millstream::rtmp::MediaKind;
use millstream::rtmp::session::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, ClientState, SessionLimits,
};
use millstream::server::{Config, Flush, Server};

const SUBSCRIBERS: [usize; 3] = [1, 10, 100];

/// A picture of 2 Mbit/s at 30 a second.
const PICTURE_BYTES: usize = 8_000;

/// Pictures from one keyframe to the next.
const GOP: u32 = 60;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loopback");
    group.sample_size(20);
    for count in SUBSCRIBERS {
        let bytes = (count * PICTURE_BYTES) as u64;
        group.throughput(Throughput::Bytes(bytes));
        // Started by the first sample: not at all when this one was not asked for.
        let mut relay = None;
        group.bench_function(BenchmarkId::new("picture", count), |bencher| {
            let relay = relay.get_or_insert_with(|| Relay::start(count));
            bencher.iter(|| relay.picture());
        });
        if let Some(relay) = relay {
            relay.stop();
        }
    }
    group.finish();
}

/// A server, a publisher and its subscribers.
struct Relay {
    server: Server,
    publisher: Peer,
    subscribers: Vec<Peer>,
    pictures: u32,
    filler: Vec<u8>,
}

impl Relay {
    fn start(subscribers: usize) -> Self {
        let mut config = Config {
            rtmp: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            workers: 1,
            ..Config::default()
        };
        config.path.flush = Flush::Now;
        let server = Server::start(config).unwrap();
        let address = server.rtmp_addresses()[0];
        let mut publisher = Peer::connect(address, ClientRole::Publish);
        let header = flv::avc_sequence_header(&[1, 66, 0, 30, 0xFF, 0xE0, 0]);
        publisher.session.send_media(MediaKind::Video, 0, &header);
        let mut relay = Self {
            server,
            publisher,
            subscribers: Vec::new(),
            pictures: 0,
            filler: vec![0xA5; PICTURE_BYTES],
        };
        let keyframe = relay.publish();
        for _ in 0..subscribers {
            let mut subscriber = Peer::connect(address, ClientRole::Play);
            assert_eq!(subscriber.next_media(), header);
            assert_eq!(subscriber.next_media(), keyframe);
            relay.subscribers.push(subscriber);
        }
        relay
    }

    /// Sends a picture and waits until each subscriber has it, unchanged.
    fn picture(&mut self) {
        let sent = self.publish();
        for subscriber in &mut self.subscribers {
            assert_eq!(subscriber.next_media(), sent);
        }
    }

    fn publish(&mut self) -> Vec<u8> {
        self.filler[..4].copy_from_slice(&self.pictures.to_be_bytes());
        let is_keyframe = self.pictures.is_multiple_of(GOP);
        let body = flv::avc_frame(is_keyframe, 0, &self.filler);
        let session = &mut self.publisher.session;
        session.send_media(MediaKind::Video, self.pictures.wrapping_mul(33), &body);
        self.publisher.flush();
        self.pictures += 1;
        body
    }

    fn stop(self) {
        let bodies = u64::from(self.pictures) * PICTURE_BYTES as u64;
        let sent = self.server.metrics().bytes_sent.value();
        // The server counts a flush when it is over: the last picture may not be in it yet.
        assert!(sent >= (bodies - PICTURE_BYTES as u64) * self.subscribers.len() as u64);
        self.server.stop_handle().stop();
        drop((self.publisher, self.subscribers));
        self.server.wait();
    }
}

/// One of our client sessions on a blocking socket.
struct Peer {
    socket: TcpStream,
    session: ClientSession,
    buffer: Vec<u8>,
}

impl Peer {
    /// Returns once the server has accepted what it asks for.
    fn connect(address: SocketAddr, role: ClientRole) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let config = ClientConfig {
            role,
            app: "live".to_owned(),
            stream_name: "test".to_owned(),
            tc_url: format!("rtmp://{address}/live"),
            digest: None,
            chunk_size: 65_536,
            limits: SessionLimits::default(),
        };
        let mut peer = Self {
            socket,
            session: ClientSession::new(config, 7, Instant::now()),
            buffer: vec![0; 64 * 1024],
        };
        peer.flush();
        while peer.session.state() != ClientState::Started {
            peer.read();
        }
        peer
    }

    /// The body of the next audio or video message, whenever it comes.
    fn next_media(&mut self) -> Vec<u8> {
        loop {
            while let Some(event) = self.session.poll_event() {
                if let ClientEvent::Media { payload, .. } = event {
                    return payload.as_slice().to_vec();
                }
            }
            self.read();
        }
    }

    fn read(&mut self) {
        let count = self.socket.read(&mut self.buffer).unwrap();
        assert!(count > 0, "closed by the server");
        let input = &self.buffer[..count];
        self.session.handle_input(Instant::now(), input).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(bytes) = self.session.poll_output() {
            self.socket.write_all(&bytes).unwrap();
        }
    }
}
