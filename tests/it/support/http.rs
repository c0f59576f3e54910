//! An HTTP client by hand: requests as bytes, answers read as their heads say, and told apart by
//! how they end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::DEADLINE;

/// A connection to an HTTP server.
pub(crate) struct HttpClient {
    pub(crate) socket: TcpStream,
    /// What came and was not read yet.
    received: Vec<u8>,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As its head had said: so many bytes, or a last chunk.
    Said,
    /// With the connection, which is the only end that its head had told.
    Close,
    /// With the connection, before the end that its head had told.
    Cut,
}

/// What came for a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// With the first line, without the empty one.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Answer {
    /// The value of a field, by its name in any case; the first of several.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl HttpClient {
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self {
            socket,
            received: Vec::new(),
        }
    }

    /// Sends bytes; a server that has closed meanwhile is no fault.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).ok();
    }

    /// Says that no more comes from here.
    pub(crate) fn finish(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// The next answer, to a GET or the like; `None` if the server closes without one.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET")
    }

    /// The next answer, to a request with this method.
    #[track_caller]
    pub(crate) fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let head = self.head()?;
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let date = field(&head, "date").map(jiff::fmt::rfc2822::parse);
        assert!(status == 100 || matches!(date, Some(Ok(_))), "{head}");
        let has_body = method != "HEAD" && status >= 200 && status != 204 && status != 304;
        let length = field(&head, "content-length").map(|length| length.parse().unwrap());
        let is_chunked = field(&head, "transfer-encoding") == Some("chunked");
        let mut body = Vec::new();
        let end = match (has_body, is_chunked, length) {
            (false, ..) => End::Said,
            (true, true, None) => self.chunks(&mut body),
            (true, false, Some(length)) => self.take_into(&mut body, length),
            (true, false, None) => {
                while self.read_more() {}
                body = std::mem::take(&mut self.received);
                End::Close
            }
            (true, true, Some(_)) => panic!("two lengths: {head}"),
        };
        Some(Answer {
            status,
            head,
            body,
            end,
        })
    }

    /// The head of the next answer; `None` if the server closes without one.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Option<String> {
        loop {
            if let Some(head) = self.take_line(b"\r\n\r\n") {
                return Some(String::from_utf8(head).unwrap());
            }
            if !self.read_more() {
                let rest = String::from_utf8_lossy(&self.received);
                assert!(rest.is_empty(), "cut in a head: {rest}");
                return None;
            }
        }
    }

    /// Whether the server closes without another byte.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.read_more()
    }

    /// Whether the connection goes on: another request is answered.
    #[track_caller]
    pub(crate) fn is_open(&mut self) -> bool {
        self.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        self.answer().is_some()
    }

    /// All that comes until the server closes.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read_more() {}
        std::mem::take(&mut self.received)
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> End {
        loop {
            let size = loop {
                if let Some(size) = self.take_line(b"\r\n") {
                    break size;
                }
                if !self.read_more() {
                    return End::Cut;
                }
            };
            let size = String::from_utf8(size).unwrap();
            let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("size {size:?}"));
            if self.take_into(body, size) == End::Cut {
                return End::Cut;
            }
            let mut line_break = Vec::new();
            if self.take_into(&mut line_break, 2) == End::Cut {
                return End::Cut;
            }
            assert_eq!(line_break, b"\r\n", "behind a chunk of {size}");
            if size == 0 {
                return End::Said;
            }
        }
    }

    /// What came before `end`, which is taken too.
    fn take_line(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        let mut windows = self.received.windows(end.len());
        let at = windows.position(|window| window == end)?;
        let mut line: Vec<u8> = self.received.drain(..at + end.len()).collect();
        line.truncate(at);
        Some(line)
    }

    fn take_into(&mut self, body: &mut Vec<u8>, length: usize) -> End {
        while self.received.len() < length {
            if !self.read_more() {
                body.append(&mut self.received);
                return End::Cut;
            }
        }
        body.extend(self.received.drain(..length));
        End::Said
    }

    /// False at the end.
    #[track_caller]
    fn read_more(&mut self) -> bool {
        let mut buffer = vec![0; 65_536];
        match self.socket.read(&mut buffer) {
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("the server does not answer: {error}"),
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
