//! Pictures: their size as shown, a small copy, a blurred miniature, whether they move.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::Thumbnail;

/// Largest preview, in pixels.
const THUMBNAIL: (u32, u32) = (800, 600);

/// Decoded pictures larger than this are not decoded: a 12-megapixel photo takes 36 MB, a
/// 25-megapixel one 75 MB.
const MOST_DECODED_BYTES: u64 = 80 << 20;

/// Memory a decoder may take for itself.
const MOST_DECODER_BYTES: u64 = 96 << 20;

/// Longest side that is believed.
const LONGEST_SIDE: u32 = 100_000;

/// The miniature is made of this many pixels at most; more say nothing.
const MINIATURE: u32 = 32;

/// What was found in a picture.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    pub(super) animated: Option<bool>,
    pub(super) blurhash: Option<String>,
    pub(super) thumbnail: Option<Thumbnail>,
}

/// Looks at a picture. Its header is enough for the size; the rest takes all of it.
pub(super) fn look(bytes: &[u8], mime: &str, is_whole: bool) -> Picture {
    let Some(format) = format_of(mime) else { return Picture::default() };
    // The decoders are other people's and the bytes are hostile: a panic in one of them costs
    // the preview, not the import. Nothing outlives the call but what it returns.
    catch_unwind(AssertUnwindSafe(|| look_unguarded(bytes, format, is_whole))).unwrap_or_default()
}

fn format_of(mime: &str) -> Option<ImageFormat> {
    match mime {
        "image/jpeg" => Some(ImageFormat::Jpeg),
        "image/png" => Some(ImageFormat::Png),
        "image/gif" => Some(ImageFormat::Gif),
        "image/webp" => Some(ImageFormat::WebP),
        "image/bmp" => Some(ImageFormat::Bmp),
        "image/tiff" => Some(ImageFormat::Tiff),
        _ => None,
    }
}

fn look_unguarded(bytes: &[u8], format: ImageFormat, is_whole: bool) -> Picture {
    let mut picture = Picture { animated: animated(bytes, format), ..Picture::default() };
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_DECODER_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let Ok(mut decoder) = reader.into_decoder() else { return picture };
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    // Width and height as shown.
    let (across, down) = if turns(orientation) { (height, width) } else { (width, height) };
    picture.width = Some(across);
    picture.height = Some(down);
    if !is_whole || decoder.total_bytes() > MOST_DECODED_BYTES {
        return picture;
    }
    let Ok(full) = DynamicImage::from_decoder(decoder) else { return picture };

    let (most_width, most_height) =
        if turns(orientation) { (THUMBNAIL.1, THUMBNAIL.0) } else { THUMBNAIL };
    let is_large = across > THUMBNAIL.0 || down > THUMBNAIL.1;
    // The small copy is made before it is turned, so that only small pictures are copied.
    let mut small = if is_large {
        let small = full.thumbnail(most_width, most_height);
        drop(full);
        small
    } else {
        full
    };
    small.apply_orientation(orientation);
    if is_large {
        picture.thumbnail = encode(&small);
    }
    picture.blurhash = blurhash(&small);
    picture
}

const fn turns(orientation: Orientation) -> bool {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => true,
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
    }
}

/// A small picture as JPEG, or as PNG where it can be seen through.
fn encode(small: &DynamicImage) -> Option<Thumbnail> {
    let mut bytes = Vec::new();
    let see_through = small.color().has_alpha()
        && small.to_rgba8().pixels().any(|pixel| pixel.0.last().is_some_and(|alpha| *alpha < 255));
    let mime = if see_through {
        let rgba = DynamicImage::ImageRgba8(small.to_rgba8());
        rgba.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).ok()?;
        "image/png"
    } else {
        small.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 80)).ok()?;
        "image/jpeg"
    };
    Some(Thumbnail { bytes, mime, width: small.width(), height: small.height() })
}

fn blurhash(picture: &DynamicImage) -> Option<String> {
    let mini = picture.thumbnail(MINIATURE, MINIATURE).to_rgba8();
    let (width, height) = mini.dimensions();
    let (across, down) = if width >= height { (4, 3) } else { (3, 4) };
    blurhash::encode(across, down, width, height, mini.as_raw()).ok()
}

/// Whether a picture has more than one frame; `None` when its bytes end before it shows.
fn animated(bytes: &[u8], format: ImageFormat) -> Option<bool> {
    if format == ImageFormat::Gif {
        return gif_is_animated(bytes);
    }
    if format == ImageFormat::Png {
        return png_is_animated(bytes);
    }
    if format == ImageFormat::WebP {
        // The extended header's flags (RIFF container, "VP8X"); simple files are still.
        return Some(
            bytes.get(12..16)? == b"VP8X" && bytes.get(20).is_some_and(|flags| flags & 0b10 != 0),
        );
    }
    Some(false)
}

/// Walks the blocks of a GIF (`GIF89a` specification, section 12) up to a second picture.
fn gif_is_animated(bytes: &[u8]) -> Option<bool> {
    let palette = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + palette(*bytes.get(10)?);
    let mut pictures = 0;
    loop {
        match bytes.get(at)? {
            0x2c => {
                pictures += 1;
                if pictures > 1 {
                    return Some(true);
                }
                at = sub_blocks_end(bytes, at + 11 + palette(*bytes.get(at + 9)?))?;
            }
            0x21 => at = sub_blocks_end(bytes, at + 2)?,
            _ => return Some(false),
        }
    }
}

fn sub_blocks_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            len => at += len + 1,
        }
    }
}

/// Looks for the animation chunk before the picture data (PNG specification, third edition).
fn png_is_animated(bytes: &[u8]) -> Option<bool> {
    let mut at = 8_usize;
    loop {
        let len = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        match bytes.get(at + 4..at + 8)? {
            b"acTL" => return Some(true),
            b"IDAT" | b"IEND" => return Some(false),
            _ => at = at.checked_add(12)?.checked_add(usize::try_from(len).ok()?)?,
        }
    }
}
