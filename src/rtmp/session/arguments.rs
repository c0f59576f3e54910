//! Reading what commands carry, leniently: peers differ in types and in case.

use crate::amf::{Object, Value};

/// The property of that name; failing that, one that differs in case only.
pub(super) fn property<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    let mut properties = object.properties.iter();
    properties
        .clone()
        .find(|(name, _)| name == key)
        .or_else(|| properties.find(|(name, _)| name.eq_ignore_ascii_case(key)))
        .map(|(_, value)| value)
}

/// The properties of whatever kind of object it is.
pub(super) fn object(value: &Value) -> Option<&Object> {
    match value {
        Value::Object(object) | Value::EcmaArray(object) | Value::TypedObject { object, .. } => {
            Some(object)
        }
        _ => None,
    }
}

/// A string's text.
pub(super) fn string(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A number.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// A boolean, or a number that stands for one.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(flag) => Some(*flag),
        Value::Number(number) => Some(*number != 0.0),
        _ => None,
    }
}

/// A number as a message stream id; `None` for fractions and what does not fit.
pub(super) fn stream_id(value: &Value) -> Option<u32> {
    let number = number(value)?;
    if !(0.0..=f64::from(u32::MAX)).contains(&number) || number.fract() != 0.0 {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and within u32, as checked above"
    )]
    Some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_are_whole_numbers_of_32_bits() {
        assert_eq!(stream_id(&Value::Number(1.0)), Some(1));
        assert_eq!(stream_id(&Value::Number(4_294_967_295.0)), Some(u32::MAX));
        for bad in [-1.0, 0.5, 4_294_967_296.0, f64::NAN, f64::INFINITY] {
            assert_eq!(stream_id(&Value::Number(bad)), None, "{bad}");
        }
        assert_eq!(stream_id(&Value::String("1".to_owned())), None);
    }

    #[test]
    fn an_exact_key_goes_before_one_in_other_case() {
        let fields = Object {
            properties: vec![
                ("TCURL".to_owned(), Value::Number(1.0)),
                ("tcUrl".to_owned(), Value::Number(2.0)),
            ],
        };
        assert_eq!(property(&fields, "tcUrl"), Some(&Value::Number(2.0)));
        assert_eq!(property(&fields, "tcurl"), Some(&Value::Number(1.0)));
        assert_eq!(property(&fields, "app"), None);
    }
}
