//! Walks through `result.json`: which chats there are, and their messages, one at a time.
//!
//! The file is never held whole and need not be valid as a whole. The walker knows the few keys
//! that lead to messages and steps over everything else unread: contacts, sessions, addresses.
//! The messages themselves are left to `records`, and what they mean to `convert`.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::frame::Frame;
use super::ids::IdStyle;
use super::raw::RawMessage;
use super::repair::{Repairs, repair};
use super::value::Int;
use super::window::Window;

/// A record longer than this is stepped over and reported. The longest text of Telegram has
/// 4,096 characters; a rich message is bounded by the server.
pub(super) const LONGEST_RECORD: usize = 16 << 20;

/// Where in the file a chat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// The file is this one chat.
    Single,
    /// Among the chats of an account.
    Chats,
    /// Among the chats that the owner has left: only the owner's own messages.
    Left,
}

/// What is known of a chat before its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChatHead {
    pub(super) section: Section,
    /// Its number in the file, from 1, left chats continuing the count.
    pub(super) number: u64,
    /// `None` when the key is absent or `null`.
    pub(super) name: Option<String>,
    /// `personal_chat`, …
    pub(super) kind: Option<String>,
    pub(super) id: Option<i64>,
    pub(super) id_style: IdStyle,
}

/// What the walker finds, in order.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// The account's owner, from the personal section; nothing else of it is read.
    Owner(i64),
    /// A chat begins.
    Chat(ChatHead),
    /// One element of its `messages`, numbered from 1.
    Message {
        /// The element's number.
        number: u64,
        raw: Box<RawMessage<'a>>,
        /// What had to be mended.
        repairs: Repairs,
        /// Keys whose values have an unexpected form.
        misshapen: Vec<String>,
    },
    /// An element that cannot be read at all.
    Unreadable {
        /// The element's number.
        number: u64,
        reason: &'static str,
    },
    /// The chat is over.
    ChatEnd,
}

/// What the walker is told to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Go on.
    Go,
    /// As the answer to a chat: step over its messages.
    Skip,
    /// Enough.
    Stop,
}

/// Why the walk is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The file is whole.
    Whole,
    /// It ends inside; every whole message was handed on.
    Truncated,
    /// The listener had enough.
    Stopped,
    /// It is not an export; the reason.
    Malformed(&'static str),
}

/// Goes through one file.
pub(super) fn walk(window: Window<'_>, listen: &mut dyn FnMut(Step<'_>) -> Answer) -> End {
    let mut walker = Walker { window, listen, chats: 0 };
    match walker.object(Section::Single) {
        Ok(()) if walker.window.failed() => End::Truncated,
        Ok(()) => End::Whole,
        Err(end) => end,
    }
}

/// The walk so far. `records` goes through the messages of a chat.
pub(super) struct Walker<'w, 'l> {
    pub(super) window: Window<'w>,
    pub(super) listen: &'l mut dyn FnMut(Step<'_>) -> Answer,
    chats: u64,
}

#[derive(Deserialize)]
struct Owner {
    user_id: Option<Int>,
}

impl Walker<'_, '_> {
    pub(super) fn tell(&mut self, step: Step<'_>) -> Result<Answer, End> {
        let answer = (self.listen)(step);
        if answer == Answer::Stop { Err(End::Stopped) } else { Ok(answer) }
    }

    /// The next byte that is not white space, not consumed.
    pub(super) fn peek(&mut self) -> Result<u8, End> {
        loop {
            let rest = self.window.rest();
            let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
            let at = rest.iter().take_while(|byte| blank(byte)).count();
            let next = rest.get(at).copied();
            self.window.consume(at);
            if let Some(byte) = next {
                return Ok(byte);
            }
            if !self.window.more() {
                return Err(End::Truncated);
            }
        }
    }

    fn expect(&mut self, wanted: u8, otherwise: &'static str) -> Result<(), End> {
        if self.peek()? != wanted {
            return Err(End::Malformed(otherwise));
        }
        self.window.consume(1);
        Ok(())
    }

