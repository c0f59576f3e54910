//! Holds JSON values against the schemas of an OpenAPI document.
//!
//! Knows the words that our document uses and fails on any other, so that no promise goes
//! unchecked. Objects are closed: a key that the document does not have is a fault, whether or
//! not the document allows additions.

use serde_json::Value;

/// An OpenAPI document.
pub(crate) struct Document(Value);

/// What says nothing about values.
const REMARKS: [&str; 3] = ["description", "example", "additionalProperties"];

impl Document {
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    /// The operation at a path below the server's, such as `/streams`.
    pub(crate) fn operation(&self, path: &str, method: &str) -> Option<&Value> {
        self.0.get("paths")?.get(path)?.get(method)
    }

    /// Faults of an answer: no such operation or status, or a body that is not as described.
    pub(crate) fn answer_faults(
        &self,
        path: &str,
        method: &str,
        status: u16,
        body: &Value,
    ) -> Vec<String> {
        let place = format!("{method} {path} {status}");
        let schema = self
            .operation(path, method)
            .and_then(|found| found.get("responses")?.get(status.to_string()))
            .and_then(|found| found.pointer("/content/application~1json/schema"));
        match schema {
            Some(schema) => self.faults(schema, body, &place),
            None => vec![format!("{place}: not described")],
        }
    }

    /// Faults of a value by the name of its schema.
    pub(crate) fn schema_faults(&self, name: &str, value: &Value) -> Vec<String> {
        let pointer = format!("/components/schemas/{name}");
        match self.0.pointer(&pointer) {
            Some(schema) => self.faults(schema, value, name),
            None => vec![format!("{name}: no such schema")],
        }
    }

    fn faults(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (word, wanted) in schema.as_object().unwrap() {
            let is_kept = match word.as_str() {
                word if REMARKS.contains(&word) => true,
                "$ref" => {
                    let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                    let referred = self
                        .0
                        .pointer(pointer)
                        .expect("a reference into the document");
                    faults.extend(self.faults(referred, value, place));
                    true
                }
                "oneOf" => {
                    let choices = wanted.as_array().unwrap().iter();
                    choices
                        .filter(|choice| self.faults(choice, value, place).is_empty())
                        .count()
                        == 1
                }
                "type" => is_of_type(wanted, value),
                "enum" => wanted.as_array().unwrap().contains(value),
                "minimum" => value
                    .as_f64()
                    .is_none_or(|number| number >= wanted.as_f64().unwrap()),
                "maximum" => value
                    .as_f64()
                    .is_none_or(|number| number <= wanted.as_f64().unwrap()),
                "maxItems" => count(value) <= wanted.as_u64().unwrap(),
                "minProperties" => count(value) >= wanted.as_u64().unwrap(),
                "maxProperties" => count(value) <= wanted.as_u64().unwrap(),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        faults.extend(self.faults(wanted, item, &format!("{place}[{index}]")));
                    }
                    true
                }
                "required" => {
                    for key in wanted.as_array().unwrap() {
                        let key = key.as_str().unwrap();
                        if value.get(key).is_none() {
                            faults.push(format!("{place}.{key}: missing"));
                        }
                    }
                    true
                }
                "properties" => {
                    for (key, item) in value.as_object().into_iter().flatten() {
                        let place = format!("{place}.{key}");
                        match wanted.get(key) {
                            Some(schema) => faults.extend(self.faults(schema, item, &place)),
                            None => faults.push(format!("{place}: not described")),
                        }
                    }
                    true
                }
                _ => panic!("{place}: the word {word} is not known here"),
            };
            if !is_kept {
                faults.push(format!("{place}: {value} breaks {word} {wanted}"));
            }
        }
        faults
    }
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    if let Some(choices) = wanted.as_array() {
        return choices.iter().any(|choice| is_of_type(choice, value));
    }
    match wanted.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

fn count(value: &Value) -> u64 {
    let items = value.as_array().map(Vec::len);
    let keys = value.as_object().map(serde_json::Map::len);
    items.or(keys).unwrap_or(0) as u64
}
