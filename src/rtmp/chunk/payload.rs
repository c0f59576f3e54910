//! A message body with room for a chunk header in front of it.

/// Bytes kept free before a body: an outbound `fmt 1` chunk header is 8 bytes
/// (1 basic + 3 delta + 3 length + 1 type), plus 4 were its delta extended, rounded up.
pub(crate) const HEADER_ROOM: usize = 16;

/// A message body in one allocation: `HEADER_ROOM` free bytes, then the body.
///
/// The chunk decoder copies each payload byte once, from the read buffer to here. Whoever
/// relays the body writes its chunk header into the room and so has the wire bytes contiguous.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// `HEADER_ROOM <= bytes.len()`.
    bytes: Vec<u8>,
}

impl Payload {
    /// An empty body that can take `capacity` bytes without another allocation.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_ROOM + capacity);
        bytes.resize(HEADER_ROOM, 0);
        Self { bytes }
    }

    /// Appends to the body.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends to a body that will be `length` bytes in the end: the allocation doubles as the
    /// bytes arrive and ends at exactly that length.
    pub(super) fn extend_towards(&mut self, length: usize, bytes: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            let left = length.saturating_sub(self.len());
            self.bytes
                .reserve_exact(self.len().min(left).max(bytes.len()));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    /// The body.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(HEADER_ROOM..).unwrap_or_default()
    }

    /// Length of the body in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() - HEADER_ROOM
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The allocation as it is and the offset in it at which the body starts; the bytes
    /// before that offset are free to be written.
    pub fn into_parts(self) -> (Vec<u8>, usize) {
        (self.bytes, HEADER_ROOM)
    }
}

impl From<&[u8]> for Payload {
    fn from(body: &[u8]) -> Self {
        let mut payload = Self::with_capacity(body.len());
        payload.extend_from_slice(body);
        payload
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}
