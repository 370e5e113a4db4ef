//! What one message shows on its page, read from its markup; what it means is for `convert`.

use jiff::civil::DateTime;

use super::media::{self, Media};
use super::tree::{Element, Node, parse};
use super::words;
use crate::archive::telegram::clock::parse_html;
use crate::model::text::Text;

/// One message of a page.
#[derive(Debug)]
pub(in super::super) struct Shown {
    /// The number in its anchor; those of date lines mean nothing.
    pub(in super::super) number: Option<i64>,
    pub(in super::super) content: Content,
}

/// What it is.
#[derive(Debug)]
pub(in super::super) enum Content {
    /// A line between days.
    Day(DateTime),
    /// A line of the messenger.
    Service { words: String, points_at: Option<i64> },
    /// A message.
    Message(Box<Spoken>),
}

/// A clock time as a page shows it: the wall clock, and the standard offset if it is printed.
pub(in super::super) type Stamp = (DateTime, Option<i32>);

/// A message of a person.
#[derive(Debug, Default)]
pub(in super::super) struct Spoken {
    /// Whether the head is left out, being the same as that of the message before.
    pub(in super::super) joined: bool,
    pub(in super::super) from: Option<String>,
    pub(in super::super) via_bot: bool,
    pub(in super::super) at: Option<Stamp>,
    pub(in super::super) forwarded: Option<Original>,
    pub(in super::super) reply: Option<Reply>,
    pub(in super::super) media: Option<Media>,
    pub(in super::super) text: Text,
    pub(in super::super) reactions: Vec<Shared>,
    /// Rows of buttons under it.
    pub(in super::super) buttons: usize,
    pub(in super::super) signed: bool,
    /// The classes of parts that are not known.
    pub(in super::super) unknown: Vec<String>,
}

/// The head of a forwarded message; empty where it is joined to the one before.
#[derive(Debug, Default)]
pub(in super::super) struct Original {
    pub(in super::super) from: Option<String>,
    pub(in super::super) at: Option<Stamp>,
}

/// What a message answers.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Reply {
    To(i64),
    /// In another chat, or not to be made out.
    Elsewhere,
}

/// One emoji's reactions.
#[derive(Debug, Default)]
pub(in super::super) struct Shared {
    pub(in super::super) emoji: String,
    /// The names that are shown.
    pub(in super::super) by: Vec<String>,
    /// How many there are, where it is shown.
    pub(in super::super) count: Option<u32>,
}

/// Reads one message's markup.
pub(in super::super) fn read(markup: &str) -> Option<Shown> {
    let root = parse(markup);
    let element = root.elements().next()?;
    let number = element
        .attribute("id")
        .and_then(|id| id.strip_prefix("message").and_then(|number| number.parse().ok()));
    let body = element.child("body");
    let content = if element.has_class("service") {
        let details = body.filter(|body| body.has_class("details"));
        let words = details.or(body).map(Element::words).unwrap_or_default();
        if let Some(day) = day(&words) {
            Content::Day(day)
        } else {
            let points_at = details.and_then(anchor);
            Content::Service { words: words.trim().to_owned(), points_at }
        }
    } else {
        let mut spoken = Spoken { joined: element.has_class("joined"), ..Spoken::default() };
        if let Some(body) = body {
            spoken.parts(body);
        }
        Content::Message(Box::new(spoken))
    };
    Some(Shown { number, content })
}

impl Spoken {
    fn parts(&mut self, body: &Element<'_>) {
        for part in body.elements() {
            if part.has_class("date") {
                self.at = stamp(part);
            } else if part.has_class("forwarded") && part.has_class("userpic_wrap") {
                // The picture of the first author.
            } else if part.has_class("forwarded") {
                self.forwarded = Some(Original::default());
                self.parts(part);
            } else if part.has_class("from_name") {
                self.name(part);
            } else if part.has_class("reply_to") {
                self.reply = Some(anchor(part).map_or(Reply::Elsewhere, Reply::To));
            } else if part.has_class("media_wrap") {
                self.media = media::read(part);
            } else if part.has_class("text") {
                self.text = words::read(part);
            } else if part.has_class("reactions") {
                self.reactions = reactions(part);
            } else if part.has_class("bot_buttons_table") {
                let mut rows = Vec::new();
                part.find_all("bot_button_row", &mut rows);
                self.buttons = rows.len();
            } else if part.has_class("signature") {
                self.signed = true;
            } else if !part.has_class("userpic_wrap") {
                let class = part.classes().last().unwrap_or(part.tag);
                self.unknown.push(class.chars().take(64).collect());
            }
        }
    }

    /// The head: of the message, or of what it forwards.
    fn name(&mut self, part: &Element<'_>) {
        let mut name = part.own_words();
        let date = part.child("date");
        if date.is_some() {
            // Between the name and its date stands no line end to be taken off.
            name.truncate(name.trim_end_matches([' ', '\n']).len());
        }
        if let Some((before, bot)) = name.rsplit_once(" via @")
            && !bot.contains(' ')
        {
            name.truncate(before.len());
            self.via_bot = true;
        }
        match &mut self.forwarded {
            Some(original) => {
                original.from = Some(name);
                original.at = date.and_then(stamp);
            }
            None => self.from = Some(name),
        }
    }
}

fn stamp(element: &Element<'_>) -> Option<Stamp> {
    parse_html(&element.attribute("title")?)
}

/// The message a link inside points at.
fn anchor(element: &Element<'_>) -> Option<i64> {
    element.children.iter().find_map(|node| match node {
        Node::Element(link) if link.tag == "a" => {
            let href = link.attribute("href")?;
            let (_, number) = href.split_once("#go_to_message")?;
            number.parse().ok()
        }
        Node::Element(_) | Node::Text(_) => None,
    })
}

fn reactions(part: &Element<'_>) -> Vec<Shared> {
    let mut found = Vec::new();
    part.find_all("reaction", &mut found);
    found
        .into_iter()
        .map(|reaction| {
            let emoji = reaction.child("emoji");
            let own = emoji.map(Element::words).unwrap_or_default();
            let custom = emoji.is_some_and(|emoji| emoji.elements().any(|e| e.tag == "a"));
            let mut people = Vec::new();
            reaction.find_all("initials", &mut people);
            Shared {
                emoji: if custom { ":custom_emoji:".to_owned() } else { own.trim().to_owned() },
                by: people
                    .iter()
                    .map(|person| person.attribute("title").unwrap_or_default().into_owned())
                    .collect(),
                count: reaction.child("count").and_then(|count| count.words().trim().parse().ok()),
            }
        })
        .collect()
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `6 November 2018`, the line between two days. English whatever the app's language.
fn day(words: &str) -> Option<DateTime> {
    let mut parts = words.split_ascii_whitespace();
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    DateTime::new(year.parse().ok()?, i8::try_from(month).ok()?, day.parse().ok()?, 0, 0, 0, 0).ok()
}
