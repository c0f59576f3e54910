//! Chunks, for peers that make no mistakes.

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u8,
    pub(crate) timestamp: u32,
    pub(crate) body: &'a [u8],
}

#[derive(Debug, Default, Clone)]
struct Lane {
    kind: u8,
    timestamp: u32,
    delta: u32,
    length: usize,
    is_extended: bool,
    /// What has come of a message that did not come in one piece.
    body: Vec<u8>,
    /// That message was given out.
    is_over: bool,
}

/// Reads messages. One that comes in one piece stays where it lies in the input; another one is
/// put together by one copy.
#[derive(Debug)]
pub(crate) struct Chunks {
    chunk_size: usize,
    /// By csid.
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
            lanes: Vec::new(),
            header: Vec::new(),
            current: None,
        }
    }
}

impl Chunks {
    /// The next message, taking what it read off `input`; `None` when more bytes are needed.
    pub(crate) fn read<'a, 'input: 'a>(
        &'a mut self,
        input: &mut &'input [u8],
    ) -> Option<Message<'a>> {
        let (index, in_one_piece) = loop {
            let Some((index, left)) = self.current else {
                self.read_header(input)?;
                continue;
            };
            let lane = &mut self.lanes[index];
            let (piece, rest) = input.split_at(left.min(input.len()));
            *input = rest;
            if piece.len() == lane.length {
                self.current = None;
                break (index, Some(piece));
            }
            lane.body.extend_from_slice(piece);
            if piece.len() < left {
                self.current = Some((index, left - piece.len()));
                return None;
            }
            self.current = None;
            if lane.body.len() == lane.length {
                lane.is_over = true;
                break (index, None);
            }
        };
        let lane = &self.lanes[index];
        let message = Message {
            kind: lane.kind,
            timestamp: lane.timestamp,
            body: in_one_piece.unwrap_or(&lane.body),
        };
        if message.kind == super::SET_CHUNK_SIZE {
            let size = message.body[..4].try_into().unwrap();
            self.chunk_size = u32::from_be_bytes(size) as usize;
        }
        Some(message)
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Option<()> {
        while self.header_len() != Some(self.header.len()) {
            let (byte, rest) = input.split_first()?;
            self.header.push(*byte);
            *input = rest;
        }
        let fmt = self.header[0] >> 6;
        let index = usize::from(self.header[0] & 63);
        if self.lanes.len() <= index {
            self.lanes.resize(index + 1, Lane::default());
        }
        let lane = &mut self.lanes[index];
        if std::mem::take(&mut lane.is_over) {
            lane.body.clear();
        }
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
        self.current = Some((index, self.chunk_size.min(lane.length - lane.body.len())));
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
        super::SET_CHUNK_SIZE => (2, 0),
        super::COMMAND => (3, 0),
        super::AUDIO => (4, 1),
        super::VIDEO => (6, 1),
        _ => (5, 1_u32),
    };
    out.push(csid);
    out.extend_from_slice(&timestamp.min(0xFF_FFFF).to_be_bytes()[1..]);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&msid.to_le_bytes());
    for (index, chunk) in body.chunks(super::CHUNK_SIZE as usize).enumerate() {
        if index > 0 {
            out.push(0xC0 | csid);
        }
        out.extend_from_slice(chunk);
    }
}
