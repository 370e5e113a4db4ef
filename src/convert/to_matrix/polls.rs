//! Polls: the question, what is only counted, each known vote, the end. The event names are
//! the unstable ones of MSC3381, which Tchap's clients write and read.

use std::fmt::Write as _;

use ruma::UInt;
use ruma::events::poll::start::PollKind;
use ruma::events::poll::unstable_end::UnstablePollEndEventContent;
use ruma::events::poll::unstable_response::UnstablePollResponseEventContent;
use ruma::events::poll::unstable_start::{
    NewUnstablePollStartEventContent, UnstablePollAnswer, UnstablePollAnswers,
    UnstablePollStartContentBlock,
};

use super::Own;
use super::draft::{Draft, Tone, Who};
use super::{file_event, words};
use crate::convert::policy::Attribution;
use crate::model::author::Author;
use crate::model::finding::FindingKind;
use crate::model::message::{Poll, PollOption, Vote};
use crate::model::time::UnixMillis;

const START: &str = "org.matrix.msc3381.poll.start";
const RESPONSE: &str = "org.matrix.msc3381.poll.response";
const END: &str = "org.matrix.msc3381.poll.end";

/// Says a poll, and what of its result no vote will say.
pub(super) fn start(draft: &mut Draft<'_>, poll: &Poll) {
    let who = draft.author();
    let Some(content) = content(draft, poll) else {
        as_text(draft, poll);
        return;
    };
    words::say_head(draft);
    draft.push(who, draft.message.sent_at.at, START, file_event::object(&content));
    if !votes_say_all(draft, poll) {
        let question = ("question", poll.question.trim().to_owned().into());
        let title = draft.text("poll-results", &[question]);
        let lines = result_lines(draft, poll).join("\n");
        draft.notice(Who::Bot, format!("{title}\n{lines}"));
    }
}

/// Says a poll that cannot be one.
fn as_text(draft: &mut Draft<'_>, poll: &Poll) {
    draft.lose(FindingKind::NotCarried, "a poll that Matrix cannot hold, shown as text");
    let mut words = words::head(draft);
    words.push_str(&draft.text("poll", &[]));
    if poll.multiple == Some(true) {
        words.push_str(" ");
        words.push_str(&draft.text("poll-multiple", &[]));
    }
    words.push_str("\n");
    words.push_str(&poll.question);
    for line in result_lines(draft, poll) {
        words.push_str("\n");
        words.push_str(&line);
    }
    draft.say(draft.author(), Tone::Notice, &words);
}

/// The poll event; `None` for polls without question, with no or too many answers, or so long
/// that they do not fit.
fn content(draft: &Draft<'_>, poll: &Poll) -> Option<NewUnstablePollStartEventContent> {
    let written =
        |text: &str| if text.trim().is_empty() { "…".to_owned() } else { text.to_owned() };
    let answers: Vec<UnstablePollAnswer> = poll
        .options
        .iter()
        .enumerate()
        .map(|(index, option)| UnstablePollAnswer::new(answer_id(index), written(&option.text)))
        .collect();
    let mut fallback = format!("{}{}", draft.prefix(draft.author()).text(), poll.question);
    for (index, answer) in answers.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(fallback, "\n{}. {}", index + 1, answer.text);
    }
    if poll.question.trim().is_empty()
        || fallback.len() * 4 > draft.room_for_words(draft.author(), 0)
    {
        return None;
    }
    let answers = UnstablePollAnswers::try_from(answers).ok()?;
    let question = format!("{}{}", draft.prefix(draft.author()).text(), poll.question);
    let mut block = UnstablePollStartContentBlock::new(question, answers);
    block.kind = PollKind::Disclosed;
    block.max_selections = max_selections(poll);
    Some(NewUnstablePollStartEventContent::plain_text(fallback, block))
}

/// Ids of answers: their numbers, so that votes converted later name the same.
fn answer_id(index: usize) -> String {
    (index + 1).to_string()
}

/// How many answers one may choose; never fewer than somebody did.
fn max_selections(poll: &Poll) -> UInt {
    let chosen = ballots(poll).iter().map(|ballot| ballot.answers.len()).max().unwrap_or(1);
    let allowed = if poll.multiple == Some(true) { poll.options.len() } else { 1 };
    UInt::try_from(chosen.max(allowed).max(1)).unwrap_or(UInt::MAX)
}

