//! Who is who across exports, and the best name for each.
//!
//! Where ids travel with messages there is nothing to decide but the name. Where a person is known
//! by the name on the exporting phone, the messages that two exports share tell which names are
//! one person's: nearly all that one export has from the one name the other has from the other,
//! and neither export knows both.

use std::collections::HashMap;

use super::index::Index;
use super::spill::{NOBODY, Spilled};
use crate::archive::canonical::form::ParticipantHeader;
use crate::archive::reader::{IdScope, NameKind, ParticipantSurvey};
use crate::model::author::Author;
use crate::model::ids::ParticipantId;
use crate::model::message::Message;
use crate::model::text::Style;

/// Of a hundred shared messages so many must agree before two names are one person's.
const AGREEING_PERCENT: u64 = 95;
/// Below so many shared messages all of them must agree.
const FEW: u64 = 3;

/// Everybody of the merged chat.
#[derive(Debug, Default)]
pub(super) struct People {
    /// The person to be shown for each id of any export.
    by_id: HashMap<ParticipantId, Author>,
    list: Vec<ParticipantHeader>,
    /// Names that were found to be another name's person.
    pub(super) joined: u64,
    /// Pairs of names that share messages and could not be decided.
    pub(super) undecided: u64,
}

impl People {
    pub(super) fn new(
        surveys: &[&[ParticipantSurvey]],
        sources: &[Spilled],
        index: &Index,
        scope: IdScope,
    ) -> Self {
        let mut known: HashMap<&ParticipantId, (NameKind, usize, &str)> = HashMap::new();
        for (source, participants) in surveys.iter().enumerate() {
            for ParticipantSurvey { id, name, name_kind, messages: _ } in *participants {
                let worth = (*name_kind, source, name.as_str());
                let best = known.entry(id).or_insert(worth);
                // The better kind of name, then the earlier export's.
                *best = (*best).min(worth);
            }
        }
        let mut people = Self::default();
        let mut same: HashMap<ParticipantId, ParticipantId> = HashMap::new();
        if scope == IdScope::Derived {
            same = people.correspondences(sources, index, &known);
        }
        let mut shown: Vec<(&ParticipantId, &(NameKind, usize, &str))> =
            known.iter().map(|(id, worth)| (*id, worth)).collect();
        shown.sort_unstable();
        for (id, (name_kind, _, name)) in shown {
            let author = Author { id: id.clone(), name: (*name).to_owned() };
            if !same.contains_key(id) {
                people.list.push(ParticipantHeader {
                    id: id.clone(),
                    name: author.name.clone(),
                    name_kind: *name_kind,
                });
            }
            people.by_id.insert(id.clone(), author);
        }
        for (id, other) in &same {
            if let Some(author) = people.by_id.get(other).cloned() {
                people.by_id.insert(id.clone(), author);
            }
        }
        people
    }

    /// For each name that is another one's person, the id of the better one.
    fn correspondences(
        &mut self,
        sources: &[Spilled],
        index: &Index,
        known: &HashMap<&ParticipantId, (NameKind, usize, &str)>,
    ) -> HashMap<ParticipantId, ParticipantId> {
        let mut shared: HashMap<[(u16, u32); 2], u64> = HashMap::new();
        let sender = |member: &(u16, u32)| {
            let sender = sources.get(usize::from(member.0))?.senders.get(member.1 as usize)?;
            (*sender != NOBODY).then_some((member.0, *sender))
        };
        for group in (0_u32..).take(index.len()) {
            let members = index.members(group);
            for (at, one) in members.iter().enumerate() {
                for other in members.iter().skip(at + 1) {
                    if let Some(pair) = sender(one).zip(sender(other)) {
                        *shared.entry(pair.into()).or_default() += 1;
                    }
                }
            }
        }
        // How many messages a person of one export shares with another export.
        let mut totals: HashMap<((u16, u32), u16), u64> = HashMap::new();
        for ([one, other], count) in &shared {
            *totals.entry((*one, other.0)).or_default() += count;
            *totals.entry((*other, one.0)).or_default() += count;
        }
        let id = |(source, person): (u16, u32)| {
            sources.get(usize::from(source))?.people.get(person as usize)
        };
        let writes = |source: u16, id: &ParticipantId| {
            sources.get(usize::from(source)).is_some_and(|source| source.people.contains(id))
        };
        let mut same: HashMap<ParticipantId, ParticipantId> = HashMap::new();
        let mut pairs: Vec<_> = shared.into_iter().collect();
        pairs.sort_unstable();
        for ([one, other], count) in pairs {
            let Some((a, b)) = id(one).zip(id(other)).filter(|(a, b)| a != b) else { continue };
            let total = |of, with| totals.get(&(of, with)).copied().unwrap_or_default();
            let most = total(one, other.0).max(total(other, one.0));
            let agree =
                if count < FEW { count == most } else { count * 100 >= most * AGREEING_PERCENT };
            if !agree || writes(other.0, a) || writes(one.0, b) {
                // A few shared words of one minute are chance; more is a person in doubt.
                self.undecided += u64::from(count >= FEW);
                continue;
            }
            let (a, b) = (root(&same, a), root(&same, b));
            if a == b {
                continue;
            }
            let (better, other) = if known.get(&a) <= known.get(&b) { (a, b) } else { (b, a) };
            same.insert(other, better);
            self.joined += 1;
        }
        same.keys()
            .cloned()
            .collect::<Vec<_>>()
            .into_iter()
            .map(|id| {
                let end = root(&same, &id);
                (id, end)
            })
            .collect()
    }

    /// How many people are known by a number only.
    pub(super) fn numbers(&self) -> usize {
        self.list.iter().filter(|person| person.name_kind == NameKind::Number).count()
    }

    /// Everybody, for the header of the archive.
    pub(super) fn into_list(self) -> Vec<ParticipantHeader> {
        self.list
    }

    /// The person shown for an id.
    pub(super) fn shown(&self, id: &ParticipantId) -> ParticipantId {
        self.by_id.get(id).map_or_else(|| id.clone(), |author| author.id.clone())
    }

    /// Names everybody in a message by their best name.
    pub(super) fn name(&self, message: &mut Message) {
        for author in message.authors_mut() {
            if let Some(best) = self.by_id.get(&author.id) {
                author.clone_from(best);
            }
        }
        for span in message.body.words_mut().into_iter().flat_map(|text| &mut text.spans) {
            if let Style::Mention { participant: Some(id) } = &mut span.style {
                *id = self.shown(id);
            }
        }
    }
}

/// The end of a chain of names.
fn root(same: &HashMap<ParticipantId, ParticipantId>, id: &ParticipantId) -> ParticipantId {
    let mut end = id;
    while let Some(next) = same.get(end) {
        end = next;
    }
    end.clone()
}
