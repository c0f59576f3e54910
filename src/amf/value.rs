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

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The properties of an object, ECMA array or typed object; peers use them alike.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) | Self::TypedObject { object, .. } => {
                Some(object)
            }
            _ => None,
        }
    }

    /// The properties of an object, ECMA array or typed object, without a copy.
    pub fn into_object(self) -> Option<Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) | Self::TypedObject { object, .. } => {
                Some(object)
            }
            _ => None,
        }
    }

    /// The elements of a strict array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::StrictArray(elements) => Some(elements),
            _ => None,
        }
    }

    /// Whether it says nothing: null, undefined or unsupported.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Undefined | Self::Unsupported)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(f64::from(number))
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Self>> for Value {
    fn from(elements: Vec<Self>) -> Self {
        Self::StrictArray(elements)
    }
}

/// Properties in the order in which they were sent; that order matters to some peers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object {
    /// Key and value; keys may repeat, the first one counts.
    pub properties: Vec<(String, Value)>,
}

impl Object {
    /// An object without properties.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the first property of that name. Linear in the number of properties, which
    /// is small.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let (_, value) = self.properties.iter().find(|(name, _)| name == key)?;
        Some(value)
    }

    /// Like [`Self::get`], but ASCII letters match in either case: some clients send `tcurl`.
    /// An exact match goes first.
    pub fn get_ignore_case(&self, key: &str) -> Option<&Value> {
        self.get(key).or_else(|| {
            let (_, value) = self
                .properties
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))?;
            Some(value)
        })
    }

    /// The number of that name.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_number()
    }

    /// The string of that name.
    pub fn string(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The boolean of that name.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// The object, ECMA array or typed object of that name.
    pub fn object(&self, key: &str) -> Option<&Self> {
        self.get(key)?.as_object()
    }

    /// Sets the first property of that name where it stands, or appends it.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.properties.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.properties.push((key, value)),
        }
    }

    /// [`Self::insert`] for building an object in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Removes all properties of that name and returns the value of the first one.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.properties.iter().position(|(name, _)| name == key)?;
        let (_, value) = self.properties.remove(at);
        self.properties.retain(|(name, _)| name != key);
        Some(value)
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.properties
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// Number of properties.
    pub fn len(&self) -> usize {
        self.properties.len()
    }

    /// Whether there is no property.
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }
}

/// Keeps the order and every repetition.
impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self {
            properties: pairs
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        }
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Object {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_repeated_keys_counts() {
        let object = Object::from([("a", 1.0), ("b", 2.0), ("a", 3.0)]);
        assert_eq!(object.number("a"), Some(1.0));
        assert_eq!(object.len(), 3);
    }

    #[test]
    fn insert_keeps_the_place_of_a_known_key() {
        let object = Object::new()
            .with("level", "status")
            .with("code", "x")
            .with("level", "error");
        let keys: Vec<&str> = object.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["level", "code"]);
        assert_eq!(object.string("level"), Some("error"));
    }

    #[test]
    fn remove_takes_all_of_a_name() {
        let mut object = Object::from([("a", 1.0), ("b", 2.0), ("a", 3.0)]);
        assert_eq!(object.remove("a"), Some(Value::Number(1.0)));
        assert_eq!(object, Object::from([("b", 2.0)]));
        assert_eq!(object.remove("a"), None);
    }

    #[test]
    fn case_is_ignored_only_where_asked() {
        let object = Object::from([("tcurl", "low"), ("App", "up")]);
        assert_eq!(object.get("tcUrl"), None);
        assert_eq!(object.get_ignore_case("tcUrl"), Some(&"low".into()));
        assert_eq!(object.get_ignore_case("app"), Some(&"up".into()));
        assert_eq!(object.get_ignore_case("key"), None);
        let both = Object::from([("APP", "wrong"), ("app", "right")]);
        assert_eq!(both.get_ignore_case("app"), Some(&"right".into()));
    }

    #[test]
    fn a_getter_of_the_wrong_type_gives_none() {
        let object = Object::new()
            .with("text", "1")
            .with("number", 1.0)
            .with("flag", true)
            .with("inner", Object::from([("x", 7_u32)]));
        assert_eq!(object.number("text"), None);
        assert_eq!(object.string("number"), None);
        assert_eq!(object.boolean("number"), None);
        assert_eq!(object.boolean("flag"), Some(true));
        assert_eq!(object.object("inner").map(Object::len), Some(1));
        assert_eq!(object.object("flag"), None);
    }

    #[test]
    fn all_kinds_of_objects_read_alike() {
        let inner = Object::from([("x", 1.0)]);
        for value in [
            Value::Object(inner.clone()),
            Value::EcmaArray(inner.clone()),
            Value::TypedObject {
                class_name: "c".to_owned(),
                object: inner.clone(),
            },
        ] {
            assert_eq!(value.as_object(), Some(&inner));
            assert_eq!(value.into_object(), Some(inner.clone()));
        }
        assert_eq!(Value::Null.as_object(), None);
        assert!(Value::Undefined.is_null());
        assert!(!Value::Boolean(false).is_null());
    }
}
