//! A gate in front of a server: it looks at each client's handshake and `connect`, and lets it
//! through, drops it or refuses it. So a real server gets manners that it does not have, and media
//! still flow behind them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::DEADLINE;
use super::raw::{message, property, string};

/// C1, C2, S1 and S2.
const BLOCK: usize = 1536;

/// What a client has sent so far.
pub(crate) struct Opening<'a> {
    /// The handshake's first block; bytes 4 to 8 are zero in a simple one.
    pub(crate) c1: &'a [u8],
    /// The body of `connect`; `None` while the handshake is not over.
    pub(crate) connect: Option<&'a [u8]>,
}

impl Opening<'_> {
    pub(crate) fn is_simple(&self) -> bool {
        self.c1[4..8] == [0; 4]
    }

    pub(crate) fn declares_four_cc(&self) -> bool {
        let has = |body: &[u8]| body.windows(10).any(|bytes| bytes == b"fourCcList");
        self.connect.is_some_and(has)
    }

    /// The text of a field of `connect`; empty before it has come.
    pub(crate) fn field(&self, key: &str) -> String {
        let (body, key) = (self.connect.unwrap_or_default(), string(key));
        let key = [&key[1..], &[2]].concat();
        let Some(at) = body.windows(key.len()).position(|bytes| bytes == key) else {
            return String::new();
        };
        let value = &body[at + key.len()..];
        let length = usize::from(u16::from_be_bytes([value[0], value[1]]));
        String::from_utf8(value[2..2 + length].to_vec()).unwrap()
    }
}

/// What becomes of a client.
pub(crate) enum Verdict {
    Pass,
    /// The connection is closed without a word.
    Drop,
    /// `_error` with NetConnection.Connect.Rejected and this description, then closed.
    Refuse(String),
}

/// A listening gate; it stands until the process ends.
pub(crate) struct Gate {
    port: u16,
    /// The `app` of each `connect` that came, and a `-` for each client that sent none.
    apps: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    /// `judge` is asked when C1 has come, and again when `connect` has.
    pub(crate) fn before(
        server: u16,
        judge: impl Fn(&Opening<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let apps = Arc::new(Mutex::new(Vec::new()));
        let (judge, log) = (Arc::new(judge), Arc::clone(&apps));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (judge, log) = (Arc::clone(&judge), Arc::clone(&log));
                // Clients may break off at any place.
                std::thread::spawn(move || guard(client?, server, &*judge, &log));
            }
        });
        Self { port, apps }
    }

    /// Where its server is to be had.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{path}", self.port)
    }

    /// The `app` of each `connect` since the last call, and a `-` for each client that sent none.
    pub(crate) fn take_apps(&self) -> Vec<String> {
        std::mem::take(&mut self.apps.lock().unwrap())
    }
}

fn guard(
    mut client: TcpStream,
    server: u16,
    judge: &dyn Fn(&Opening<'_>) -> Verdict,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let hello = take(&mut client, 1 + BLOCK)?;
    let mut opening = Opening {
        c1: &hello[1..],
        connect: None,
    };
    if matches!(judge(&opening), Verdict::Drop) {
        log.lock().unwrap().push("-".to_owned());
        return Ok(());
    }
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    server.set_nodelay(true)?;
    server.write_all(&hello)?;
    let answer = take(&mut server, 1 + 2 * BLOCK)?;
    client.write_all(&answer)?;
    server.write_all(&take(&mut client, BLOCK)?)?;

    let (chunks, body) = take_first_message(&mut client)?;
    opening.connect = Some(&body);
    log.lock().unwrap().push(opening.field("app"));
    match judge(&opening) {
        Verdict::Pass => {}
        Verdict::Drop => return Ok(()),
        Verdict::Refuse(description) => return refuse(client, &description),
    }
    server.write_all(&chunks)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let upward = std::thread::spawn(move || {
        io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
    io::copy(&mut server, &mut client).ok();
    client.shutdown(Shutdown::Write).ok();
    upward.join().ok();
    Ok(())
}

fn take(socket: &mut TcpStream, count: usize) -> io::Result<Vec<u8>> {
    socket.set_read_timeout(Some(DEADLINE))?;
    let mut bytes = vec![0; count];
    socket.read_exact(&mut bytes)?;
    socket.set_read_timeout(None)?;
    Ok(bytes)
}

/// A message in chunks of 128 bytes, fmt 0 and then fmt 3, as every client sends its `connect`;
/// the chunks as they came, and the message's body.
fn take_first_message(client: &mut TcpStream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut chunks = take(client, 12)?;
    assert!((2..64).contains(&chunks[0]), "fmt 0 on a small csid");
    assert_eq!(chunks[7], 20, "a command");
    let length = u32::from_be_bytes([0, chunks[4], chunks[5], chunks[6]]);
    let mut left = usize::try_from(length).unwrap();
    let mut body = Vec::new();
    while left > 0 {
        if !body.is_empty() {
            chunks.extend(take(client, 1)?);
        }
        let part = take(client, left.min(128))?;
        left -= part.len();
        chunks.extend(&part);
        body.extend(part);
    }
    Ok((chunks, body))
}

fn refuse(mut client: TcpStream, description: &str) -> io::Result<()> {
    let one = [&[0], 1.0_f64.to_be_bytes().as_slice()].concat();
    let body = [
        &string("_error"),
        one.as_slice(),
        &[5, 3],
        &property("level", "error"),
        &property("code", "NetConnection.Connect.Rejected"),
        &property("description", description),
        &[0, 0, 9],
    ]
    .concat();
    client.write_all(&message(2, 1, 0, 0, &4096_u32.to_be_bytes()))?;
    client.write_all(&message(3, 20, 0, 0, &body))?;
    client.shutdown(Shutdown::Write)?;
    // Closing over unread bytes could destroy the refusal.
    client.set_read_timeout(Some(DEADLINE))?;
    io::copy(&mut client, &mut io::sink()).map(|_| ())
}
