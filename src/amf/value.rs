//! The values that both AMF versions are read into.

/// One AMF value. AMF3 values are read into the nearest AMF0 one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Marker `00`; AMF3 integers and doubles.
    Number(f64),
    /// Marker `01`.
    Boolean(bool),
    /// Markers `02` and `0C` (long string); invalid UTF-8 is replaced.
    String(String),
    /// Marker `03`.
    Object(Object),
    /// Marker `08`.
    EcmaArray(Object),
    /// Marker `0A`.
    StrictArray(Vec<Self>),
    /// Marker `10`.
    TypedObject {
        /// The class name sent before the properties.
        class_name: String,
        /// The properties.
        object: Object,
    },
    /// Marker `0B`.
    Date {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        unix_ms: f64,
        /// Time zone field; reserved, 0 by the specification.
        zone: i16,
    },
    /// Marker `0F`.
    Xml(String),
    /// AMF3 `0C`; has no AMF0 form and is written as [`Value::Unsupported`].
    ByteArray(Vec<u8>),
    /// Marker `05`; also an AMF0 reference (`07`).
    Null,
    /// Marker `06`.
    Undefined,
    /// Marker `0D`.
    Unsupported,
}

/// Properties in the order in which they were sent; that order matters to some peers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object {
    /// Key and value; keys may repeat, the first one counts.
    pub properties: Vec<(String, Value)>,
}
