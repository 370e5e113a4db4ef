//! The second pass over a chat: record after record, understood but not yet copied.
//!
//! Both the survey and the reading of messages go through here, so that they cannot disagree.

use std::borrow::Cow;
use std::io::Read;
use std::ops::ControlFlow;

use super::body::{self, Content, FileRef, Setting};
use super::clock::{Local, WallClock};
use super::events::{self, Event};
use super::files::FileIndex;
use super::framing::{Frame, Framer, Header, MAX_RECORD_BYTES};
use super::grammar::{Shape, Stamp};
use super::learn::{InPlace, Learned};
use super::phrases::{self, is_mark};
use super::senders::{Person, Writer};
use crate::archive::container::{Container, ContainerError, Entry};
use crate::archive::reader::Options;
use crate::model::author::Author;
use crate::model::finding::FindingKind;
use crate::model::media::MediaKind;
use crate::model::time::{Precision, UnixMillis, ZoneBasis};

/// What the walk meets, in the order of the file.
pub(super) enum Step<'a> {
    /// A record.
    Item(Item<'a>),
    /// Something that is not a record, or a remark about the next one.
    Remark(Remark),
}

/// A finding before it has a place.
#[derive(Debug)]
pub(super) struct Remark {
    pub kind: FindingKind,
    pub line: Option<u64>,
    pub detail: String,
}

/// A record, understood.
pub(super) struct Item<'a> {
    pub line: u64,
    pub local: Local,
    pub at: UnixMillis,
    pub zone: ZoneBasis,
    pub precision: Precision,
    pub sender: Sender<'a>,
    pub meaning: Meaning<'a>,
    pub edited: bool,
}

/// Who sent a record.
#[derive(Clone, Copy)]
pub(super) enum Sender<'a> {
    /// A person of the list, by number.
    Known(usize, &'a Person),
    /// A person beyond the bound of the list.
    Stranger(&'a Author),
    /// The app.
    App,
}

impl<'a> Sender<'a> {
    /// Id and name.
    pub fn author(self) -> Option<&'a Author> {
        match self {
            Self::Known(_, person) => Some(&person.author),
            Self::Stranger(author) => Some(author),
            Self::App => None,
        }
    }
}

/// What a record is.
pub(super) enum Meaning<'a> {
    /// Something that was sent.
    Sent(Content<'a>),
    /// A line of the app.
    Line {
        /// What it says, where a template fits. Boxed, because most records are none and all are
        /// moved about.
        event: Option<Box<Event<'a>>>,
        /// Whether it is the notice of encryption.
        encryption_notice: bool,
        /// Its words.
        text: &'a str,
    },
}

/// The day number of the last date; neighbours share their day.
#[derive(Default)]
struct Days {
    last: Option<(usize, [u16; 3], Option<i64>)>,
}

impl Days {
    /// The wall-clock time of a header, and the number of its day if there is such a day.
    #[inline]
    fn of(
        &mut self,
        learned: &Learned,
        shape: usize,
        stamp: Stamp,
    ) -> Option<(Local, Option<i64>)> {
        let local = learned.local(shape, &stamp)?;
        match self.last {
            Some((of_shape, date, days)) if of_shape == shape && date == stamp.date => {
                Some((local, days))
            }
            _ => {
                let days = local.exists().then(|| local.days());
                self.last = Some((shape, stamp.date, days));
                Some((local, days))
            }
        }
    }
}

/// What the clock found, told once at the end.
#[derive(Default)]
struct ClockTally {
    repeated: Option<(u64, u64)>,
    impossible: Option<(u64, u64)>,
}

impl ClockTally {
    #[inline]
    fn see(&mut self, zone: ZoneBasis, line: u64) {
        let tally = match zone {
            ZoneBasis::Assumed | ZoneBasis::Stated => return,
            ZoneBasis::AssumedAmbiguous => &mut self.repeated,
            ZoneBasis::AssumedImpossible => &mut self.impossible,
        };
        tally.get_or_insert((line, 0)).1 += 1;
    }
}