/// What one person voted.
struct Ballot<'a> {
    by: &'a Author,
    answers: Vec<usize>,
    at: Option<UnixMillis>,
}

/// The known votes by person, in the order in which people first come.
fn ballots(poll: &Poll) -> Vec<Ballot<'_>> {
    let mut ballots: Vec<Ballot<'_>> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for (index, option) in poll.options.iter().enumerate() {
        for Vote { by, at } in &option.voters {
            let place = *places.entry(&by.id).or_insert(ballots.len());
            if place == ballots.len() {
                ballots.push(Ballot { by, answers: Vec::new(), at: None });
            }
            let Some(ballot) = ballots.get_mut(place) else { continue };
            if ballot.answers.last() != Some(&index) {
                ballot.answers.push(index);
            }
            ballot.at = ballot.at.max(at.as_ref().map(|at| at.at));
        }
    }
    ballots
}

/// Whether a ghost can vote for `author`.
fn can_vote(draft: &Draft<'_>, author: &Author) -> bool {
    draft.policy.attribution == Attribution::Ghosts && draft.person(&author.id).is_some()
}

/// Whether the votes that will be cast tell the whole result.
fn votes_say_all(draft: &Draft<'_>, poll: &Poll) -> bool {
    poll.options.iter().all(|option| {
        let cast = option.voters.iter().filter(|vote| can_vote(draft, &vote.by)).count();
        cast == option.voters.len()
            && option.votes.is_none_or(|votes| usize::try_from(votes).is_ok_and(|v| v <= cast))
    })
}

/// The result in words, one line an answer.
fn result_lines(draft: &Draft<'_>, poll: &Poll) -> Vec<String> {
    let mut lines: Vec<String> =
        poll.options.iter().map(|option| result_line(draft, option)).collect();
    if let Some(voters) = poll.total_voters {
        lines.push(draft.text("poll-total", &[("voters", voters.into())]));
    }
    if poll.closed == Some(true) {
        lines.push(draft.text("poll-closed", &[]));
    }
    lines
}

fn result_line(draft: &Draft<'_>, option: &PollOption) -> String {
    let PollOption { text, votes, voters } = option;
    let known = u32::try_from(voters.len()).unwrap_or(u32::MAX);
    let counted = votes.unwrap_or(0).max(known);
    let mut line = if votes.is_none() && voters.is_empty() {
        text.clone()
    } else {
        let gaps = [("option", text.as_str().into()), ("votes", counted.into())];
        draft.text("poll-option-votes", &gaps)
    };
    let unsaid: Vec<String> = voters
        .iter()
        .filter(|vote| !can_vote(draft, &vote.by))
        .map(|vote| draft.name(&vote.by))
        .collect();
    if !unsaid.is_empty() {
        let _ = write!(line, " ({})", draft.wording.list(&unsaid));
    }
    line
}

/// Casts the known votes, and ends the poll if it is over.
pub(super) fn votes_and_end(draft: &mut Draft<'_>, poll: &Poll, own: &Own<'_>) {
    if !own.parts.iter().any(|part| part.event_type == START) {
        return;
    }
    let poll_event = own.event(|part| part.event_type == START);
    let sent_at = draft.message.sent_at.at;
    let mut last = sent_at;
    for Ballot { by, answers, at } in ballots(poll) {
        if !can_vote(draft, by) {
            continue;
        }
        let at = at.unwrap_or(sent_at);
        last = last.max(at);
        let answers = answers.into_iter().map(answer_id).collect();
        let content = UnstablePollResponseEventContent::new(answers, poll_event.clone());
        let speaker = draft.speaker(Who::Author(by));
        draft.push_bare(speaker, at, RESPONSE, file_event::object(&content));
    }
    if poll.closed == Some(true) {
        // Not before the last vote: clients ignore votes that come after the end.
        let words = draft.text("poll-closed", &[]);
        let content = UnstablePollEndEventContent::new(words, poll_event);
        let speaker = draft.speaker(draft.author());
        draft.push_bare(speaker, last, END, file_event::object(&content));
    }
}
