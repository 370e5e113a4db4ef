//! Which messages of the exports are the same: those with one key are one group.

use super::error::MergeError;
use super::spill::{Key, Spilled};

/// One version of a message: the number of its export and its position there.
pub(super) type Member = (u16, u32);

/// All groups. Takes some thirty bytes a message.
pub(super) struct Index {
    /// Where each group begins in `members`; one more than groups.
    starts: Vec<u32>,
    members: Vec<Member>,
    /// The key of each group; in order.
    keys: Vec<Key>,
    /// The group of each message of each export.
    groups: Vec<Vec<u32>>,
}

impl Index {
    /// Numbers all messages; [`MergeError::TooMany`] beyond four billion.
    pub(super) fn new(sources: &mut [Spilled]) -> Result<Self, MergeError> {
        let total = sources.iter().map(Spilled::len).sum();
        if u32::try_from(total).is_err() {
            return Err(MergeError::TooMany);
        }
        let mut all: Vec<(Key, Member)> = Vec::with_capacity(total);
        for (number, source) in (0_u16..).zip(sources.iter_mut()) {
            // The keys are needed here only.
            let keys = std::mem::take(&mut source.keys);
            all.extend(keys.into_iter().zip(0_u32..).map(|(key, at)| (key, (number, at))));
        }
        all.sort_unstable();
        join_edges(&mut all, sources);
        let mut index = Self {
            starts: Vec::new(),
            members: Vec::with_capacity(total),
            keys: Vec::new(),
            groups: sources.iter().map(|source| vec![0; source.len()]).collect(),
        };
        let (mut last, mut group): (Option<(Key, u16)>, u32) = (None, 0);
        for ((key, member), at) in all.into_iter().zip(0_u32..) {
            // An id stands once in an export; a second one stands for itself.
            let is_new = last.is_none_or(|(known, source)| known != key || source == member.0);
            if is_new {
                group = if last.is_some() { group + 1 } else { 0 };
                index.starts.push(at);
                index.keys.push(key);
            }
            last = Some((key, member.0));
            let groups = index.groups.get_mut(usize::from(member.0));
            if let Some(slot) = groups.and_then(|groups| groups.get_mut(member.1 as usize)) {
                *slot = group;
            }
            index.members.push(member);
        }
        index.starts.extend(u32::try_from(index.members.len()));
        Ok(index)
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The versions of a group, in the order of the exports.
    pub(super) fn members(&self, group: u32) -> &[Member] {
        let at = group as usize;
        let range = self.starts.get(at).zip(self.starts.get(at + 1));
        let range = range.map(|(start, end)| *start as usize..*end as usize);
        range.and_then(|range| self.members.get(range)).unwrap_or_default()
    }

    /// The key of a group.
    pub(super) fn key(&self, group: u32) -> Option<&Key> {
        self.keys.get(group as usize)
    }

    /// The group of a message.
    pub(super) fn group(&self, source: usize, position: usize) -> Option<u32> {
        self.groups.get(source)?.get(position).copied()
    }

    /// The group of a key.
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        let at = self.keys.binary_search(key).ok()?;
        u32::try_from(at).ok()
    }
}

/// Gives messages that stand alone and share a second key the same first one, where exactly two
/// exports have exactly one each.
fn join_edges(all: &mut [(Key, Member)], sources: &mut [Spilled]) {
    let mut edges: Vec<(Key, Member)> = Vec::new();
    for (number, source) in (0_u16..).zip(sources.iter_mut()) {
        let own = std::mem::take(&mut source.edges);
        edges.extend(own.into_iter().map(|(key, at)| (key, (number, at))));
    }
    if edges.is_empty() {
        return;
    }
    let mut alone: Vec<(Member, usize)> = Vec::new();
    let mut at = 0;
    for group in all.chunk_by(|(a, _), (b, _)| a == b) {
        if let [(_, member)] = group {
            alone.push((*member, at));
        }
        at += group.len();
    }
    alone.sort_unstable();
    edges.sort_unstable();
    let place = |member: &Member| {
        let found = alone.binary_search_by(|(known, _)| known.cmp(member)).ok()?;
        alone.get(found).map(|(_, at)| *at)
    };
    let mut joined = false;
    for candidates in edges.chunk_by(|(a, _), (b, _)| a == b) {
        let mut free = candidates.iter().filter_map(|(_, member)| Some((member.0, place(member)?)));
        if let (Some((source, first)), Some((other, second)), None) =
            (free.next(), free.next(), free.next())
            && source != other
            && let Some((key, _)) = all.get(first).copied()
            && let Some(slot) = all.get_mut(second)
        {
            slot.0 = key;
            joined = true;
        }
    }
    if joined {
        all.sort_unstable();
    }
}