/// Goes through a chat. `visit` may stop the walk.
pub(super) fn walk(
    container: &Container,
    entry: &Entry,
    learned: &Learned,
    files: &FileIndex,
    options: &Options,
    mut visit: impl FnMut(Step<'_>) -> ControlFlow<()>,
) -> Result<(), ContainerError> {
    let framer = Framer::new(container.reader(entry)?, &learned.rules);
    // Stopping early is no failure.
    let _ = steps(framer, learned, files, options, &mut visit);
    Ok(())
}

fn steps(
    mut framer: Framer<'_, impl Read>,
    learned: &Learned,
    files: &FileIndex,
    options: &Options,
    visit: &mut impl FnMut(Step<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for doubt in &learned.order_doubts {
        let detail = doubt.clone();
        let kind = FindingKind::DateOrderUncertain;
        visit(Step::Remark(Remark { kind, line: None, detail }))?;
    }
    let mut clocks: Vec<WallClock> = learned
        .rules
        .shapes
        .iter()
        .map(|shape| {
            let precision = if shape.seconds { Precision::Second } else { Precision::Minute };
            WallClock::new(options.time_zone.clone(), precision)
        })
        .collect();
    let mut place = InPlace::default();
    let mut days = Days::default();
    let mut tally = ClockTally::default();
    loop {
        let batch = framer.batch(|header, rest| {
            let Some((local, Some(day))) = days.of(learned, header.shape, header.stamp) else {
                return true;
            };
            let now = day * 86_400 + local.seconds_of_day();
            if !place.fits(now) && learned.people.is_foreign(rest) {
                return false;
            }
            place.see(now);
            true
        });
        let Some(batch) = batch else { break };
        for frame in batch.with_text().frames() {
            for line in frame.refused {
                let detail =
                    "a pasted line that looks like a message was left in the message before it";
                visit(remark(FindingKind::Repaired, *line, detail.to_owned()))?;
            }
            if frame.skipped_bytes > 0 {
                let detail = format!(
                    "a message goes on for {} bytes more than the {MAX_RECORD_BYTES} that are kept",
                    frame.skipped_bytes
                );
                visit(remark(FindingKind::Truncated, frame.line, detail))?;
            }
            let Some(header) = frame.header else {
                if !frame.body.is_empty() {
                    let detail = format!("{} bytes before the first message", frame.body.len());
                    visit(remark(FindingKind::Unreadable, frame.line, detail))?;
                }
                continue;
            };
            let (Some(local), Some(clock)) =
                (learned.local(header.shape, &header.stamp), clocks.get_mut(header.shape))
            else {
                continue;
            };
            let (at, zone) = clock.instant(local);
            tally.see(zone, frame.line);
            let moment = (local, at, zone, clock.precision());
            record(&frame, &header, moment, learned, files, visit)?;
        }
    }
    if let Some(error) = framer.failure() {
        let detail = format!("the file could not be read to its end: {error}");
        visit(Step::Remark(Remark { kind: FindingKind::Truncated, line: None, detail }))?;
    }
    if let Some((line, count)) = tally.repeated {
        let detail = format!("{count} times fall in the hour that clocks show twice in autumn");
        visit(remark(FindingKind::AmbiguousTime, line, detail))?;
    }
    if let Some((line, count)) = tally.impossible {
        let detail = format!("{count} times do not exist in the time zone {}", zone_name(options));
        visit(remark(FindingKind::ImpossibleTime, line, detail))?;
    }
    ControlFlow::Continue(())
}

/// Understands one record and hands it on.
#[inline]
fn record(
    frame: &Frame<'_>,
    header: &Header,
    (local, at, zone, precision): (Local, UnixMillis, ZoneBasis, Precision),
    learned: &Learned,
    files: &FileIndex,
    visit: &mut impl FnMut(Step<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let setting = Setting {
        iphone: learned.rules.shapes.get(header.shape).is_some_and(Shape::is_iphone),
        marked: header.marked,
        one_line: frame.one_line,
    };
    let (writer, bytes) = learned.people.split(frame.body);
    // The body is the end of what follows the header.
    let known = frame.text.and_then(|text| text.get(text.len().checked_sub(bytes.len())?..));
    let body = match known {
        Some(text) => whole(text, learned.crlf_everywhere),
        None => text_of(bytes, learned.crlf_everywhere),
    };
    let body = match &body {
        Text::Whole(text) => text.as_ref(),
        Text::Repaired(text) => {
            let detail = "bytes that are not valid UTF-8 were replaced".to_owned();
            visit(remark(FindingKind::InvalidText, frame.line, detail))?;
            text.as_str()
        }
    };
    let sender = match &writer {
        Writer::Person(index) => {
            learned.people.get(*index).map_or(Sender::App, |person| Sender::Known(*index, person))
        }
        Writer::Stranger(author) => Sender::Stranger(author),
        Writer::App => Sender::App,
    };
    let (meaning, edited, unknown) = understand(body, sender, setting, files);
    if unknown {
        let detail = "words of the app in a language that is not known stand for a file";
        visit(remark(FindingKind::UnknownKind, frame.line, detail.to_owned()))?;
    }
    let sender = match meaning {
        Meaning::Sent(_) => sender,
        Meaning::Line { .. } if sender_is_actor(&meaning) => sender,
        Meaning::Line { .. } => Sender::App,
    };
    let line = frame.line;
    visit(Step::Item(Item { line, local, at, zone, precision, sender, meaning, edited }))
}

fn zone_name(options: &Options) -> &str {
    options.time_zone.iana_name().unwrap_or("given")
}

fn remark(kind: FindingKind, line: u64, detail: String) -> Step<'static> {
    Step::Remark(Remark { kind, line: Some(line), detail })
}

/// Newer iPhones put the one who acted before the app's words.
fn sender_is_actor(meaning: &Meaning<'_>) -> bool {
    match meaning {
        Meaning::Line { event, .. } => event.as_ref().is_some_and(|event| {
            event.actor.is_none()
                && event.target.is_none()
                && event.exporter == events::Role::None
                && event.kind != events::EventKind::Encryption
        }),
        Meaning::Sent(_) => false,
    }
}

enum Text<'a> {
    Whole(Cow<'a, str>),
    Repaired(String),
}

fn text_of(bytes: &[u8], crlf_everywhere: bool) -> Text<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => whole(text, crlf_everywhere),
        Err(_) => Text::Repaired(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn whole(text: &str, crlf_everywhere: bool) -> Text<'_> {
    if crlf_everywhere && text.contains("\r\n") {
        return Text::Whole(Cow::Owned(text.replace("\r\n", "\n")));
    }
    Text::Whole(Cow::Borrowed(text))
}

/// What a record is; whether it was edited; whether it stands for something unknown.
fn understand<'a>(
    body: &'a str,
    sender: Sender<'_>,
    setting: Setting,
    files: &FileIndex,
) -> (Meaning<'a>, bool, bool) {
    let app = matches!(sender, Sender::App);
    if app {
        let line = line_of_app(body);
        if let Meaning::Line { event: None, encryption_notice: false, .. } = line {
            // Missed calls and deleted messages may stand without a name.
            let (content, _) = body::classify(body, setting, files);
            match content {
                Content::Call { .. } | Content::Deleted(_) => {
                    return (Meaning::Sent(content), false, false);
                }
                Content::Words(_)
                | Content::Files { .. }
                | Content::Cards(_)
                | Content::Place(_)
                | Content::Poll { .. }
                | Content::Unknown(_)
                | Content::Notice(_) => {}
            }
        }
        return (line, false, false);
    }
    let (content, edited) = body::classify(body, setting, files);
    let Content::Notice(text) = content else { return (Meaning::Sent(content), edited, false) };
    let line = line_of_app(text);
    if let Meaning::Line { event: None, encryption_notice: false, text } = line {
        if setting.marked && text.chars().count() <= 60 && !text.contains('\n') {
            let file = FileRef { kind: MediaKind::Unknown, exported: None, shown: None };
            let content = Content::Files { files: vec![file], caption: None, view_once: false };
            return (Meaning::Sent(content), edited, true);
        }
        return (Meaning::Sent(Content::Unknown(text)), edited, false);
    }
    (line, edited, false)
}

fn line_of_app(body: &str) -> Meaning<'_> {
    let text = body.trim_start_matches(is_mark);
    let event = events::recognise(text).map(Box::new);
    let encryption_notice = match &event {
        Some(event) => {
            event.kind == events::EventKind::Encryption
                && event.target.is_none()
                && phrases::is_encryption_notice(text)
        }
        None => phrases::is_encryption_notice(text),
    };
    Meaning::Line { event, encryption_notice, text }
}
