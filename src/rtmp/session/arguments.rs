//! Reading what commands carry, leniently: peers differ in types.

use crate::amf::Value;

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
    let number = value.as_number()?;
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
    use crate::amf::Object;

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
        assert_eq!(fields.get_ignore_case("tcUrl"), Some(&Value::Number(2.0)));
        assert_eq!(fields.get_ignore_case("tcurl"), Some(&Value::Number(1.0)));
        assert_eq!(fields.get_ignore_case("app"), None);
    }
}
