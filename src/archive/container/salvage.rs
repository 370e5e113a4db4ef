//! A zip without a usable directory: its entries found one after the other, and a directory
//! written for those that are whole.
//!
//! An aborted export leaves such a file: entries stand one behind the other, and the directory,
//! which comes last, is missing. The directory made here is laid behind the cut file in memory,
//! so that everything else reads it as any zip. Layouts: PKWARE APPNOTE 6.3.10, 4.3.7 to 4.3.16.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memmem::Finder;

use super::names;
use crate::model::finding::{Finding, FindingKind, Place};

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const LOCAL_BYTES: u64 = 30;
/// The longest data descriptor: signature, CRC, two 64-bit sizes.
const DESCRIPTOR_BYTES: usize = 24;
const WINDOW_BYTES: usize = 1 << 20;
const STREAMED: u16 = 1 << 3;
const ZIP64_FIELD: u16 = 0x0001;

/// What could be saved.
pub(super) struct Salvage {
    /// How many bytes of the file hold whole entries.
    pub(super) whole_bytes: u64,
    /// The directory that belongs behind them.
    pub(super) directory: Vec<u8>,
    /// How many entries it names.
    pub(super) entries: u64,
    /// What is missing.
    pub(super) finding: Finding,
}

/// Walks the local headers of `file` up to `entries_limit` entries.
pub(super) fn walk(file: &File, entries_limit: usize) -> io::Result<Salvage> {
    let file_bytes = file.metadata()?.len();
    let mut directory = Vec::new();
    let mut entries = 0u64;
    let mut at = 0;
    let mut cut_entry = String::new();
    let detail = loop {
        let mut mark = [0; 4];
        if read_at(file, &mut mark, at)? < 4 {
            break "the zip ends before its table of contents; the files before that are whole";
        }
        // Some writers begin a split zip, or one that could have been split, with this mark.
        if at == 0 && mark == *DESCRIPTOR {
            at = 4;
            continue;
        }
        if mark == *CENTRAL {
            break "the zip's table of contents is damaged; all its files were found without it";
        }
        if mark != *LOCAL {
            break "the zip is damaged; only the files before the damage were read";
        }
        let Some(header) = Local::read(file, at)? else {
            break "the zip ends inside a file's header; the files before it are whole";
        };
        let Some((sizes, next)) = header.extent(file, file_bytes)? else {
            names::decode(&header.name).as_ref().clone_into(&mut cut_entry);
            break "the zip ends inside this file; only the files before it are whole";
        };
        header.write_central(sizes, at, &mut directory);
        entries += 1;
        at = next;
        if entries > entries_limit as u64 {
            break "the zip has too many files";
        }
    };
    write_end(entries, at, &mut directory);
    Ok(Salvage {
        whole_bytes: at,
        directory,
        entries,
        finding: Finding {
            kind: FindingKind::Truncated,
            place: Place { entry: cut_entry, line: None },
            message: None,
            detail: detail.to_owned(),
        },
    })
}

/// A local file header.
struct Local {
    /// The fixed part behind the signature, as it stands.
    fixed: [u8; 26],
    name: Vec<u8>,
    extra: Vec<u8>,
    data_start: u64,
}

#[derive(Clone, Copy)]
struct Sizes {
    crc: u32,
    packed: u64,
    unpacked: u64,
}

impl Local {
    fn read(file: &File, at: u64) -> io::Result<Option<Self>> {
        let mut fixed = [0; 26];
        if read_at(file, &mut fixed, at + 4)? < fixed.len() {
            return Ok(None);
        }
        let mut name = vec![0; usize::from(u16_at(&fixed, 22))];
        let mut extra = vec![0; usize::from(u16_at(&fixed, 24))];
        let name_start = at + LOCAL_BYTES;
        let extra_start = name_start + name.len() as u64;
        let data_start = extra_start + extra.len() as u64;
        if read_at(file, &mut name, name_start)? < name.len()
            || read_at(file, &mut extra, extra_start)? < extra.len()
        {
            return Ok(None);
        }
        Ok(Some(Self { fixed, name, extra, data_start }))
    }

