//! Olvid's binary format *Encoded*: a type byte, a 32-bit big-endian length, the content.
//!
//! It is met in two places of an export: the key of a version 2 group, and the file of a link
//! preview. Lists are encoded values one after the other, dictionaries alternate encoded keys
//! and encoded values.

use std::str;

/// How deep values may stand in one another; real ones stand two deep.
const DEPTH: usize = 8;

/// A decoded value, borrowing from the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encoded<'a> {
    Bytes(&'a [u8]),
    Int(i64),
    Bool(bool),
    List(Vec<Encoded<'a>>),
    Dictionary(Vec<(&'a [u8], Encoded<'a>)>),
}

impl<'a> Encoded<'a> {
    /// Decodes bytes that hold exactly one value; `None` when they do not.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        match Self::first(bytes, DEPTH)? {
            (value, []) => Some(value),
            (_, _) => None,
        }
    }

    fn first(bytes: &'a [u8], depth: usize) -> Option<(Self, &'a [u8])> {
        let depth = depth.checked_sub(1)?;
        let (kind, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (content, rest) = rest.split_at_checked(length)?;
        let value = match kind {
            0 => Self::Bytes(content),
            1 => Self::Int(i64::from_be_bytes(content.try_into().ok()?)),
            2 => match content {
                [0] => Self::Bool(false),
                [1] => Self::Bool(true),
                _ => return None,
            },
            3 => Self::List(Self::all(content, depth)?),
            4 => Self::Dictionary(Self::pairs(content, depth)?),
            _ => return None,
        };
        Some((value, rest))
    }

    fn all(mut bytes: &'a [u8], depth: usize) -> Option<Vec<Self>> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            let (value, rest) = Self::first(bytes, depth)?;
            values.push(value);
            bytes = rest;
        }
        Some(values)
    }

    fn pairs(mut bytes: &'a [u8], depth: usize) -> Option<Vec<(&'a [u8], Self)>> {
        let mut pairs = Vec::new();
        while !bytes.is_empty() {
            let (key, rest) = Self::first(bytes, depth)?;
            let Self::Bytes(key) = key else { return None };
            let (value, rest) = Self::first(rest, depth)?;
            pairs.push((key, value));
            bytes = rest;
        }
        Some(pairs)
    }

    fn text(&self) -> Option<&'a str> {
        match self {
            Self::Bytes(bytes) => str::from_utf8(bytes).ok(),
            Self::Int(_) | Self::Bool(_) | Self::List(_) | Self::Dictionary(_) => None,
        }
    }
}

/// Whether these bytes are the key of a version 2 group: its 32-byte uid, its server's address,
/// and its category (0 a server's group, 1 an organisation's directory).
pub(super) fn is_group_key(id: &[u8]) -> bool {
    match Encoded::decode(id) {
        Some(Encoded::List(parts)) => match parts.as_slice() {
            [Encoded::Bytes(uid), server, Encoded::Int(_)] => {
                uid.len() == 32 && server.text().is_some()
            }
            _ => false,
        },
        Some(Encoded::Bytes(_) | Encoded::Int(_) | Encoded::Bool(_) | Encoded::Dictionary(_))
        | None => false,
    }
}

/// A link preview. Its title, description and picture stay in the file: the model has no place
/// for them, and the address is what people sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkPreview<'a> {
    /// The address it stands for.
    pub(super) url: Option<&'a str>,
}

impl<'a> LinkPreview<'a> {
    /// Reads the file of a link preview; `None` when it is none. Unknown keys are passed over.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let Encoded::Dictionary(pairs) = Encoded::decode(bytes)? else { return None };
        let mut preview = Self::default();
        for (key, value) in &pairs {
            match *key {
                b"title" | b"desc" => {
                    value.text()?;
                }
                b"url" => preview.url = Some(value.text()?),
                _ => {}
            }
        }
        Some(preview)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn encode(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn a_group_key_is_read() {
        let parts = [
            encode(0, &[7; 32]),
            encode(0, b"https://server.example"),
            encode(1, &1i64.to_be_bytes()),
        ];
        let key = encode(3, &parts.concat());
        assert!(is_group_key(&key));
        for length in 0..key.len() {
            assert!(!is_group_key(&key[..length]));
        }
        assert!(!is_group_key(&encode(4, b"")));
    }

    #[test]
    fn a_link_preview_is_read() {
        let pairs = [
            encode(0, b"url"),
            encode(0, "https://é".as_bytes()),
            encode(0, b"new"),
            encode(2, &[1]),
        ];
        let file = encode(4, &pairs.concat());
        let preview = LinkPreview::decode(&file).unwrap();
        assert_eq!(preview, LinkPreview { url: Some("https://é") });
        assert_eq!(LinkPreview::decode(b"GIF89a"), None);
    }

    #[test]
    fn depth_is_bounded() {
        let mut deep = encode(3, b"");
        for _ in 0..1000 {
            deep = encode(3, &deep);
        }
        assert_eq!(Encoded::decode(&deep), None);
    }
}
