//! WhatsApp exports whose every message is known: the French Android form, zipped.
//!
//! The same seed gives the same bytes. What a reader must find in it is told beside it, from
//! the values the lines were written with; whether it finds them is the tests' business.
//!
//! The times run at an even pace from `Wanted::from`, with one stretch of a message every four
//! minutes over the two passes of the repeated hour of 26 October 2025 when the history reaches
//! it. So no message of the second pass comes without the clock having been seen to step back.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use image::{ImageFormat, Rgb, RgbImage};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use sha2::{Digest as _, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What to make. Besides the messages there are three system lines at the start.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub seed: u64,
    /// Lines with a sender, those with media included.
    pub messages: usize,
    /// How many of them carry a file; every third file has a caption.
    pub media: usize,
    /// The instant of the first message, to the minute.
    pub from: Timestamp,
    /// The title of the group, as in the file's name.
    pub title: String,
    pub names: Names,
    pub photos: Photos,
}

/// What the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Photos {
    /// A few kilobytes each.
    Tiny,
    /// JPEG photos of this width and height, as a telephone makes them.
    Of(u32, u32),
}

/// What the senders are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Accents, a namesake who is not a contact, a bare number.
    Usual,
    /// Also a name with `: ` in it, which only the whole file can tell from a text.
    Hard,
}

impl Wanted {
    /// A history that starts six days before the clock change of October 2025.
    pub fn new(seed: u64, messages: usize, media: usize) -> Self {
        assert!(media <= messages, "a file needs a message");
        let from = "2025-10-20T06:30:00Z".parse().unwrap();
        Self {
            seed,
            messages,
            media,
            from,
            title: "Cellule d’essai".to_owned(),
            names: Names::Usual,
            photos: Photos::Tiny,
        }
    }
}

/// An export and the truth about it.
pub struct Sample {
    /// `Discussion WhatsApp avec TITLE.zip`
    pub file_name: String,
    pub bytes: Vec<u8>,
    /// Every record, in the order of the file.
    pub truth: Vec<Truth>,
}

/// One record as it was before it became text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// As the line shows it; `None` for a system line.
    pub sender: Option<String>,
    /// Milliseconds since 1970, always a whole minute.
    pub utc_millis: i64,
    /// The text, or the caption of a file; empty when a file has none.
    pub text: String,
    pub file: Option<TrueFile>,
}

/// A file inside the zip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueFile {
    pub name: String,
    pub mime_type: &'static str,
    /// Hexadecimal, lower case.
    pub sha256: String,
    pub size_bytes: usize,
    pub width: u32,
    pub height: u32,
}

impl Sample {
    /// Makes the export. Its files are real, decodable, and all different.
    pub fn make(wanted: &Wanted) -> Self {
        let mut dice = Dice(wanted.seed);
        let senders = match wanted.names {
            Names::Usual => &SENDERS[1..],
            Names::Hard => &SENDERS[..],
        };
        let stem = format!("Discussion WhatsApp avec {}", wanted.title);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let mut truth = system_lines(wanted);
        let media = spread(wanted.media, wanted.messages);
        let photo = match wanted.photos {
            Photos::Tiny => None,
            Photos::Of(width, height) => Some(Photo::take(width, height)),
        };
        let mut previous: Option<Truth> = None;
        for (number, at) in instants(wanted).into_iter().enumerate() {
            let mut record = Truth {
                sender: Some(dice.one_of(senders).to_owned()),
                utc_millis: at.as_millisecond(),
                text: String::new(),
                file: None,
            };
            if let Some(nth) = media.iter().position(|place| *place == number) {
                let (file, bytes) = match &photo {
                    None => picture(&mut dice, nth, at),
                    Some(photo) => photo.again(nth, at),
                };
                zip.start_file(file.name.as_str(), stored()).unwrap();
                zip.write_all(&bytes).unwrap();
                record.file = Some(file);
                if nth % 3 == 0 {
                    record.text = caption(&mut dice, nth);
                }
            } else if let Some(twin) = previous.filter(|p| p.file.is_none() && number % 41 == 40) {
                // Word for word and in the same minute: only its place tells it apart.
                record = twin;
            } else {
                record.text = words(&mut dice, number);
            }
            previous = Some(record.clone());
            truth.push(record);
        }
        let text: String = truth.iter().map(line).collect();
        zip.start_file(format!("{stem}.txt"), SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        Self { file_name: format!("{stem}.zip"), bytes, truth }
    }

    /// Writes it into a directory under its own name and returns where.
    pub fn write_to(&self, directory: &Path) -> PathBuf {
        let path = directory.join(&self.file_name);
        std::fs::write(&path, &self.bytes).unwrap();
        path
    }
}

/// The hard one first.
const SENDERS: [&str; 7] = [
    "Cabinet : permanence",
    "Anaïs Kerouédan",
    "Basile Ottavi",
    "~\u{202f}Basile Ottavi",
    "Édith Vauquelin",
    "\u{202a}+33\u{a0}6\u{a0}39\u{a0}98\u{a0}12\u{a0}07\u{202c}",
    "Solène d’Arvor",
];

/// Steele, Lea and Flood's splitmix64: small, even, and the same on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

fn paris(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::get("Europe/Paris").expect("the zone database is compiled in"))
}

