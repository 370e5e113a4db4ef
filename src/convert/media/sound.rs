//! Ogg files (Opus, Vorbis): playing time, and for Opus how loud it is when.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ogg::PacketReader;

/// Packets read of one file: a day of Opus at 50 a second is 4.3 million.
const MOST_PACKETS: usize = 5_000_000;

/// Values in a waveform; what Element's apps draw at most (MSC3245).
const WAVES: usize = 100;

/// Greatest value in a waveform (MSC3246).
const LOUDEST: usize = 1024;

/// Opus counts time in 48,000ths of a second, whatever was recorded (RFC 7845, section 4).
const OPUS_RATE: u64 = 48_000;

/// What was found in a sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sound {
    pub(super) duration_ms: Option<u64>,
    pub(super) waveform: Option<Vec<u16>>,
}

/// Looks at a whole Ogg file.
pub(super) fn look(bytes: &[u8]) -> Sound {
    // The reader is somebody else's and the bytes are hostile: a panic in it costs these facts,
    // not the import. Nothing outlives the call but what it returns.
    catch_unwind(AssertUnwindSafe(|| look_unguarded(bytes))).unwrap_or_default()
}

/// How the first packet says that time is counted.
struct Timing {
    stream: u32,
    rate: u64,
    /// Samples at the beginning that are not heard.
    skipped: u64,
    is_opus: bool,
}

fn look_unguarded(bytes: &[u8]) -> Sound {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let mut timing: Option<Timing> = None;
    let mut end = 0_u64;
    let mut sizes: Vec<u32> = Vec::new();
    let mut headers = 0;
    for _ in 0..MOST_PACKETS {
        // A fault ends the file: what came before it counts.
        let Ok(Some(packet)) = reader.read_packet() else { break };
        let Some(timing) = &timing else {
            timing = timing_of(&packet.data, packet.stream_serial());
            if timing.is_none() {
                return Sound::default();
            }
            continue;
        };
        if packet.stream_serial() != timing.stream {
            continue;
        }
        // "Not known" is all ones.
        if packet.absgp_page() != u64::MAX {
            end = end.max(packet.absgp_page());
        }
        // The second packet of Opus holds its tags.
        if headers == 0 {
            headers = 1;
        } else {
            sizes.push(u32::try_from(packet.data.len()).unwrap_or(u32::MAX));
        }
    }
    let Some(timing) = timing else { return Sound::default() };
    let heard = end.saturating_sub(timing.skipped);
    let ms = u64::try_from(u128::from(heard) * 1000 / u128::from(timing.rate)).unwrap_or(0);
    let waveform = if timing.is_opus { waveform(&sizes) } else { None };
    Sound { duration_ms: Some(ms).filter(|ms| *ms > 0), waveform }
}

fn timing_of(head: &[u8], stream: u32) -> Option<Timing> {
    if head.starts_with(b"OpusHead") {
        let skipped = u16::from_le_bytes(head.get(10..12)?.try_into().ok()?);
        return Some(Timing { stream, rate: OPUS_RATE, skipped: skipped.into(), is_opus: true });
    }
    if head.starts_with(b"\x01vorbis") {
        let rate = u32::from_le_bytes(head.get(12..16)?.try_into().ok()?);
        return (rate > 0).then(|| Timing {
            stream,
            rate: rate.into(),
            skipped: 0,
            is_opus: false,
        });
    }
    None
}

/// How loud it is when, seen from the sizes of the packets. Messengers record Opus with a
/// variable rate, where silence takes a few bytes and speech many: enough to show where
/// somebody speaks, without a decoder.
fn waveform(sizes: &[u32]) -> Option<Vec<u16>> {
    if sizes.len() < 2 {
        return None;
    }
    let waves = WAVES.min(sizes.len());
    let mut means = Vec::with_capacity(waves);
    for wave in 0..waves {
        let slice = sizes.get(wave * sizes.len() / waves..(wave + 1) * sizes.len() / waves)?;
        let sum: u64 = slice.iter().map(|size| u64::from(*size)).sum();
        means.push(usize::try_from(sum / u64::try_from(slice.len()).ok()?.max(1)).ok()?);
    }
    let loudest = means.iter().copied().max().filter(|max| *max > 0)?;
    let waves = means.into_iter().map(|mean| u16::try_from(mean.saturating_mul(LOUDEST) / loudest));
    waves.collect::<Result<_, _>>().ok()
}