    fn streamed(&self) -> bool {
        u16_at(&self.fixed, 2) & STREAMED != 0
    }

    /// The sizes the header states; zeros where they follow the data.
    fn stated(&self) -> Sizes {
        let (crc, packed, unpacked) =
            (u32_at(&self.fixed, 10), u32_at(&self.fixed, 14), u32_at(&self.fixed, 18));
        let mut wide = self
            .extra_fields()
            .find(|(id, _)| *id == ZIP64_FIELD)
            .map_or(&[][..], |(_, content)| content);
        let mut widen = |narrow: u32| {
            if narrow != u32::MAX {
                return u64::from(narrow);
            }
            let value = u64_at(wide, 0);
            wide = wide.get(8..).unwrap_or_default();
            value
        };
        // The field holds the unpacked size first.
        let unpacked = widen(unpacked);
        Sizes { crc, packed: widen(packed), unpacked }
    }

    /// The real sizes and the place of the next header, if the entry is whole.
    fn extent(&self, file: &File, file_bytes: u64) -> io::Result<Option<(Sizes, u64)>> {
        let stated = self.stated();
        if self.streamed() && stated.packed == 0 {
            return find_descriptor(file, self.data_start);
        }
        let Some(end) = self.data_start.checked_add(stated.packed).filter(|end| *end <= file_bytes)
        else {
            return Ok(None);
        };
        if !self.streamed() {
            return Ok(Some((stated, end)));
        }
        // A descriptor repeats what is known; step over it in whichever form it has.
        let mut behind = [0; DESCRIPTOR_BYTES + 4];
        let count = read_at(file, &mut behind, end)?;
        let behind = behind.get(..count).unwrap_or_default();
        let step = behind.windows(4).position(|mark| mark == LOCAL || mark == CENTRAL);
        Ok(Some((stated, end + step.unwrap_or(count.min(16)) as u64)))
    }

    /// The extra fields that are whole: identifier and content.
    fn extra_fields(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = self.extra.as_slice();
        std::iter::from_fn(move || {
            let length = usize::from(u16_at(rest.get(..4)?, 2));
            let content = rest.get(4..4 + length)?;
            let id = u16_at(rest, 0);
            rest = rest.get(4 + length..)?;
            Some((id, content))
        })
    }

    /// Appends the directory entry of this file. Sizes and place always go into the 64-bit
    /// field, so there is only one form to get right.
    fn write_central(&self, sizes: Sizes, header_start: u64, out: &mut Vec<u8>) {
        let mut extra = Vec::with_capacity(self.extra.len() + 28);
        put16(&mut extra, ZIP64_FIELD);
        put16(&mut extra, 24);
        for value in [sizes.unpacked, sizes.packed, header_start] {
            extra.extend_from_slice(&value.to_le_bytes());
        }
        for (id, content) in self.extra_fields().filter(|(id, _)| *id != ZIP64_FIELD) {
            let Ok(length) = u16::try_from(content.len()) else { continue };
            if extra.len() + content.len() + 4 > usize::from(u16::MAX) {
                break;
            }
            put16(&mut extra, id);
            put16(&mut extra, length);
            extra.extend_from_slice(content);
        }
        out.extend_from_slice(CENTRAL);
        put16(out, 45);
        // Version needed, flags, method, time and date stand in the same order in both headers.
        out.extend_from_slice(self.fixed.get(..10).unwrap_or_default());
        put32(out, sizes.crc);
        put32(out, u32::MAX);
        put32(out, u32::MAX);
        put16(out, u16_at(&self.fixed, 22));
        put16(out, u16::try_from(extra.len()).unwrap_or(28));
        // No comment, first disk, no attributes.
        out.extend_from_slice(&[0; 10]);
        put32(out, u32::MAX);
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&extra);
    }
}

