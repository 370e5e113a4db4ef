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

/// Passes over the list of a stretch, with its key if that stood before it.
type AtList<'v, R> = dyn FnMut(Option<StretchKey>, &mut Scan<R>) -> Result<Flow, ScanError> + 'v;

/// A stream of the export's text.
type Input<'a> = Box<dyn Read + Send + 'a>;

/// What is called at every step of the walk.
pub(super) type Visit<'v, 'a> = dyn FnMut(Step<'_, Input<'a>>) -> Result<Flow, ScanError> + 'v;

/// Opens the export's text anew.
pub(super) type Reopen<'a> = dyn Fn() -> Result<Input<'a>, ScanError> + 'a;

/// Goes through all stretches in the order of the file.
pub(super) fn walk<'a>(
    header: &Header,
    reopen: &Reopen<'a>,
    visit: &mut Visit<'_, 'a>,
) -> Result<(), ScanError> {
    let mut scan = Scan::new(reopen()?);
    // iOS may write a stretch's messages before its key; only then are keys read ahead.
    let mut keys_ahead: Option<Vec<Option<StretchKey>>> = None;
    let mut number = 0;
    in_messages(&mut scan, &mut |scan| {
        let mut visited = false;
        let mut flow = Flow::Continue;
        stretch(scan, header, &mut |key, scan| {
            visited = true;
            let key = if key.is_some() {
                key
            } else {
                if keys_ahead.is_none() {
                    keys_ahead = Some(read_keys(header, reopen)?);
                }
                keys_ahead.as_ref().and_then(|keys| keys.get(number)?.clone())
            };
            if let Some(key) = &key {
                flow = visit(Step::Stretch(key, scan))?;
            } else {
                scan.skip()?;
                flow = visit(Step::Unreadable)?;
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
    visit: &mut AtList<'_, R>,
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