    /// The key of the next member and its colon, or `None` at the object's end.
    fn key(&mut self) -> Result<Option<String>, End> {
        let mut next = self.peek()?;
        if next == b',' {
            self.window.consume(1);
            next = self.peek()?;
        }
        if next == b'}' {
            self.window.consume(1);
            return Ok(None);
        }
        if next != b'"' {
            return Err(End::Malformed("a key was expected"));
        }
        let key = self.small::<String>()?.unwrap_or_default();
        self.expect(b':', "a colon was expected")?;
        Ok(Some(key))
    }

    /// The root, or one chat of an account: the same keys lead on.
    fn object(&mut self, section: Section) -> Result<(), End> {
        self.expect(b'{', "an object was expected")?;
        let root = section == Section::Single;
        let mut head = ChatHead {
            section,
            number: self.chats + 1,
            name: None,
            kind: None,
            id: None,
            id_style: IdStyle::Unknown,
        };
        let mut told = false;
        while let Some(key) = self.key()? {
            match key.as_str() {
                "name" => head.name = self.small::<Option<String>>()?.flatten(),
                "type" => head.kind = self.small::<Option<String>>()?.flatten(),
                "id" => head.id = self.small::<Option<Int>>()?.flatten().map(|Int(id)| id),
                "messages" if !told => {
                    told = true;
                    self.chats += 1;
                    self.messages(head.clone())?;
                }
                "chats" if root => self.list(Section::Chats)?,
                "left_chats" if root => self.list(Section::Left)?,
                "personal_information" if root => {
                    let owner = self.small::<Owner>()?.and_then(|owner| owner.user_id);
                    if let Some(Int(id)) = owner {
                        self.tell(Step::Owner(id))?;
                    }
                }
                _ => self.skip()?,
            }
        }
        if !told && !root {
            self.chats += 1;
            self.tell(Step::Chat(head))?;
            self.tell(Step::ChatEnd)?;
        }
        Ok(())
    }

    /// `chats` or `left_chats`: an object with a `list`, or the list itself.
    fn list(&mut self, section: Section) -> Result<(), End> {
        if self.peek()? == b'[' {
            return self.elements(section);
        }
        self.expect(b'{', "a list of chats was expected")?;
        while let Some(key) = self.key()? {
            if key == "list" && self.peek()? == b'[' {
                self.elements(section)?;
            } else {
                self.skip()?;
            }
        }
        Ok(())
    }

    fn elements(&mut self, section: Section) -> Result<(), End> {
        self.expect(b'[', "a list was expected")?;
        loop {
            match self.peek()? {
                b']' => {
                    self.window.consume(1);
                    return Ok(());
                }
                b',' => self.window.consume(1),
                b'{' => self.object(section)?,
                _ => self.skip()?,
            }
        }
    }

    /// A small value of the structure, read whole; `None` when it is of another form.
    fn small<T: DeserializeOwned>(&mut self) -> Result<Option<T>, End> {
        self.peek()?;
        let Some(length) = self.frame()? else {
            self.skip()?;
            return Ok(None);
        };
        let bytes = self.window.rest().get(..length).unwrap_or_default();
        let value = serde_json::from_slice(bytes)
            .ok()
            .or_else(|| serde_json::from_str(&repair(bytes).0).ok());
        self.window.consume(length);
        Ok(value)
    }

    /// The length of the value that begins here, once it is wholly at hand; `None` when it is
    /// longer than a record may be.
    pub(super) fn frame(&mut self) -> Result<Option<usize>, End> {
        let mut frame = Frame::default();
        let mut seen = 0;
        loop {
            let fresh = self.window.rest().get(seen..).unwrap_or_default();
            if let Some(length) = frame.advance(fresh) {
                return Ok(Some(seen + length));
            }
            seen += fresh.len();
            if seen > LONGEST_RECORD {
                return Ok(None);
            }
            if !self.window.more() {
                return Err(End::Truncated);
            }
        }
    }

