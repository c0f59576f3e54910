//! A TCP proxy that writes what passes through it as a capture file: no rights are needed, no
//! packet is lost, and the capture ends when the conversation does.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Largest TCP payload that is written as one packet; stays below the 64 KiB of an IP packet.
const SEGMENT_BYTES_MAX: usize = 16_384;

/// Addresses in the capture; the server's port is the real one.
const CLIENT: [u8; 4] = [127, 0, 0, 1];
const CLIENT_PORT: u16 = 50_000;

/// Serves one connection and records it.
pub(crate) struct Recorder {
    pub(crate) port: u16,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// Passes one connection on to `server_port` and writes it to `file`.
    pub(crate) fn start(server_port: u16, file: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let capture = Arc::new(Mutex::new(Capture::create(file, server_port)));
        let thread = std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", server_port)).unwrap();
            let (client2, server2) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let capture2 = Arc::clone(&capture);
            let upstream = std::thread::spawn(move || copy(client, server, true, &capture));
            copy(server2, client2, false, &capture2);
            upstream.join().unwrap();
        });
        Self { port, thread }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{path}", self.port)
    }

    /// Waits until both sides have closed.
    pub(crate) fn finish(self) {
        self.thread.join().unwrap();
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, from_client: bool, capture: &Mutex<Capture>) {
    let mut buffer = [0; SEGMENT_BYTES_MAX];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..count];
        // Written before it is passed on, so that an answer never stands before its question.
        capture.lock().unwrap().write(from_client, bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    // Either side may have gone already.
    to.shutdown(Shutdown::Write).ok();
}

/// A pcap file (LINKTYPE_RAW: packets begin with the IPv4 header) of one TCP connection.
struct Capture {
    file: File,
    server_port: u16,
    /// Next sequence number of the client and of the server.
    sequence: [u32; 2],
    microseconds: u32,
}

impl Capture {
    fn create(path: &Path, server_port: u16) -> Self {
        let mut file = File::create(path).unwrap();
        let mut header = Vec::new();
        header.extend_from_slice(&0xA1B2_C3D4_u32.to_le_bytes());
        header.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        header.extend_from_slice(&65_535_u32.to_le_bytes());
        header.extend_from_slice(&101_u32.to_le_bytes());
        file.write_all(&header).unwrap();
        let mut capture = Self {
            file,
            server_port,
            sequence: [1000, 2000],
            microseconds: 0,
        };
        // The three packets that open a connection: the dissector wants to see them.
        capture.packet(true, 0x02, &[]);
        capture.sequence[0] += 1;
        capture.packet(false, 0x12, &[]);
        capture.sequence[1] += 1;
        capture.packet(true, 0x10, &[]);
        capture
    }

    fn write(&mut self, from_client: bool, bytes: &[u8]) {
        self.packet(from_client, 0x18, bytes);
        let length = u32::try_from(bytes.len()).unwrap();
        let sequence = &mut self.sequence[usize::from(!from_client)];
        *sequence = sequence.wrapping_add(length);
    }

    fn packet(&mut self, from_client: bool, flags: u8, payload: &[u8]) {
        let (source, target) = match from_client {
            true => (CLIENT_PORT, self.server_port),
            false => (self.server_port, CLIENT_PORT),
        };
        let own = self.sequence[usize::from(!from_client)];
        let other = self.sequence[usize::from(from_client)];
        let length = u16::try_from(40 + payload.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&length.to_be_bytes());
        // Identification, no fragments, time to live, TCP, no checksum.
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend_from_slice(&CLIENT);
        packet.extend_from_slice(&CLIENT);
        packet.extend_from_slice(&source.to_be_bytes());
        packet.extend_from_slice(&target.to_be_bytes());
        packet.extend_from_slice(&own.to_be_bytes());
        packet.extend_from_slice(&other.to_be_bytes());
        packet.extend_from_slice(&[0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        packet.extend_from_slice(payload);

        self.microseconds += 1;
        let size = u32::from(length).to_le_bytes();
        let mut record = Vec::new();
        record.extend_from_slice(&(self.microseconds / 1_000_000).to_le_bytes());
        record.extend_from_slice(&(self.microseconds % 1_000_000).to_le_bytes());
        record.extend_from_slice(&size);
        record.extend_from_slice(&size);
        record.extend_from_slice(&packet);
        self.file.write_all(&record).unwrap();
    }
}
