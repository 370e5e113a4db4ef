//! The walk through `messages`: one stretch for each discussion, sender and thread.

use std::io::Read;

use super::header::Header;
use super::ids::{self, DiscussionKind};
use super::raw::RawDiscussionId;
use super::scan::{Scan, ScanError};
use crate::archive::reader::Flow;
use crate::model::ids::ChatId;

/// Whose messages a stretch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StretchKey {
    pub(super) chat: ChatId,
    pub(super) kind: DiscussionKind,
    /// The sender's identity in the export's base64.
    pub(super) sender: String,
    /// The thread as written.
    pub(super) thread: String,
}

/// What happens in the walk.
pub(super) enum Step<'s, R> {
    /// A stretch begins; the visitor must pass over its list, by [`Scan::skip`] or in parts.
    Stretch(&'s StretchKey, &'s mut Scan<R>),
    /// A stretch without a readable key was passed over.
    Unreadable,
}

/// Opens the export's text anew.
pub(super) type Reopen<'a> = dyn Fn() -> Result<Box<dyn Read + Send + 'a>, ScanError> + 'a;

/// Goes through all stretches in the order of the file.
pub(super) fn walk<'a>(
    header: &Header,
    reopen: &Reopen<'a>,
    visit: &mut dyn FnMut(Step<'_, Box<dyn Read + Send + 'a>>) -> Result<Flow, ScanError>,
) -> Result<(), ScanError> {
    let mut scan = Scan::new(reopen()?);
    // iOS may write a stretch's messages before its key; only then are keys read ahead.
    let mut keys_ahead: Option<Vec<Option<StretchKey>>> = None;
    let mut number = 0;
    in_messages(&mut scan, &mut |scan| {
        let mut visited = false;
        let mut flow = Flow::Continue;
        stretch(scan, header, &mut |key, scan| {
            let ahead;
            let key = match key {
                Some(key) => Some(key),
                None => {
                    if keys_ahead.is_none() {
                        keys_ahead = Some(read_keys(header, reopen)?);
                    }
                    ahead = keys_ahead.as_ref().and_then(|keys| keys.get(number)?.clone());
                    ahead
                }
            };
            visited = true;
            match &key {
                Some(key) => flow = visit(Step::Stretch(key, scan))?,
                None => {
                    scan.skip()?;
                    flow = visit(Step::Unreadable)?;
                }
            }
            Ok(flow)
        })?;
        number += 1;
        if !visited {
            flow = visit(Step::Unreadable)?;
        }
        Ok(flow)
    })
}

/// The key of every stretch, in the order of the file.
fn read_keys(header: &Header, reopen: &Reopen<'_>) -> Result<Vec<Option<StretchKey>>, ScanError> {
    let mut scan = Scan::new(reopen()?);
    let mut keys = Vec::new();
    in_messages(&mut scan, &mut |scan| {
        let key = stretch(scan, header, &mut |_, scan| scan.skip().map(|()| Flow::Continue))?;
        keys.push(key);
        Ok(Flow::Continue)
    })?;
    Ok(keys)
}

/// Calls `each` at the beginning of every element of `messages`.
fn in_messages<R: Read>(
    scan: &mut Scan<R>,
    each: &mut dyn FnMut(&mut Scan<R>) -> Result<Flow, ScanError>,
) -> Result<(), ScanError> {
    scan.take(b'{')?;
    let mut first = true;
    while scan.another(b'}', &mut first)? {
        if scan.key()? != "messages" || scan.peek()? != Some(b'[') {
            scan.skip()?;
            continue;
        }
        scan.take(b'[')?;
        let mut first = true;
        while scan.another(b']', &mut first)? {
            if each(scan)? == Flow::Stop {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Goes through one element of `messages`; gives its key if it is readable. `visit` is called at
/// its list, with the key if that stood before it, and must pass over the list.
fn stretch<R: Read>(
    scan: &mut Scan<R>,
    header: &Header,
    visit: &mut dyn FnMut(Option<StretchKey>, &mut Scan<R>) -> Result<Flow, ScanError>,
) -> Result<Option<StretchKey>, ScanError> {
    let (mut discussion, mut sender, mut thread) = (None, None, None);
    let key = |discussion: &Option<_>, sender: &Option<String>, thread: &Option<String>| {
        let (chat, kind) = Option::clone(discussion)?;
        Some(StretchKey { chat, kind, sender: sender.clone()?, thread: thread.clone()? })
    };
    if scan.peek()? != Some(b'{') {
        scan.skip()?;
        return Ok(None);
    }
    scan.take(b'{')?;
    let mut first = true;
    while scan.another(b'}', &mut first)? {
        match scan.key()?.as_str() {
            "discussion" => {
                discussion = scan.value(|json| {
                    let id: RawDiscussionId<'_> = serde_json::from_slice(json).ok()?;
                    header.chat(&id)
                })?;
            }
            "sender" => {
                sender = scan
                    .value(|json| serde_json::from_slice::<String>(json).ok())?
                    .filter(|text| ids::bytes(text).is_some());
            }
            "threadId" => {
                thread = scan.value(|json| serde_json::from_slice::<String>(json).ok())?;
            }
            "messages" if scan.peek()? == Some(b'[') => {
                let flow = visit(key(&discussion, &sender, &thread), scan)?;
                if flow == Flow::Stop {
                    return Ok(None);
                }
            }
            _ => scan.skip()?,
        }
    }
    Ok(key(&discussion, &sender, &thread))
}
