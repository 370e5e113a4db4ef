//! Several versions of one message become one: holes are filled, the later state wins where the
//! versions say which is later, and what they contradict each other in is said.

use std::collections::BTreeMap;

use crate::model::media::{Attachment, AttachmentState};
use crate::model::message::{Body, Edited, Location, Message, Poll, Reaction};
use crate::model::time::{SentAt, UnixMillis};

/// A version of a message.
#[derive(Debug)]
pub(super) struct Version {
    /// The number of its export.
    pub(super) source: usize,
    pub(super) message: Message,
}

/// The message, and what became of its versions.
#[derive(Debug)]
pub(super) struct United {
    pub(super) message: Message,
    /// The export its place is in.
    pub(super) source: usize,
    /// For each of its attachments, the exports that hold the file and its name there.
    pub(super) files: Vec<Vec<(usize, Attachment)>>,
    /// How many versions there were.
    pub(super) versions: usize,
    /// Whether words came from another version than the rest.
    pub(super) filled_text: bool,
    /// What the versions contradict each other in, in English.
    pub(super) conflicts: Vec<&'static str>,
}

/// Makes one of several versions, which are in the order of the exports. `last` is the time of
/// each export's last message: what is older and not there was taken back, or never arrived.
///
/// `None` without a version.
pub(super) fn unite(versions: &[Version], last: &[UnixMillis]) -> Option<United> {
    let best = versions
        .iter()
        .enumerate()
        .max_by_key(|(at, version)| (worth(&version.message), std::cmp::Reverse(*at)));
    let best = best.map(|(at, _)| at)?;
    let mut united = United {
        source: versions.get(best)?.source,
        message: versions.get(best)?.message.clone(),
        files: Vec::new(),
        versions: versions.len(),
        filled_text: false,
        conflicts: Vec::new(),
    };
    united.files = files(&united.message, versions);
    if let [_] = versions {
        return Some(united);
    }
    united.attachments();
    united.words(best, versions);
    united.kinds(versions);
    let message = &mut united.message;
    for Version { message: other, .. } in versions {
        if message.reply_to.is_none() {
            message.reply_to.clone_from(&other.reply_to);
        }
        if message.forwarded.is_none() {
            message.forwarded.clone_from(&other.forwarded);
        }
        if message.topic.is_none() {
            message.topic.clone_from(&other.topic);
        }
        if message.sender.is_none() {
            message.sender.clone_from(&other.sender);
        }
        let history =
            |edited: &Option<_>| edited.as_ref().map(|edited: &Edited| edited.history.len());
        if history(&other.edited) > history(&message.edited) {
            message.edited.clone_from(&other.edited);
        }
        if other.sent_at.precision > message.sent_at.precision {
            message.sent_at.clone_from(&other.sent_at);
        }
        // The earlier end: nobody's message may live longer than somebody was told.
        message.expires_at = match (message.expires_at, other.expires_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        fill(&mut message.body, &other.body);
    }
    united.reactions(versions, last);
    Some(united)
}

/// How much a version holds.
fn worth(message: &Message) -> (usize, bool, bool) {
    let present = |file: &&Attachment| file.state == AttachmentState::Present;
    let has_content = match &message.body {
        Body::Text(text) => !text.plain.is_empty(),
        Body::Unknown { .. } | Body::Deleted { .. } => false,
        Body::Media { .. }
        | Body::Sticker { .. }
        | Body::Location(_)
        | Body::Contact { .. }
        | Body::Poll(_)
        | Body::Call(_)
        | Body::System(_) => true,
    };
    let files = message.body.attachments();
    (files.iter().copied().filter(present).count(), message.edited.is_some(), has_content)
}

/// Where the files of a message lie: in versions with the same digest, or, where an export states
/// none, at the same place among as many.
fn files(message: &Message, versions: &[Version]) -> Vec<Vec<(usize, Attachment)>> {
    let wanted = message.body.attachments();
    let matching = |(at, file): (usize, &&Attachment)| {
        versions
            .iter()
            .filter_map(|version| {
                let theirs = version.message.body.attachments();
                let same = match file.sha256 {
                    Some(digest) => theirs.iter().find(|other| {
                        other.sha256 == Some(digest) && other.state == AttachmentState::Present
                    }),
                    None => theirs.get(at).filter(|other| {
                        theirs.len() == wanted.len() && other.state == AttachmentState::Present
                    }),
                };
                same.map(|other| (version.source, (*other).clone()))
            })
            .collect()
    };
    wanted.iter().enumerate().map(matching).collect()
}

impl United {
    /// Takes what is known of a file from the version that holds it.
    fn attachments(&mut self) {
        for (file, held) in self.message.body.attachments_mut().into_iter().zip(&self.files) {
            if let Some((_, other)) =
                held.first().filter(|_| file.state != AttachmentState::Present)
            {
                let name = file.name.take();
                *file = other.clone();
                file.name = name.or_else(|| other.name.clone());
            }
        }
    }

    /// The words: those of an edited version before those of one that is not, any before none.
    fn words(&mut self, best: usize, versions: &[Version]) {
        let plain = |version: &Version| version.message.body.words().map(|text| text.plain.clone());
        let is_edited = |version: &&Version| version.message.edited.is_some();
        let spoken = |version: &&Version| plain(version).is_some_and(|plain| !plain.is_empty());
        let edited: Vec<&Version> = versions.iter().filter(is_edited).filter(spoken).collect();
        let candidates: Vec<&Version> =
            if edited.is_empty() { versions.iter().filter(spoken).collect() } else { edited };
        let own = versions.get(best).and_then(plain);
        let chosen =
            candidates.iter().find(|version| plain(version) == own).or_else(|| candidates.first());
        let Some(chosen) = chosen else { return };
        if candidates.iter().any(|other| plain(other) != plain(chosen)) {
            self.conflicts.push(
                "the words differ, and nothing says which are later; the first export's were kept",
            );
        }
        let text = chosen.message.body.words().cloned();
        let filled = match (&mut self.message.body, text) {
            (Body::Text(own), Some(text)) if *own != text => {
                let was_empty = own.plain.is_empty();
                *own = text;
                was_empty
            }
            (Body::Media { caption, .. }, Some(text)) if caption.as_ref() != Some(&text) => {
                caption.replace(text).is_none()
            }
            (
                Body::Text(_)
                | Body::Media { .. }
                | Body::Sticker { .. }
                | Body::Location(_)
                | Body::Contact { .. }
                | Body::Poll(_)
                | Body::Call(_)
                | Body::System(_)
                | Body::Deleted { .. }
                | Body::Unknown { .. },
                _,
            ) => false,
        };
        self.filled_text = filled;
    }

    fn kinds(&mut self, versions: &[Version]) {
        // An omitted file has no kind on Android; an empty message may have lost its content.
        let class = |message: &Message| match &message.body {
            Body::Media { .. } | Body::Sticker { .. } | Body::Contact { .. } => Some("file"),
            Body::Text(text) if text.plain.is_empty() => None,
            Body::Unknown { .. } => None,
            Body::Text(_)
            | Body::Location(_)
            | Body::Poll(_)
            | Body::Call(_)
            | Body::System(_)
            | Body::Deleted { .. } => Some(message.body.kind()),
        };
        let own = class(&self.message);
        let others = versions.iter().filter_map(|version| class(&version.message));
        if others.into_iter().any(|other| own.is_some_and(|own| own != other)) {
            self.conflicts
                .push("the exports hold different kinds of content; the fuller one was kept");
        }
        let reply =
            |message: &Message| message.reply_to.as_ref().and_then(|reply| reply.id.clone());
        let mut replies = versions.iter().filter_map(|version| reply(&version.message));
        let first = replies.next();
        if replies.any(|other| Some(&other) != first.as_ref()) {
            self.conflicts
                .push("it answers different messages; the first export's answer was kept");
        }
    }

    /// One reaction a person: the latest. One that an export lacks although it goes on after it
    /// may have been taken back.
    fn reactions(&mut self, versions: &[Version], last: &[UnixMillis]) {
        let mut by_person: Vec<Reaction> = Vec::new();
        let mut counted: BTreeMap<String, Reaction> = BTreeMap::new();
        let mut doubtful = false;
        for Version { message, .. } in versions {
            for reaction in &message.reactions {
                let Some(by) = &reaction.by else {
                    let known = counted.entry(reaction.emoji.clone());
                    let known = known.or_insert_with(|| reaction.clone());
                    known.count = known.count.max(reaction.count);
                    continue;
                };
                let at = |reaction: &Reaction| reaction.at.as_ref().map(|at| at.at);
                // An account may react more than once where the messenger lets it.
                let several =
                    message.reactions.iter().filter(|other| other.by.as_ref() == Some(by));
                let several = several.count() > 1;
                let known = by_person.iter_mut().find(|known| {
                    known.by.as_ref().is_some_and(|known| known.id == by.id)
                        && (!several || known.emoji == reaction.emoji)
                });
                match known {
                    Some(known) if at(reaction) > at(known) => known.clone_from(reaction),
                    Some(_) => {}
                    None => by_person.push(reaction.clone()),
                }
            }
        }
        for reaction in &by_person {
            let Some((by, at)) = reaction.by.as_ref().zip(reaction.at.as_ref()) else { continue };
            doubtful |= versions.iter().any(|version| {
                let reactions = &version.message.reactions;
                let lacks = !reactions
                    .iter()
                    .any(|other| other.by.as_ref().is_some_and(|other| other.id == by.id));
                lacks && last.get(version.source).is_some_and(|last| at.at < *last)
            });
        }
        if doubtful {
            self.conflicts.push(
                "a reaction stands in one export only and may have been taken back; it was kept",
            );
        }
        by_person.extend(counted.into_values());
        self.message.reactions = by_person;
    }
}

/// Fills what one body leaves open from another of the same kind.
fn fill(own: &mut Body, other: &Body) {
    match (own, other) {
        (Body::Poll(own), Body::Poll(other)) => fill_poll(own, other),
        (Body::Location(own), Body::Location(other)) => fill_location(own, other),
        (Body::System(own), Body::System(other)) => {
            if own.actor.is_none() {
                own.actor.clone_from(&other.actor);
            }
            if own.targets.is_empty() {
                own.targets.clone_from(&other.targets);
            }
        }
        (Body::Call(own), Body::Call(other)) => {
            own.duration_s = own.duration_s.or(other.duration_s);
        }
        (Body::Contact { cards: own }, Body::Contact { cards: other }) => {
            for (own, other) in own.iter_mut().zip(other) {
                if own.name.is_empty() {
                    own.name.clone_from(&other.name);
                }
                if own.phone.is_none() {
                    own.phone.clone_from(&other.phone);
                }
            }
        }
        // Another kind is a conflict, which is said elsewhere; words and files are, too.
        (
            Body::Poll(_)
            | Body::Location(_)
            | Body::System(_)
            | Body::Call(_)
            | Body::Contact { .. }
            | Body::Text(_)
            | Body::Media { .. }
            | Body::Sticker { .. }
            | Body::Deleted { .. }
            | Body::Unknown { .. },
            _,
        ) => {}
    }
}

/// Android writes a live place as an ordinary one.
fn fill_location(own: &mut Location, other: &Location) {
    own.live |= other.live;
    own.period_s = own.period_s.or(other.period_s);
    own.latitude = own.latitude.or(other.latitude);
    own.longitude = own.longitude.or(other.longitude);
    if own.label.is_none() {
        own.label.clone_from(&other.label);
    }
    if own.url.is_none() {
        own.url.clone_from(&other.url);
    }
}

/// Everybody's vote, the latest where only one counts.
fn fill_poll(own: &mut Poll, other: &Poll) {
    own.multiple = own.multiple.or(other.multiple);
    own.closed = own.closed.max(other.closed);
    own.total_voters = own.total_voters.max(other.total_voters);
    let one_only = own.multiple != Some(true);
    let at = |at: &Option<SentAt>| at.as_ref().map(|at| at.at);
    for (number, theirs) in other.options.iter().enumerate() {
        for vote in &theirs.voters {
            let mut earlier = own
                .options
                .iter_mut()
                .enumerate()
                .flat_map(|(at, option)| option.voters.iter_mut().map(move |vote| (at, vote)));
            let known = earlier
                .find(|(at, known)| known.by.id == vote.by.id && (one_only || *at == number));
            match known {
                Some((place, known)) if place == number => {
                    if at(&vote.at) > at(&known.at) {
                        known.clone_from(vote);
                    }
                    continue;
                }
                Some((_, known)) if at(&vote.at) <= at(&known.at) => continue,
                Some(_) | None => {}
            }
            if one_only {
                for option in &mut own.options {
                    option.voters.retain(|known| known.by.id != vote.by.id);
                }
            }
            if let Some(option) = own.options.get_mut(number) {
                option.voters.push(vote.clone());
            }
        }
        if let Some(option) = own.options.get_mut(number) {
            option.votes = option.votes.max(theirs.votes);
        }
    }
}
