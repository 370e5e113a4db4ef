//! The messages of a chat, out of the walker's window, one at a time.
//!
//! A message is parsed in place; one that does not parse is framed by its brackets or by its
//! indentation, repaired, and parsed again, so that a bad record costs itself and nothing more.

use serde_json::Value;

use super::frame::{end_by_lines, id_style, text_at_hand};
use super::raw::{RawMessage, salvage};
use super::repair::{Repairs, repair};
use super::walk::{Answer, ChatHead, End, LONGEST_RECORD, Step, Walker};

/// How far ahead the style of ids is looked for before a chat's first message is handed on.
const LOOK_AHEAD: usize = 64 << 10;

impl Walker<'_, '_> {
    /// The messages of a chat.
    pub(super) fn messages(&mut self, mut head: ChatHead) -> Result<(), End> {
        if self.peek()? != b'[' {
            return self.skip();
        }
        self.window.want(LOOK_AHEAD);
        head.id_style = id_style(self.window.rest());
        let answer = self.tell(Step::Chat(head))?;
        if answer == Answer::Skip {
            self.skip()?;
            self.tell(Step::ChatEnd)?;
            return Ok(());
        }
        self.window.consume(1);
        let mut number = 0;
        // Behind a bad record there are often more: the next ones are taken one by one.
        let mut careful = 0_u32;
        loop {
            match careful.checked_sub(1) {
                Some(left) => careful = left,
                None => self.whole_messages(&mut number)?,
            }
            match self.peek()? {
                b']' => {
                    self.window.consume(1);
                    self.tell(Step::ChatEnd)?;
                    return Ok(());
                }
                b',' => self.window.consume(1),
                _ => {
                    number += 1;
                    if self.message(number)? {
                        careful = 64;
                    }
                }
            }
        }
    }

    /// The sound messages that are wholly at hand. Their bytes are checked to be text all at
    /// once, which is much cheaper than string by string.
    fn whole_messages(&mut self, number: &mut u64) -> Result<(), End> {
        let text = text_at_hand(self.window.rest());
        let mut at = 0;
        let mut stopped = false;
        while !stopped {
            let rest = text.get(at..).unwrap_or_default();
            let gap = rest.bytes().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b','));
            at += gap.count();
            let rest = text.get(at..).unwrap_or_default();
            if !rest.starts_with('{') {
                break;
            }
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<RawMessage<'_>>();
            let Some(Ok(raw)) = stream.next() else { break };
            at += stream.byte_offset();
            *number += 1;
            let step = Step::Message {
                number: *number,
                raw: Box::new(raw),
                repairs: Repairs::default(),
                misshapen: Vec::new(),
            };
            stopped = (self.listen)(step) == Answer::Stop;
        }
        self.window.consume(at);
        if stopped { Err(End::Stopped) } else { Ok(()) }
    }

    /// One element, parsed in place where it can be. Says whether it had to be mended.
    fn message(&mut self, number: u64) -> Result<bool, End> {
        loop {
            let at_hand = self.window.rest().len();
            let mut stream = serde_json::Deserializer::from_slice(self.window.rest())
                .into_iter::<RawMessage<'_>>();
            match stream.next() {
                Some(Ok(raw)) => {
                    let used = stream.byte_offset();
                    let step = Step::Message {
                        number,
                        raw: Box::new(raw),
                        repairs: Repairs::default(),
                        misshapen: Vec::new(),
                    };
                    let answer = (self.listen)(step);
                    self.window.consume(used);
                    return if answer == Answer::Stop { Err(End::Stopped) } else { Ok(false) };
                }
                Some(Err(error)) if error.is_eof() && at_hand < LONGEST_RECORD => {
                    // Doubling keeps a long record from being parsed again for every chunk.
                    self.window.want(at_hand * 2);
                    if self.window.rest().len() == at_hand {
                        return Err(End::Truncated);
                    }
                }
                Some(Err(_)) | None => return self.mend(number).map(|()| true),
            }
        }
    }

    /// An element that does not parse as it stands. Where its brackets lead astray, as a stray
    /// quote makes them do, the exporter's indentation tells where it ends.
    fn mend(&mut self, number: u64) -> Result<(), End> {
        let framed = self.frame();
        if let Ok(Some(length)) = framed
            && self.mended(number, length)?
        {
            return Ok(());
        }
        let (length, reason) = match (end_by_lines(self.window.rest()), framed) {
            (Some(length), _) if self.mended(number, length)? => return Ok(()),
            (Some(length), _) | (None, Ok(Some(length))) => (length, "not a readable object"),
            (None, Ok(None)) => {
                self.skip()?;
                self.window.shrink();
                (0, "a record of more than 16 MiB")
            }
            (None, Err(end)) => return Err(end),
        };
        self.window.consume(length);
        self.tell(Step::Unreadable { number, reason })?;
        Ok(())
    }

    /// Repairs and hands on the record of this length, if it is one.
    fn mended(&mut self, number: u64, length: usize) -> Result<bool, End> {
        let record = self.window.rest().get(..length).unwrap_or_default();
        let (fixed, repairs) = repair(record);
        if let Ok(raw) = serde_json::from_str::<RawMessage<'_>>(&fixed) {
            self.window.consume(length);
            let raw = Box::new(raw);
            self.tell(Step::Message { number, raw, repairs, misshapen: Vec::new() })?;
            return Ok(true);
        }
        match serde_json::from_str::<Value>(&fixed) {
            Ok(value) if value.is_object() => {
                self.window.consume(length);
                let (raw, misshapen) = salvage(&value);
                let misshapen = misshapen.into_iter().map(str::to_owned).collect();
                let raw = Box::new(raw);
                self.tell(Step::Message { number, raw, repairs, misshapen })?;
                Ok(true)
            }
            Ok(_) | Err(_) => Ok(false),
        }
    }
}
