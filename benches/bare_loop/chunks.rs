//! Chunks, for peers that make no mistakes.

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) timestamp: u32,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Default, Clone)]
struct Lane {
    kind: u8,
    timestamp: u32,
    delta: u32,
    length: usize,
    is_extended: bool,
    body: Vec<u8>,
}

/// Reads messages; of a body each byte is copied once.
#[derive(Debug)]
pub(crate) struct Chunks {
    chunk_size: usize,
    lanes: Vec<Lane>,
    /// A header that is not whole yet.
    header: Vec<u8>,
    /// The lane whose chunk is being read, and how much of that is left.
    current: Option<(usize, usize)>,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            chunk_size: 128,
            lanes: vec![Lane::default(); 64],
            header: Vec::new(),
            current: None,
        }
    }
}

impl Chunks {
    /// The next message, taking what it read off `input`; `None` when more bytes are needed.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Option<Message> {
        loop {
            if let Some((index, left)) = self.current {
                let lane = &mut self.lanes[index];
                let count = left.min(input.len());
                lane.body.extend_from_slice(&input[..count]);
                *input = &input[count..];
                if count < left {
                    self.current = Some((index, left - count));
                    return None;
                }
                self.current = None;
                if lane.body.len() == lane.length {
                    let message = Message {
                        kind: lane.kind,
                        timestamp: lane.timestamp,
                        body: std::mem::take(&mut lane.body),
                    };
                    if message.kind == 1 {
                        let size = message.body[..4].try_into().unwrap();
                        self.chunk_size = u32::from_be_bytes(size) as usize;
                        continue;
                    }
                    return Some(message);
                }
            }
            self.read_header(input)?;
        }
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Option<()> {
        loop {
            if let Some(len) = self.header_len()
                && self.header.len() == len
            {
                break;
            }
            let (byte, rest) = input.split_first()?;
            self.header.push(*byte);
            *input = rest;
        }
        let fmt = self.header[0] >> 6;
        let index = usize::from(self.header[0] & 63);
        let chunk_size = self.chunk_size;
        let lane = &mut self.lanes[index];
        let number = |bytes: &[u8]| {
            let fold = |value, byte: &u8| value << 8 | u32::from(*byte);
            bytes.iter().fold(0, fold)
        };
        if fmt < 3 {
            let mut time = number(&self.header[1..4]);
            lane.is_extended = time == 0xFF_FFFF;
            if lane.is_extended {
                time = number(&self.header[self.header.len() - 4..]);
            }
            if fmt < 2 {
                lane.length = number(&self.header[4..7]) as usize;
                lane.kind = self.header[7];
            }
            lane.delta = time;
            lane.timestamp = if fmt == 0 {
                time
            } else {
                lane.timestamp.wrapping_add(time)
            };
        } else if lane.body.is_empty() {
            lane.timestamp = lane.timestamp.wrapping_add(lane.delta);
        }
        self.header.clear();
        lane.body.reserve_exact(lane.length - lane.body.len());
        self.current = Some((index, chunk_size.min(lane.length - lane.body.len())));
        Some(())
    }

    /// How long the header is, as far as its first bytes tell.
    fn header_len(&self) -> Option<usize> {
        let first = self.header.first()?;
        let basic = [12, 8, 4, 1][usize::from(first >> 6)];
        let is_extended = if basic > 1 {
            *self.header.get(1..4)? == [0xFF; 3]
        } else {
            self.lanes[usize::from(first & 63)].is_extended
        };
        Some(if is_extended { basic + 4 } else { basic })
    }
}

/// Writes a message as one `fmt 0` chunk, or as many as it takes.
pub(crate) fn put_message(out: &mut Vec<u8>, kind: u8, timestamp: u32, body: &[u8]) {
    let (csid, msid) = match kind {
        1 => (2, 0),
        20 => (3, 0),
        8 => (4, 1),
        9 => (6, 1),
        _ => (5, 1_u32),
    };
    out.push(csid);
    out.extend_from_slice(&timestamp.min(0xFF_FFFF).to_be_bytes()[1..]);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&msid.to_le_bytes());
    let size = if kind == 1 {
        128
    } else {
        super::CHUNK_SIZE as usize
    };
    for (index, chunk) in body.chunks(size).enumerate() {
        if index > 0 {
            out.push(0xC0 | csid);
        }
        out.extend_from_slice(chunk);
    }
}