fn instants(wanted: &Wanted) -> Vec<Timestamp> {
    let dense_from: Timestamp = "2025-10-25T23:50:00Z".parse().unwrap();
    let dense_until: Timestamp = "2025-10-26T02:10:00Z".parse().unwrap();
    let mut at = wanted.from;
    let mut instants = Vec::with_capacity(wanted.messages);
    for number in 0..wanted.messages {
        instants.push(at);
        let dense = at >= dense_from && at < dense_until;
        // Every 41st shares its minute with the one before, which may say the same words.
        let step = match (number % 41, dense) {
            (39, _) => SignedDuration::ZERO,
            (_, true) => SignedDuration::from_mins(4),
            (_, false) => SignedDuration::from_mins(17),
        };
        let next = at + step;
        at = if at < dense_from && next > dense_from { dense_from } else { next };
    }
    instants
}

/// `count` places among `total`, evenly.
fn spread(count: usize, total: usize) -> Vec<usize> {
    (0..count).map(|nth| (2 * nth + 1) * total / (2 * count)).collect()
}

fn system_lines(wanted: &Wanted) -> Vec<Truth> {
    let notice = "Les messages et les appels sont chiffrés de bout en bout. Aucun tiers, pas même \
                  WhatsApp, ne peut les lire ou les écouter. Appuyez pour en savoir plus.";
    let lines = [
        notice.to_owned(),
        format!("Vous avez créé le groupe “{}”", wanted.title),
        "Vous avez ajouté Édith Vauquelin".to_owned(),
    ];
    let utc_millis = wanted.from.as_millisecond();
    let record = |text| Truth { sender: None, utc_millis, text, file: None };
    lines.into_iter().map(record).collect()
}

fn line(record: &Truth) -> String {
    let at = paris(Timestamp::from_millisecond(record.utc_millis).unwrap());
    let mut line = format!("{} - ", at.strftime("%d/%m/%Y %H:%M"));
    if let Some(sender) = &record.sender {
        write!(line, "{sender}: ").unwrap();
    }
    match &record.file {
        Some(file) if record.text.is_empty() => {
            write!(line, "\u{200e}{} (fichier joint)", file.name).unwrap();
        }
        Some(file) => {
            write!(line, "\u{200e}{} (fichier joint)\n{}", file.name, record.text).unwrap();
        }
        None => line.push_str(&record.text),
    }
    line.push('\n');
    line
}

fn words(dice: &mut Dice, number: usize) -> String {
    let opening = dice.one_of(&[
        "Bien reçu",
        "Point d’étape",
        "Pour information",
        "À relire",
        "Je confirme",
        "Petit rappel",
        "Correction",
        "Question",
    ]);
    let subject = dice.one_of(&[
        "la note de synthèse",
        "le tableau des arbitrages",
        "la réunion de 14 h 30",
        "l’élément de langage n° 3",
        "le déplacement à Épinal",
        "la fiche « mobilité »",
        "le projet de décret",
    ]);
    let end =
        dice.one_of(&["merci 🙏", "à suivre…", "c’est fait ✅", "on en parle ?", "sans urgence."]);
    let mut text = format!("{opening} : {subject} ({number}), {end}");
    match number % 13 {
        3 => text.push_str("\n\n- premier point\n- second point : https://example.org/d?n=1&v=2"),
        7 => text = format!("*{text}*"),
        9 => text.push_str("\nReprise d’un relevé : 12/11 - salle 204, 09:15 - accueil"),
        11 => text = format!("👩🏽‍💻 {text} 🇫🇷"),
        _ => {}
    }
    text
}

