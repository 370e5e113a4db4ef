//! The keys of a message that only some kinds of messages have: taken one by one, so that what
//! is left over at the end is known to be unknown.

use serde_json::Value;

use super::raw::RawMessage;
use super::text::words_of;

/// How much of an unknown object is kept as words.
const LONGEST_DESCRIPTION: usize = 4096;

/// The keys of a message beside the common ones.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Takes them out of a message.
    pub(super) fn of(raw: &mut RawMessage<'_>) -> Self {
        Self(std::mem::take(&mut raw.rest))
    }

    /// Takes the value of a key; `None` when it is absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(at).1)
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    /// Takes a value as words; `None` when it is absent, `null` or empty.
    pub(super) fn words(&mut self, key: &str) -> Option<String> {
        self.take(key).map(|value| words_of(&value)).filter(|words| !words.is_empty())
    }

    /// Takes a whole number, or a text that holds one.
    pub(super) fn number(&mut self, key: &str) -> Option<i64> {
        self.take(key).as_ref().and_then(number_of)
    }

    /// Takes a truth.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        self.take(key).and_then(|value| value.as_bool()).unwrap_or_default()
    }

    /// Takes a list of names; `null` stands for an account that is not known.
    pub(super) fn names(&mut self, key: &str) -> Vec<Option<String>> {
        match self.take(key) {
            Some(Value::Array(names)) => names
                .iter()
                .map(|name| Some(words_of(name)).filter(|name| !name.is_empty()))
                .collect(),
            Some(_) | None => Vec::new(),
        }
    }

    /// The names of the keys nobody took.
    pub(super) fn left(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }

    /// What nobody took, readable, and takes it.
    pub(super) fn describe(&mut self) -> String {
        let mut out = String::new();
        for (key, value) in self.0.drain(..) {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&key);
            out.push_str(": ");
            describe(&value, &mut out, 0);
            if out.len() > LONGEST_DESCRIPTION {
                break;
            }
        }
        truncate(&mut out, LONGEST_DESCRIPTION);
        out
    }
}

/// A whole number, or a text that holds one.
pub(super) fn number_of(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A value in words.
pub(super) fn describe(value: &Value, out: &mut String, depth: usize) {
    if out.len() > LONGEST_DESCRIPTION || depth > 8 {
        return;
    }
    match value {
        Value::Null => out.push('-'),
        Value::String(text) => out.push_str(text),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                describe(item, out, depth + 1);
            }
        }
        Value::Object(members) => {
            for (at, (key, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push_str("; ");
                }
                out.push_str(key);
                out.push(' ');
                describe(member, out, depth + 1);
            }
        }
    }
}

/// Cuts a text at a character border.
pub(super) fn truncate(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
    }
}