/// Looks for the data descriptor of an entry that was written as a stream: the first place whose
/// stated packed size is its distance from the beginning of the data.
fn find_descriptor(file: &File, data_start: u64) -> io::Result<Option<(Sizes, u64)>> {
    let finder = Finder::new(b"PK");
    let mut window = vec![0; WINDOW_BYTES];
    let mut base = data_start;
    loop {
        let count = read_at(file, &mut window, base)?;
        let bytes = window.get(..count).unwrap_or_default();
        let last = count < WINDOW_BYTES;
        for hit in finder.find_iter(bytes) {
            let place = base + hit as u64;
            if let Some(found) = descriptor_at(bytes, hit, place - data_start) {
                let (sizes, length) = found;
                return Ok(Some((sizes, place + length)));
            }
        }
        if last {
            return Ok(None);
        }
        // Descriptors without a signature stand before a hit, others behind it.
        base += (WINDOW_BYTES - 2 * DESCRIPTOR_BYTES) as u64;
    }
}

/// The descriptor at, or without signature before, the mark at `hit`; with how many bytes lie
/// between the mark and the next header.
fn descriptor_at(bytes: &[u8], hit: usize, distance: u64) -> Option<(Sizes, u64)> {
    let mark = bytes.get(hit..hit + 4)?;
    let narrow = |at: usize| {
        let field = bytes.get(at..at + 12)?;
        let (packed, unpacked) = (u64::from(u32_at(field, 4)), u64::from(u32_at(field, 8)));
        Some(Sizes { crc: u32_at(field, 0), packed, unpacked })
    };
    let wide = |at: usize| {
        let field = bytes.get(at..at + 20)?;
        Some(Sizes { crc: u32_at(field, 0), packed: u64_at(field, 4), unpacked: u64_at(field, 12) })
    };
    if mark == DESCRIPTOR {
        let fits = |sizes: &Sizes| sizes.packed == distance;
        // A narrow descriptor of a small file can look like a wide one; the next header decides.
        let followed =
            |at: usize| bytes.get(at..at + 4).is_none_or(|next| next == LOCAL || next == CENTRAL);
        let wide = wide(hit + 4).filter(fits).map(|sizes| (sizes, 24));
        let narrow = narrow(hit + 4).filter(fits).map(|sizes| (sizes, 16));
        return match (narrow, wide) {
            (Some(_), Some(_)) if followed(hit + 24) && !followed(hit + 16) => wide,
            (Some(_), _) => narrow,
            (None, _) => wide,
        };
    }
    if mark == LOCAL || mark == CENTRAL {
        let narrow = hit.checked_sub(12).and_then(narrow);
        if let Some(sizes) = narrow.filter(|sizes| sizes.packed + 12 == distance) {
            return Some((sizes, 0));
        }
        let wide = hit.checked_sub(20).and_then(wide);
        return wide
            .filter(|sizes| sizes.packed.checked_add(20) == Some(distance))
            .map(|sizes| (sizes, 0));
    }
    None
}

/// Appends the two end records (64-bit and plain) of a directory that begins at `start`.
fn write_end(entries: u64, start: u64, out: &mut Vec<u8>) {
    let length = out.len() as u64;
    let end = start + length;
    out.extend_from_slice(b"PK\x06\x06");
    out.extend_from_slice(&44u64.to_le_bytes());
    put16(out, 45);
    put16(out, 45);
    put32(out, 0);
    put32(out, 0);
    for value in [entries, entries, length, start] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(b"PK\x06\x07");
    put32(out, 0);
    out.extend_from_slice(&end.to_le_bytes());
    put32(out, 1);
    out.extend_from_slice(b"PK\x05\x06");
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[0xFF; 12]);
    put16(out, 0);
}

/// Reads as many bytes as there are, up to the length of `buffer`.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

/// Little-endian; zero beyond the end.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}
