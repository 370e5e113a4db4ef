//! Reading one discussion: gathered in one pass over the file, then given in order of time.

use std::io;

use serde::Deserialize as _;
use serde_json::Deserializer;

use super::export::{Export, double, unreadable};
use super::files::Look;
use super::lines::Lines;
use super::message::{Conversion, Converted};
use super::order::{Gathering, Row};
use super::raw::{RawKey, RawMessage, TakenOut};
use super::scan::{Attempt, Scan, ScanError};
use super::stream::{Step, walk};
use crate::archive::container::ContainerError;
use crate::archive::reader::{ArchiveError, Flow, Options, Record};
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::ChatId;

/// Gives the messages of `chat` to `sink`, oldest first. Messages of other discussions are
/// passed over without being parsed.
pub(super) fn read(
    export: &Export<'_>,
    chat: &ChatId,
    options: &Options,
    sink: &mut dyn FnMut(Record) -> Flow,
) -> Result<(), ArchiveError> {
    let look = if options.hash_files { Look::Whole } else { Look::Head };
    let conversion = export.conversion(options, look);
    let mut gathered = Gathered {
        chat,
        conversion,
        lines: Lines::default(),
        gathering: Gathering::default(),
        element: 0,
        others: 0,
        found: export.header.discussions.iter().any(|known| known.chat == *chat),
        stopped: false,
    };
    let outcome = walk(&export.header, &|| export.text(), &mut |step| gathered.step(step, sink));
    if gathered.stopped {
        return Ok(());
    }
    if !gathered.found {
        outcome.map_err(|error| export.malformed(&error))?;
        return Err(ArchiveError::NoSuchChat { chat: chat.clone() });
    }
    let others = export.others(gathered.others);
    let broken = outcome.err().map(|error| export.broken(&error));
    for finding in [others, broken].into_iter().flatten() {
        if sink(Record::Finding(finding)) == Flow::Stop {
            return Ok(());
        }
    }
    gathered.give(sink).map_err(|source| {
        let path = "the temporary file that sorts messages".to_owned();
        ContainerError::Io { path, source }.into()
    })
}

struct Gathered<'c> {
    chat: &'c ChatId,
    conversion: Conversion<'c>,
    lines: Lines,
    gathering: Gathering,
    /// Messages met so far, in all discussions that are not skipped.
    element: u64,
    others: u64,
    found: bool,
    stopped: bool,
}

impl Gathered<'_> {
    fn finding(&mut self, finding: Finding, sink: &mut dyn FnMut(Record) -> Flow) -> Flow {
        let flow = sink(Record::Finding(finding));
        self.stopped |= flow == Flow::Stop;
        flow
    }

    fn step<R: io::Read>(
        &mut self,
        step: Step<'_, R>,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<Flow, ScanError> {
        let (key, scan) = match step {
            Step::Stretch(key, scan) => (key, scan),
            // It belongs to no chat that could be told; the survey reports it.
            Step::Unreadable => return Ok(Flow::Continue),
        };
        if key.chat != *self.chat {
            let count = scan.skip_list()?;
            self.element += count;
            self.others += count;
            return Ok(Flow::Continue);
        }
        self.found = true;
        let header = self.conversion.header;
        let person = self.conversion.people.number(&key.sender, header);
        let Some(person) = person else {
            scan.skip()?;
            return Ok(Flow::Continue);
        };
        let id = self.conversion.people.line_id(person, &key.thread);
        let identity =
            self.conversion.people.get(person).map_or(&[][..], |person| &person.identity);
        let line = self.lines.number(&id, person, identity, &key.thread);
        scan.take(b'[')?;
        let mut first = true;
        while scan.another(b']', &mut first)? {
            self.element += 1;
            if self.one(scan, line, sink)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// Gathers the message that lies ahead.
    fn one<R: io::Read>(
        &mut self,
        scan: &mut Scan<R>,
        line: usize,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<Flow, ScanError> {
        let (lines, gathering, element) = (&mut self.lines, &mut self.gathering, self.element);
        let mut keep = |key: RawKey, json: &[u8]| {
            let RawKey { sequence_number: sequence, timestamp } = key;
            if !lines.note(line, sequence) {
                return Ok(false);
            }
            let row = Row { timestamp, line, sequence, element };
            gathering.push(row, json, lines).map(|()| true)
        };
        let parsed = scan.attempt(|ahead| {
            let mut values = Deserializer::from_slice(ahead).into_iter::<RawKey>();
            match values.next() {
                Some(Ok(key)) => {
                    let length = values.byte_offset();
                    Attempt::Done(keep(key, ahead.get(..length).unwrap_or_default()), length)
                }
                Some(Err(error)) => Attempt::failed(error),
                None => Attempt::NeedsMore,
            }
        })?;
        let kept = match parsed {
            Ok(kept) => Some(kept),
            Err(_) => scan.value(|json| {
                // As lenient as the message's own reading will be.
                let text = String::from_utf8_lossy(json);
                let value: serde_json::Value = serde_json::from_str(&text).ok()?;
                Some(keep(RawKey::deserialize(value).ok()?, json))
            })?,
        };
        let place = self.conversion.place(self.element);
        match kept.transpose()? {
            Some(true) => Ok(Flow::Continue),
            Some(false) => Ok(self.finding(double(place), sink)),
            None => Ok(self.finding(unreadable(place, "a message"), sink)),
        }
    }

    fn give(self, sink: &mut dyn FnMut(Record) -> Flow) -> io::Result<()> {
        let Self { chat, mut conversion, lines, gathering, .. } = self;
        let mut ordered = gathering.in_order(&lines)?;
        let mut json = Vec::new();
        while let Some(Row { line, element, .. }) = ordered.next(&mut json)? {
            let Some(line) = lines.get(line) else { continue };
            let converted = match RawMessage::parse(&json) {
                Ok(raw) => Ok(conversion.convert(raw, &TakenOut::default(), chat, line, element)),
                Err(_) => RawMessage::parse_leniently(&json, |raw, taken| {
                    conversion.convert(raw, &taken, chat, line, element)
                }),
            };
            let Ok(Converted { message, answers, people: _, mut findings }) = converted else {
                let finding = unreadable(conversion.place(element), "a message");
                if sink(Record::Finding(finding)) == Flow::Stop {
                    return Ok(());
                }
                continue;
            };
            if let (Some(message), Some((target, sequence))) = (&message, answers)
                && !lines.holds(&target, sequence)
            {
                findings.push(Finding {
                    kind: FindingKind::ReplyTargetMissing,
                    place: message.place.clone(),
                    message: Some(message.id.clone()),
                    detail: String::new(),
                });
            }
            let records = message
                .map(|message| Record::Message(Box::new(message)))
                .into_iter()
                .chain(findings.into_iter().map(Record::Finding));
            for record in records {
                if sink(record) == Flow::Stop {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