fn caption(dice: &mut Dice, nth: usize) -> String {
    let what = dice.one_of(&["Le plan de salle", "Vue depuis l’entrée", "Le tableau blanc"]);
    if nth.is_multiple_of(2) {
        format!("{what}, prise {nth}")
    } else {
        format!("{what}, prise {nth}\nà comparer avec celle d’hier")
    }
}

/// A small picture that no other has the bytes of: JPEG photos, and PNG as documents.
fn picture(dice: &mut Dice, nth: usize, at: Timestamp) -> (TrueFile, Vec<u8>) {
    let (width, height) = if nth.is_multiple_of(2) { (64, 48) } else { (40, 72) };
    let base = [0, 1, 2].map(|_| u8::try_from(dice.below(256)).unwrap());
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let shade = u8::try_from((x * 2 + y) % 256).unwrap();
        Rgb(base.map(|channel| channel.wrapping_add(shade)))
    });
    // The number itself in the first row, in blocks that survive JPEG.
    for bit in 0..16 {
        let value = if nth >> bit & 1 == 1 { 255 } else { 0 };
        for (x, y) in (0..2).flat_map(|x| (0..8).map(move |y| (x, y))) {
            picture.put_pixel(bit * 2 + x, y, Rgb([value; 3]));
        }
    }
    let (format, mime_type, name) = if nth % 4 == 3 {
        (ImageFormat::Png, "image/png", format!("Schéma n° {nth}.png"))
    } else {
        (ImageFormat::Jpeg, "image/jpeg", photo_name(nth, at))
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    let bytes = bytes.into_inner();
    (true_file(name, mime_type, &bytes, (width, height)), bytes)
}

fn photo_name(nth: usize, at: Timestamp) -> String {
    format!("IMG-{}-WA{nth:04}.jpg", paris(at).strftime("%Y%m%d"))
}

fn true_file(
    name: String,
    mime_type: &'static str,
    bytes: &[u8],
    (width, height): (u32, u32),
) -> TrueFile {
    let sha256 = hex::encode(Sha256::digest(bytes));
    TrueFile { name, mime_type, sha256, size_bytes: bytes.len(), width, height }
}

/// One large photo that becomes many: making each anew would take longer than importing it.
struct Photo {
    size: (u32, u32),
    jpeg: Vec<u8>,
}

impl Photo {
    /// Slopes, edges and grain, so that it weighs about what a photo of its size weighs.
    fn take(width: u32, height: u32) -> Self {
        let mut dice = Dice(u64::from(width));
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let grain = dice.roll();
            let slope = [x / 9, y / 7, (x + y) / 11];
            let edge = if (x / 97 + y / 61).is_multiple_of(5) { 60 } else { 0 };
            Rgb([0, 8, 16].map(|channel| {
                let light =
                    slope[channel / 8] + edge + u32::try_from(grain >> channel & 15).unwrap();
                u8::try_from(light % 256).unwrap()
            }))
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        Self { size: (width, height), jpeg: bytes.into_inner() }
    }

    /// The same with a comment of its own: other bytes, another digest.
    fn again(&self, nth: usize, at: Timestamp) -> (TrueFile, Vec<u8>) {
        let comment = format!("photo {nth:08}");
        let length = u16::try_from(comment.len() + 2).unwrap().to_be_bytes();
        // After the two bytes a JPEG file begins with.
        let (start, rest) = self.jpeg.split_at(2);
        let bytes = [start, &[0xff, 0xfe], &length, comment.as_bytes(), rest].concat();
        (true_file(photo_name(nth, at), "image/jpeg", &bytes, self.size), bytes)
    }
}

/// Photos do not shrink, and Android does not try.
fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)
}
