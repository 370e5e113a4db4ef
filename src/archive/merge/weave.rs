//! The order of the merged chat.
//!
//! Each export's own order is kept: it is the only thing that orders messages of one minute. A
//! group is next when every export that holds it has come to it; of several the earliest. Where
//! exports disagree (a late message stands elsewhere in each), the earliest of those at hand is
//! taken, and passed over where it comes up again.

use super::error::MergeError;
use super::index::Index;
use crate::model::ids::Network;
use crate::model::message::Message;

/// What orders messages that no export orders. Compared field by field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    at: i64,
    sender: String,
    line: String,
    number: i64,
}

impl Rank {
    /// As the messenger's own exports are ordered: Olvid by sender, thread and number, Telegram
    /// by number, WhatsApp by nothing but the time.
    pub(super) fn of(network: Network, message: &Message) -> Self {
        let at = message.sent_at.at.0;
        let id = message.id.as_str();
        let sender = || message.sender.as_ref().map(|one| one.id.to_string()).unwrap_or_default();
        let (sender, line, number) = match network {
            Network::Whatsapp => (String::new(), "", 0),
            Network::Telegram => {
                let digits = id.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
                (String::new(), "", digits.parse().unwrap_or_default())
            }
            Network::Olvid => {
                let (line, number) = id.rsplit_once('.').unwrap_or((id, ""));
                (sender(), line, number.parse().unwrap_or_default())
            }
        };
        Self { at, sender, line: line.to_owned(), number }
    }
}

/// Walks through all groups in order.
pub(super) struct Weave<'i> {
    index: &'i Index,
    heads: Vec<Head>,
    done: Vec<bool>,
}

/// Where one export stands.
struct Head {
    position: usize,
    /// The group there, and its rank once it was asked for.
    group: Option<(u32, Option<Rank>)>,
}

impl<'i> Weave<'i> {
    pub(super) fn new(index: &'i Index, sources: usize) -> Self {
        let heads = (0..sources).map(|source| Head {
            position: 0,
            group: index.group(source, 0).map(|group| (group, None)),
        });
        Self { index, heads: heads.collect(), done: vec![false; index.len()] }
    }

    /// The next group; `rank` answers for the message at a position of an export.
    pub(super) fn next(
        &mut self,
        rank: &mut dyn FnMut(usize, usize) -> Result<Rank, MergeError>,
    ) -> Result<Option<u32>, MergeError> {
        for (source, head) in self.heads.iter_mut().enumerate() {
            if let Some((_, known @ None)) = &mut head.group {
                *known = Some(rank(source, head.position)?);
            }
        }
        let earliest = |ready_only: bool| {
            let heads = self.heads.iter().filter_map(|head| head.group.as_ref());
            let heads = heads.filter(|(group, _)| !ready_only || self.is_ready(*group));
            heads.min_by(|(_, a), (_, b)| a.cmp(b)).map(|(group, _)| *group)
        };
        let Some(group) = earliest(true).or_else(|| earliest(false)) else { return Ok(None) };
        if let Some(slot) = self.done.get_mut(group as usize) {
            *slot = true;
        }
        for (source, head) in self.heads.iter_mut().enumerate() {
            while let Some((at, _)) = &head.group
                && self.done.get(*at as usize).is_some_and(|done| *done)
            {
                head.position += 1;
                head.group = self.index.group(source, head.position).map(|group| (group, None));
            }
        }
        Ok(Some(group))
    }

    /// Whether every export that holds the group has come to it.
    fn is_ready(&self, group: u32) -> bool {
        self.index.members(group).iter().all(|(source, _)| {
            let head = self.heads.get(usize::from(*source));
            head.and_then(|head| head.group.as_ref()).is_some_and(|(at, _)| *at == group)
        })
    }
}
