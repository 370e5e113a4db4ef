//! Small files made on the spot, whole, cut and spoilt.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use proptest::prelude::*;

use super::*;
use crate::model::media::{AttachmentState, MediaKind};

fn hint() -> Attachment {
    Attachment::new(MediaKind::Unknown, AttachmentState::Present)
}

fn look(bytes: &[u8]) -> Probe {
    probe(bytes.get(..4096).unwrap_or(bytes), Some(bytes), &hint())
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

fn photo(width: u32, height: u32) -> DynamicImage {
    let pixel = |x: u32, y: u32| Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], 90]);
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
}

/// A JPEG with an EXIF segment that asks to turn it.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let len = u16::try_from(exif.len() + 2).expect("short").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &len, &exif, &jpeg[2..]].concat()
}

#[test]
fn small_pictures_need_no_preview() {
    for (format, mime) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Gif, "image/gif"),
        (ImageFormat::WebP, "image/webp"),
        (ImageFormat::Bmp, "image/bmp"),
        (ImageFormat::Tiff, "image/tiff"),
    ] {
        let found = look(&encoded(&photo(40, 30), format));
        assert_eq!((found.mime.as_str(), found.width, found.height), (mime, Some(40), Some(30)));
        assert!(found.thumbnail.is_none() && found.blurhash.is_some());
        assert_eq!(found.animated, Some(false));
    }
}

#[test]
fn large_pictures_get_one_as_they_are_shown() {
    let jpeg = encoded(&photo(2000, 1000), ImageFormat::Jpeg);
    let found = look(&jpeg);
    let small = found.thumbnail.expect("a preview");
    assert_eq!((small.width, small.height, small.mime), (800, 400, "image/jpeg"));
    assert_eq!(sniff(&small.bytes, None), "image/jpeg");
    let found = look(&turned(&jpeg, 6));
    assert_eq!((found.width, found.height), (Some(1000), Some(2000)));
    let small = found.thumbnail.expect("a preview");
    assert_eq!((small.width, small.height), (300, 600));
    // Its beginning is enough for its size.
    let found = probe(&jpeg[..4096], None, &hint());
    assert_eq!((found.width, found.height), (Some(2000), Some(1000)));
    assert!(found.thumbnail.is_none());
}

#[test]
fn what_can_be_seen_through_stays_so() {
    let clear = RgbaImage::from_fn(900, 10, |x, _| Rgba([9, 9, 9, x.to_le_bytes()[0]]));
    let found = look(&encoded(&DynamicImage::ImageRgba8(clear), ImageFormat::Png));
    assert_eq!(found.thumbnail.expect("a preview").mime, "image/png");
}

#[test]
fn moving_pictures_are_known() {
    let mut bytes = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        let frame = || image::Frame::new(photo(8, 8).to_rgba8());
        encoder.encode_frames([frame(), frame()]).expect("encodes");
    }
    assert_eq!(look(&bytes).animated, Some(true));
}

#[test]
fn a_small_file_that_claims_to_be_huge_is_not_decoded() {
    let mut png = encoded(&photo(4, 4), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 1, 0x80, 0, 0, 1, 0x80, 0]);
    assert!(look(&png).thumbnail.is_none());
}

fn boxed(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len() + 8).expect("short").to_be_bytes();
    [&len[..], &name, content].concat()
}

fn film(turn: bool) -> Vec<u8> {
    let mut header = vec![0; 100];
    header[12..16].copy_from_slice(&1000_u32.to_be_bytes());
    header[16..20].copy_from_slice(&3500_u32.to_be_bytes());
    let mut track = vec![0; 84];
    let one = 0x0001_0000_u32.to_be_bytes();
    if turn {
        track[44..48].copy_from_slice(&one);
    } else {
        track[40..44].copy_from_slice(&one);
    }
    track[76..80].copy_from_slice(&(640_u32 << 16).to_be_bytes());
    track[80..84].copy_from_slice(&(360_u32 << 16).to_be_bytes());
    let track = boxed(*b"trak", &boxed(*b"tkhd", &track));
    let movie = boxed(*b"moov", &[boxed(*b"mvhd", &header), track].concat());
    [boxed(*b"ftyp", b"mp42\0\0\0\0"), movie, boxed(*b"mdat", &[1; 64])].concat()
}

