//! Polls: which of the votes that were cast still count.

use std::borrow::Cow;
use std::collections::HashMap;

use super::ids;
use super::message::{Conversion, Notes, sent_at};
use super::raw::{RawCandidate, RawPoll, RawVote};
use crate::model::finding::FindingKind;
use crate::model::message::{Poll, PollOption, Vote};

/// A vote that may still be overruled.
struct Cast {
    version: i64,
    voted: bool,
    candidate: String,
    timestamp: Option<i64>,
}

/// Every change of a vote is in the export. The highest version counts, of each person, or of
/// each person and answer where several answers may be chosen, and only if it says yes.
pub(super) fn poll(
    raw: RawPoll<'_>,
    cast: Vec<RawVote<'_>>,
    conversion: &mut Conversion<'_>,
    people: &mut Vec<usize>,
    notes: &mut Notes<'_>,
) -> Poll {
    let RawPoll { t, q, c, m, e } = raw;
    if let Some(t) = t.filter(|t| t != "string") {
        notes.add(FindingKind::UnknownKind, format!("a poll of unknown kind `{t:.20}`"));
    }
    let multiple = m.unwrap_or_default();
    let mut latest: HashMap<(usize, Option<String>), Cast> = HashMap::new();
    for RawVote { candidate, voted, version, sender, timestamp } in cast {
        let Some(person) = conversion.people.number(&sender, conversion.header) else {
            notes.add(FindingKind::Unreadable, "a vote of nobody that can be read");
            continue;
        };
        people.push(person);
        let candidate = ids::lower(&candidate).into_owned();
        let key = (person, multiple.then(|| candidate.clone()));
        let cast = Cast { version, voted, candidate, timestamp };
        match latest.get_mut(&key) {
            Some(earlier) if earlier.version >= version => {}
            Some(earlier) => *earlier = cast,
            None => {
                latest.insert(key, cast);
            }
        }
    }
    let mut counted: Vec<(usize, Cast)> = latest
        .into_iter()
        .filter(|(_, cast)| cast.voted)
        .map(|((person, _), cast)| (person, cast))
        .collect();
    let order = |person: usize| conversion.people.get(person).map(|person| &person.identity);
    counted.sort_by(|(a, left), (b, right)| {
        (left.timestamp, order(*a)).cmp(&(right.timestamp, order(*b)))
    });
    let mut voters: Vec<usize> = counted.iter().map(|(person, _)| *person).collect();
    voters.sort_unstable();
    voters.dedup();
    let total_voters = u32::try_from(voters.len()).ok();

    let mut by_candidate: HashMap<String, Vec<Vote>> = HashMap::new();
    for (person, cast) in counted {
        let Some(person) = conversion.people.get(person) else { continue };
        let vote = Vote { by: person.author.clone(), at: cast.timestamp.map(sent_at) };
        by_candidate.entry(cast.candidate).or_default().push(vote);
    }
    let mut options = Vec::with_capacity(c.len());
    for RawCandidate { uuid, t } in c {
        let voters = by_candidate.remove(&*ids::lower(&uuid)).unwrap_or_default();
        options.push(PollOption {
            text: t.map(Cow::into_owned).unwrap_or_default(),
            votes: u32::try_from(voters.len()).ok(),
            voters,
        });
    }
    let astray: usize = by_candidate.values().map(Vec::len).sum();
    if astray > 0 {
        let detail = format!("{astray} votes for an answer the poll does not offer");
        notes.add(FindingKind::Unreadable, detail);
    }
    // Whether the end has come depends on the present, which only the caller knows.
    let closed = e.zip(conversion.options.expired_before).map(|(end, now)| end <= now.0);
    Poll { question: q.into_owned(), options, multiple: Some(multiple), closed, total_voters }
}
