//! MP4 and its family (ISO/IEC 14496-12): size as shown and playing time, from four boxes.
//!
//! A reader of our own, because the question is small and the files are hostile: libraries
//! build tables of every sample, and a count in a header then decides how much memory they
//! take. This one allocates nothing, follows a bounded number of boxes, and also works on the
//! beginning of a file when its index comes first.

/// Boxes looked at in one file; real ones need a few dozen.
const MOST_BOXES: usize = 2_000;

/// What was found in a film.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Film {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) duration_ms: Option<u64>,
}

/// Looks at a film.
pub(super) fn look(bytes: &[u8]) -> Film {
    let mut film = Film::default();
    let mut budget = MOST_BOXES;
    walk(bytes, &mut budget, &mut |name, content, budget| {
        if name == b"moov" {
            walk(content, budget, &mut |name, content, budget| match name {
                b"mvhd" => film.duration_ms = duration(content),
                b"trak" => track(content, budget, &mut film),
                _ => {}
            });
        }
    });
    film
}

/// Told the name and content of a box, and how many boxes may still be looked at.
type Visit<'v, 'a> = dyn FnMut(&[u8], &'a [u8], &mut usize) + 'v;

/// Calls `visit` with name and content of every box in `bytes`, up to the first broken one.
fn walk<'a>(bytes: &'a [u8], budget: &mut usize, visit: &mut Visit<'_, 'a>) {
    let mut rest = bytes;
    while *budget > 0 {
        *budget -= 1;
        let Some((name, content, after)) = next_box(rest) else { return };
        visit(name, content, budget);
        rest = after;
    }
}

/// The box `bytes` begin with: its name, its content, and what follows it. The content of a
/// box that reaches past the end is what there is of it.
fn next_box(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let size = u64::from(u32_at(bytes, 0)?);
    let name = bytes.get(4..8)?;
    let (header, size) = match size {
        // "Up to the end of the file".
        0 => (8, bytes.len()),
        1 => (16, usize::try_from(u64_at(bytes, 8)?).ok()?),
        _ => (8, usize::try_from(size).ok()?),
    };
    if size < header {
        return None;
    }
    let end = size.min(bytes.len());
    Some((name, bytes.get(header..end)?, bytes.get(end..)?))
}

/// The movie header: time scale and duration, in 32 or 64 bits by version.
fn duration(header: &[u8]) -> Option<u64> {
    let (scale, units) = match header.first()? {
        0 => (u32_at(header, 12)?, u64::from(u32_at(header, 16)?)),
        _ => (u32_at(header, 20)?, u64_at(header, 24)?),
    };
    // All ones mean that it is not known.
    if scale == 0 || units == u64::from(u32::MAX) || units == u64::MAX {
        return None;
    }
    u64::try_from(u128::from(units) * 1000 / u128::from(scale)).ok().filter(|ms| *ms > 0)
}

/// A track: only one with a width is seen. Its matrix may turn it by a quarter.
fn track(content: &[u8], budget: &mut usize, film: &mut Film) {
    walk(content, budget, &mut |name, header, _| {
        if name != b"tkhd" {
            return;
        }
        let matrix = match header.first() {
            Some(0) => 40,
            Some(_) => 52,
            None => return,
        };
        let side = |at| u32_at(header, at).map(|fixed| fixed >> 16).filter(|side| *side > 0);
        let (Some(width), Some(height)) = (side(matrix + 36), side(matrix + 40)) else { return };
        if film.width.is_some() {
            return;
        }
        let turned = u32_at(header, matrix) == Some(0) && u32_at(header, matrix + 4) != Some(0);
        let (width, height) = if turned { (height, width) } else { (width, height) };
        (film.width, film.height) = (Some(width), Some(height));
    });
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