#[test]
fn films_tell_size_and_time() {
    let found = look(&film(false));
    assert_eq!(found.mime, "video/mp4");
    assert_eq!((found.width, found.height), (Some(640), Some(360)));
    assert_eq!(found.duration_ms, Some(3500));
    let found = look(&film(true));
    assert_eq!((found.width, found.height), (Some(360), Some(640)));
}

fn voice() -> Vec<u8> {
    let mut writer = PacketWriter::new(Cursor::new(Vec::new()));
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(312_u16.to_le_bytes());
    head.extend([0x80, 0xbb, 0, 0, 0, 0, 0]);
    let end = PacketWriteEndInfo::EndPage;
    writer.write_packet(head, 1, end, 0).expect("writes");
    writer.write_packet(b"OpusTags\0\0\0\0\0\0\0\0".to_vec(), 1, end, 0).expect("writes");
    for second in 1..=4_u64 {
        let packet = vec![1; if second == 2 { 200 } else { 10 }];
        writer.write_packet(packet, 1, end, second * 48_000 + 312).expect("writes");
    }
    writer.inner_mut().get_ref().clone()
}

#[test]
fn voices_tell_time_and_loudness() {
    let found = look(&voice());
    assert_eq!(found.mime, "audio/ogg");
    assert_eq!(found.duration_ms, Some(4000));
    assert_eq!(found.waveform, Some(vec![51, 1024, 51, 51]));
}

#[test]
fn the_source_is_believed_where_bytes_are_silent() {
    let mut hint = hint();
    (hint.width, hint.height, hint.duration_ms) = (Some(7), Some(5), Some(900));
    let found = probe(b"\x1a\x45\xdf\xa3", None, &hint);
    assert_eq!((found.width, found.height, found.duration_ms), (Some(7), Some(5), Some(900)));
}

proptest! {

    /// Files that are cut, or spoilt in places, cost facts and nothing else.
    #[test]
    fn hostile_files_do_no_harm(
        which in 0_usize..8,
        cut in any::<prop::sample::Index>(),
        spoil in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let mut bytes = match which {
            0 => film(false),
            1 => voice(),
            2 => encoded(&photo(40, 30), ImageFormat::Png),
            3 => encoded(&photo(40, 30), ImageFormat::Gif),
            4 => encoded(&photo(40, 30), ImageFormat::WebP),
            5 => encoded(&photo(40, 30), ImageFormat::Bmp),
            6 => encoded(&photo(40, 30), ImageFormat::Tiff),
            _ => turned(&encoded(&photo(40, 30), ImageFormat::Jpeg), 6),
        };
        for (at, byte) in spoil {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        look(&bytes);
    }
}

/// By hand: `cargo test --lib twelve_megapixels -- --ignored --nocapture`, alone in its process.
#[test]
#[ignore = "measures the memory of the whole process"]
fn twelve_megapixels_stay_below_a_hundred_megabytes() {
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line =
            status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak").to_owned();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number")
    };
    let path = std::env::temp_dir().join("passerelle-twelve-megapixels.jpg");
    if let Ok(jpeg) = std::fs::read(&path) {
        let before = peak();
        let started = std::time::Instant::now();
        let found = look(&jpeg);
        let took = started.elapsed();
        let used = peak() - before;
        println!("{used} kB, {took:?}, preview {:?}", found.thumbnail.map(|t| t.bytes.len()));
        std::fs::remove_file(&path).expect("removed");
        assert!(used < 100_000, "{used} kB");
    } else {
        // Encoding takes memory too, so it is done in a run of its own.
        std::fs::write(&path, encoded(&photo(4000, 3000), ImageFormat::Jpeg)).expect("written");
        println!("picture made; run again");
    }
}