    /// Steps over a value of any length without keeping it.
    pub(super) fn skip(&mut self) -> Result<(), End> {
        self.peek()?;
        let mut frame = Frame::default();
        loop {
            let fresh = self.window.rest();
            if let Some(length) = frame.advance(fresh) {
                self.window.consume(length);
                return Ok(());
            }
            let all = fresh.len();
            self.window.consume(all);
            if !self.window.more() {
                return Err(End::Truncated);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(source: &'static str) -> (Vec<String>, End) {
        let mut seen = Vec::new();
        let end = walk(Window::new(Box::new(source.as_bytes())), &mut |step| {
            seen.push(match step {
                Step::Owner(id) => format!("owner {id}"),
                Step::Chat(head) => {
                    format!(
                        "chat {} {:?} {:?} {:?}",
                        head.number, head.name, head.id, head.id_style
                    )
                }
                Step::Message { number, raw, repairs, misshapen } => {
                    let id = raw.id.map(|Int(id)| id);
                    format!("{number}: {id:?} {} {misshapen:?}", repairs.any())
                }
                Step::Unreadable { number, reason } => format!("{number}: {reason}"),
                Step::ChatEnd => "end".to_owned(),
            });
            Answer::Go
        });
        (seen, end)
    }

    #[test]
    fn finds_the_chats_of_an_account_and_reads_nothing_else() {
        let (seen, end) = trace(
            r#"{"about": "x", "personal_information": {"user_id": 9, "first_name": "}"},
                "sessions": {"list": [{"last_ip": "]"}]},
                "chats": {"about": "y", "list": [
                  {"name": "A", "type": "personal_chat", "id": 5, "messages": [
                    {"id": 1, "from_id": "user5", "text": "[\"}"}, {"id": 2}]},
                  {"name": null, "type": null, "id": 6}]},
                "left_chats": {"list": [{"name": "B", "id": 7, "messages": []}]}}"#,
        );
        assert_eq!(
            seen,
            [
                "owner 9",
                "chat 1 Some(\"A\") Some(5) Peer",
                "1: Some(1) false []",
                "2: Some(2) false []",
                "end",
                "chat 2 None Some(6) Unknown",
                "end",
                "chat 3 Some(\"B\") Some(7) Unknown",
                "end"
            ]
        );
        assert_eq!(end, End::Whole);
    }

    #[test]
    fn a_bad_record_costs_itself_only() {
        let (seen, end) = trace(
            r#"{"messages": [{"id": 1, "text": "a\x01"}, {"id": 2, "text": {"a": 1}}, {"id" 3}, 4,
                {"id": 5}]}"#,
        );
        assert_eq!(
            seen.get(1..),
            Some(
                &[
                    "1: Some(1) true []".to_owned(),
                    "2: Some(2) false [\"text\"]".to_owned(),
                    "3: not a readable object".to_owned(),
                    "4: not a readable object".to_owned(),
                    "5: Some(5) false []".to_owned(),
                    "end".to_owned()
                ][..]
            )
        );
        assert_eq!(end, End::Whole);
    }

    #[test]
    fn a_stray_quote_costs_its_message_only() {
        let (seen, end) = trace(
            "{\n \"messages\": [\n  {\n   \"id\": 1,\n   \"text\": \"a\"b\"\n  },\n  {\n   \"id\": 2,\n   \
             \"text\": \"c\"\n  },\n  {\n   \"id\": 3\n  }\n ]\n}",
        );
        assert_eq!(
            seen.get(1..),
            Some(
                &[
                    "1: not a readable object".to_owned(),
                    "2: Some(2) false []".to_owned(),
                    "3: Some(3) false []".to_owned(),
                    "end".to_owned()
                ][..]
            )
        );
        assert_eq!(end, End::Whole);
    }

    #[test]
    fn every_prefix_ends_without_a_panic() {
        let source = r#"{"name": "x", "messages": [{"id": 1, "a": [{"b\\\"": 1.5}]}, {"id": 2}]}"#;
        for length in 0..source.len() {
            let (seen, end) = trace(source.get(..length).unwrap());
            assert_ne!(end, End::Whole, "{length}");
            assert!(seen.len() <= 4, "{seen:?}");
        }
    }
}
