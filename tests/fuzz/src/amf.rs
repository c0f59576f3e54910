//! AMF0 and AMF3 values, and the messages made of them.

use millstream::amf::amf0::{self, Decoder};
use millstream::amf::{AmfError, Limits, Value, amf3};
use millstream::rtmp::message::MessageType;
use millstream::rtmp::message::command::Command;
use millstream::rtmp::message::control::Control;
use millstream::rtmp::message::data::{self, Data};
use millstream::rtmp::message::user_control::UserControl;

/// First byte: which reader.
pub fn amf(data: &[u8]) {
    let [mode, input @ ..] = data else {
        return;
    };
    let limits = Limits::default();
    match mode % 5 {
        0 => values(input, &limits),
        1 => {
            if let Ok((value, rest)) = amf3::decode(input, &limits) {
                assert!(rest.len() < input.len());
                check_value(&value, &limits);
            }
        }
        2 => command(input, mode & 0x80 != 0, &limits),
        3 => data_message(input, mode & 0x80 != 0, &limits),
        _ => control(input),
    }
}

fn values(input: &[u8], limits: &Limits) {
    let mut decoder = Decoder::new(input, limits);
    let mut left = decoder.rest().len();
    let mut count = 0;
    while let Ok(Some(value)) = decoder.next() {
        assert!(decoder.rest().len() < left, "a value of no bytes");
        left = decoder.rest().len();
        count += count_values(&value);
        assert!(count <= limits.values_max);
        check_value(&value, limits);
    }
}

/// What was read can be written, and then read and written without a further change. Bytes are
/// compared and not values, since NaN differs from itself.
fn check_value(value: &Value, limits: &Limits) {
    assert!(depth(value) <= limits.depth_max, "deeper than allowed");
    let mut written = Vec::new();
    amf0::encode(value, &mut written);
    let mut decoder = Decoder::new(&written, limits);
    let again = decoder.next().expect("what was written").expect("a value");
    assert!(decoder.rest().is_empty());
    let mut rewritten = Vec::new();
    amf0::encode(&again, &mut rewritten);
    assert_eq!(written, rewritten);
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(object) | Value::EcmaArray(object) | Value::TypedObject { object, .. } => {
            object.iter().map(|(_, value)| value).collect()
        }
        Value::StrictArray(values) => values.iter().collect(),
        _ => Vec::new(),
    }
}

fn depth(value: &Value) -> usize {
    let is_container = matches!(
        value,
        Value::Object(_) | Value::EcmaArray(_) | Value::TypedObject { .. } | Value::StrictArray(_)
    );
    let inner = children(value).into_iter().map(depth).max().unwrap_or(0);
    usize::from(is_container) + inner
}

fn count_values(value: &Value) -> usize {
    1 + children(value).into_iter().map(count_values).sum::<usize>()
}

fn command(input: &[u8], amf3: bool, limits: &Limits) {
    let command: Result<Command, AmfError> = Command::decode(input, amf3, limits);
    let Ok(command) = command else { return };
    let written = command.encode();
    let again = Command::decode(&written, false, limits).expect("what was written");
    assert_eq!(written, again.encode());
    if let Some(info) = command.info() {
        assert!(info.code.len() + info.level.len() + info.description.len() <= 3 * input.len() * 3);
    }
}

fn data_message(input: &[u8], amf3: bool, limits: &Limits) {
    match Data::decode(input, amf3, limits) {
        Data::SetMetadata(body) => {
            assert!(body.len() <= input.len());
            assert!(body.starts_with(b"\x02\0\x0aonMetaData"));
            if let Some(object) = data::metadata_object(body, limits) {
                let written = data::encode_metadata(&object);
                assert!(
                    matches!(Data::decode(&written, false, limits), Data::SetMetadata(b) if b == written)
                );
            }
        }
        Data::ClearMetadata => {}
        Data::Other(body) => assert!(body.len() <= input.len()),
    }
    data::to_amf0(input, limits);
}

fn control(input: &[u8]) {
    let [message_type, body @ ..] = input else {
        return;
    };
    if let Ok(event) = UserControl::decode(body) {
        assert_eq!(UserControl::decode(&event.encode()), Ok(event));
    }
    if let Ok(Some(control)) = Control::decode(MessageType(*message_type), body) {
        let (message_type, body) = control.encode();
        assert_eq!(Control::decode(message_type, &body), Ok(Some(control)));
    }
}
