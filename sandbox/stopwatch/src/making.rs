//! Exports of any size to measure with: invented people, words and times, the same bytes at every
//! run. They have the shapes and proportions of real ones (answers, reactions, files, accents,
//! messages of several lines), and none of their surprises: those are the fixtures' business.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const WORDS: [&str; 40] = [
    "bonjour",
    "merci",
    "réunion",
    "demain",
    "préfecture",
    "note",
    "équipe",
    "être",
    "synthèse",
    "document",
    "oui",
    "non",
    "là-bas",
    "façon",
    "budget",
    "signature",
    "relire",
    "train",
    "salle",
    "lundi",
    "mardi",
    "peut-être",
    "retard",
    "dossier",
    "cœur",
    "projet",
    "semaine",
    "agenda",
    "ministre",
    "cabinet",
    "presse",
    "ça",
    "voilà",
    "accord",
    "👍",
    "point",
    "heure",
    "suite",
    "lien",
    "très",
];
const PEOPLE: [&str; 12] = [
    "Anna Roux",
    "Zoé 🌸",
    "Jean-Damien Petit",
    "Ophélie Pons",
    "Karim Benali",
    "Hélène Sarrazin",
    "+33 6 39 98 14 72",
    "Злата В",
    "Luc",
    "Nadia Vasseur",
    "Rémi Caron",
    "Papa",
];
/// Messages of one page of Telegram's HTML.
const PAGE: u64 = 1000;

/// A small generator of pseudo-random numbers: xorshift64*, Vigna 2016.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// Some words; most messages are short.
    fn words(&mut self, into: &mut String) {
        let most = if self.one_in(8) { 40 } else { 12 };
        for at in 0..=self.below(most) {
            if at > 0 {
                into.push(' ');
            }
            into.push_str(WORDS[self.index(WORDS.len())]);
        }
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        self.words(&mut text);
        text
    }
}

/// Writes an export of about `size_bytes`. The name says which: `*.txt` WhatsApp's, `telegram*`
/// and `html*` Telegram's folders, `olvid*` Olvid's.
pub(super) fn make(path: &Path, size_bytes: u64) {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name.ends_with(".txt") {
        whatsapp(&mut writer(path), size_bytes);
        return;
    }
    fs::create_dir_all(path).unwrap();
    if name.starts_with("telegram") {
        telegram(&mut writer(&path.join("result.json")), size_bytes);
    } else if name.starts_with("html") {
        pages(path, size_bytes);
    } else if name.starts_with("olvid") {
        olvid(&mut writer(&path.join("discussions_and_messages.json")), size_bytes);
    } else {
        panic!("{name}: no export has such a name");
    }
}

fn writer(path: &Path) -> BufWriter<File> {
    BufWriter::with_capacity(1 << 20, File::create(path).unwrap())
}

/// Calls `each` with a number, a time in seconds and a buffer until enough was written.
fn until(
    out: &mut dyn Write,
    size_bytes: u64,
    mut each: impl FnMut(u64, i64, &mut Dice, &mut String),
) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut number, mut at, mut written) = (0, 1_546_675_260_i64, 0);
    let mut buffer = String::new();
    while written < size_bytes {
        number += 1;
        at += i64::try_from(dice.below(400)).unwrap();
        buffer.clear();
        each(number, at, &mut dice, &mut buffer);
        written += buffer.len() as u64;
        out.write_all(buffer.as_bytes()).unwrap();
    }
}

fn whatsapp(out: &mut dyn Write, size_bytes: u64) {
    let notice = "05/01/2019 08:01 - Les messages et les appels sont chiffrés de bout en bout. \
                  Aucun tiers, pas même WhatsApp, ne peut les lire ou les écouter.\n";
    out.write_all(notice.as_bytes()).unwrap();
    let zone = TimeZone::get("Europe/Paris").unwrap();
    until(out, size_bytes, |_, at, dice, line| {
        let local = Timestamp::from_second(at).unwrap().to_zoned(zone.clone()).datetime();
        let (day, month, year) = (local.day(), local.month(), local.year());
        let _ =
            write!(line, "{day:02}/{month:02}/{year} {:02}:{:02} - ", local.hour(), local.minute());
        let person = PEOPLE[dice.index(PEOPLE.len())];
        if dice.one_in(200) {
            let other = PEOPLE[dice.index(PEOPLE.len())];
            let _ = writeln!(line, "{person} a ajouté {other}");
            return;
        }
        let _ = write!(line, "{person}: ");
        match dice.below(40) {
            0..=3 => line.push_str("<Médias omis>"),
            4 => line.push_str("Ce message a été supprimé"),
            5 => {
                dice.words(line);
                line.push_str(" <Ce message a été modifié>");
            }
            6..=8 => {
                dice.words(line);
                line.push_str("\n\n- ");
                dice.words(line);
                line.push('\n');
                dice.words(line);
            }
            _ => dice.words(line),
        }
        line.push('\n');
    });
}

fn telegram(out: &mut dyn Write, size_bytes: u64) {
    let head = "{\n \"name\": \"Équipe\",\n \"type\": \"private_supergroup\",\n \"id\": 1100603110,\n \
                \"messages\": [";
    out.write_all(head.as_bytes()).unwrap();
    until(out, size_bytes, |number, at, dice, json| {
        let local = Timestamp::from_second(at + 3600).unwrap();
        let person = dice.index(PEOPLE.len());
        let comma = if number > 1 { "," } else { "" };
        let _ = write!(
            json,
            "{comma}\n  {{\n   \"id\": {number},\n   \"type\": \"message\",\n   \"date\": \"{}\",\n   \
             \"date_unixtime\": \"{at}\",\n   \"from\": \"{}\",\n   \"from_id\": \"user{}\"",
            local.strftime("%Y-%m-%dT%H:%M:%S"),
            PEOPLE[person],
            1_283_629_583 + person
        );
        if number > 50 && dice.one_in(5) {
            let _ = write!(json, ",\n   \"reply_to_message_id\": {}", number - 1 - dice.below(50));
        }
        if dice.one_in(8) {
            json.push_str(
                ",\n   \"photo\": \"(File not included. Change data exporting settings to \
                 download.)\",\n   \"photo_file_size\": 125996,\n   \"width\": 1280,\n   \
                 \"height\": 960",
            );
        }
        let plain = dice.text();
        if dice.one_in(10) {
            let bold = dice.text();
            let _ = write!(
                json,
                ",\n   \"text\": [\n    \"{plain} \",\n    {{\n     \"type\": \"bold\",\n     \
                 \"text\": \"{bold}\"\n    }},\n    \"\"\n   ],\n   \"text_entities\": [\n    {{\n     \
                 \"type\": \"plain\",\n     \"text\": \"{plain} \"\n    }},\n    {{\n     \"type\": \
                 \"bold\",\n     \"text\": \"{bold}\"\n    }},\n    {{\n     \"type\": \"plain\",\n     \
                 \"text\": \"\"\n    }}\n   ]"
            );
        } else {
            let _ = write!(
                json,
                ",\n   \"text\": \"{plain}\\nfin\",\n   \"text_entities\": [\n    {{\n     \"type\": \
                 \"plain\",\n     \"text\": \"{plain}\\nfin\"\n    }}\n   ]"
            );
        }
        if dice.one_in(12) {
            let by = dice.index(PEOPLE.len());
            let _ = write!(
                json,
                ",\n   \"reactions\": [\n    {{\n     \"type\": \"emoji\",\n     \"count\": 1,\n     \
                 \"emoji\": \"👍\",\n     \"recent\": [\n      {{\n       \"from\": \"{}\",\n       \
                 \"from_id\": \"user{}\",\n       \"date\": \"{}\"\n      }}\n     ]\n    }}\n   ]",
                PEOPLE[by],
                1_283_629_583 + by,
                local.strftime("%Y-%m-%dT%H:%M:%S")
            );
        }
        json.push_str("\n  }");
    });
    out.write_all(b"\n ]\n}").unwrap();
}

fn pages(folder: &Path, size_bytes: u64) {
    let mut dice = Dice(7);
    let (mut written, mut number, mut at) = (0, 0, 1_700_000_000_i64);
    for page in 1.. {
        let mut html = String::from(
            "<!DOCTYPE html>\n<html>\n\n <head>\n\n  <meta charset=\"utf-8\"/>\n<title>Exported \
             Data</title>\n\n </head>\n\n <body onload=\"CheckLocation();\">\n\n  <div \
             class=\"page_wrap\">\n\n   <div class=\"page_header\">\n\n    <div class=\"content\">\n\n     \
             <div class=\"text bold\">\nÉquipe \n     </div>\n\n    </div>\n\n   </div>\n\n   <div \
             class=\"page_body chat_page\">\n\n    <div class=\"history\">\n",
        );
        for _ in 0..PAGE {
            number += 1;
            at += i64::try_from(dice.below(4000)).unwrap();
            let local = Timestamp::from_second(at + 3600).unwrap();
            let _ = write!(
                html,
                "\n     <div class=\"message default clearfix\" id=\"message{number}\">\n\n      <div \
                 class=\"pull_left userpic_wrap\">\n\n       <div class=\"userpic userpic3\" \
                 style=\"width: 42px; height: 42px\">\n\n        <div class=\"initials\" \
                 style=\"line-height: 42px\">\nOR\n        </div>\n\n       </div>\n\n      </div>\n\n      \
                 <div class=\"body\">\n\n       <div class=\"pull_right date details\" \
                 title=\"{} UTC+01:00\">\n{}\n       </div>\n\n       <div class=\"from_name\">\n{} \n       \
                 </div>\n\n       <div class=\"text\">\n{} <strong>{}</strong><br>{}\n       \
                 </div>\n\n      </div>\n\n     </div>\n",
                local.strftime("%d.%m.%Y %H:%M:%S"),
                local.strftime("%H:%M"),
                PEOPLE[dice.index(PEOPLE.len())],
                dice.text(),
                WORDS[dice.index(WORDS.len())],
                dice.text(),
            );
        }
        let more = written + (html.len() as u64) < size_bytes;
        if more {
            let _ = write!(
                html,
                "\n     <a class=\"pagination block_link\" href=\"messages{}.html\">\nNext \
                 messages\n     </a>\n",
                page + 1
            );
        }
        html.push_str("\n    </div>\n\n   </div>\n\n  </div>\n\n </body>\n\n</html>\n");
        written += html.len() as u64;
        let name =
            if page == 1 { "messages.html".to_owned() } else { format!("messages{page}.html") };
        fs::write(folder.join(name), html).unwrap();
        if !more {
            return;
        }
    }
}

/// Messages of one sender in one discussion.
const STRETCH: u64 = 500;

fn olvid(out: &mut dyn Write, size_bytes: u64) {
    let identity = |person: usize| {
        let mut bytes = b"https://server.olvid.io\0".to_vec();
        bytes.extend([u8::try_from(person).unwrap(); 66]);
        BASE64_STANDARD.encode(bytes)
    };
    let identities: Vec<String> = (0..PEOPLE.len()).map(identity).collect();
    let thread = |stretch: u64| format!("1966da0c-28e2-405d-b1a4-{stretch:012x}");
    let mut head = format!(
        "{{\"bytesOwnedIdentity\":\"{}\",\"sha256s\":{{}},\"discussions\":[",
        identities[0]
    );
    for (person, identity) in identities.iter().enumerate().skip(1) {
        let comma = if person > 1 { "," } else { "" };
        let _ = write!(
            head,
            "{comma}{{\"discussion\":{{\"t\":1,\"id\":\"{identity}\"}},\"title\":\"{}\"}}",
            PEOPLE[person]
        );
    }
    head.push_str("],\"contacts\":[");
    for (person, identity) in identities.iter().enumerate() {
        let comma = if person > 0 { "," } else { "" };
        let _ = write!(
            head,
            "{comma}{{\"contact\":\"{identity}\",\"displayName\":\"{}\"}}",
            PEOPLE[person]
        );
    }
    head.push_str("],\"messages\":[");
    out.write_all(head.as_bytes()).unwrap();
    until(out, size_bytes, |number, at, dice, json| {
        let (stretch, sequence) = ((number - 1) / STRETCH, (number - 1) % STRETCH + 1);
        let other = usize::try_from(stretch / 2).unwrap() % (PEOPLE.len() - 1) + 1;
        let sender = if stretch % 2 == 0 { 0 } else { other };
        if sequence == 1 {
            let end = if stretch > 0 { "]}," } else { "" };
            let _ = write!(
                json,
                "{end}{{\"discussion\":{{\"t\":1,\"id\":\"{}\"}},\"sender\":\"{}\",\"threadId\":\"{}\",\
                 \"messages\":[",
                identities[other],
                identities[sender],
                thread(stretch)
            );
        } else {
            json.push(',');
        }
        let _ = write!(json, "{{\"sequenceNumber\":{sequence},");
        if sender == 0 {
            json.push_str("\"status\":8,");
        } else {
            json.push_str("\"uidFromServer\":\"ChIVAlyU7dv9hUJQlhufjvloYSQQ3vP0R4DHnMNOxhg=\",");
        }
        let at_ms = at * 1000 + i64::try_from(dice.below(1000)).unwrap();
        let _ = write!(json, "\"timestamp\":{at_ms},\"body\":\"{}\",", dice.text());
        if sequence > 1 && dice.one_in(6) {
            let _ = write!(
                json,
                "\"reply\":{{\"ssn\":{},\"sti\":\"{}\",\"si\":\"{}\"}},",
                sequence - 1,
                thread(stretch),
                identities[sender]
            );
        }
        if dice.one_in(9) {
            let _ = write!(
                json,
                "\"reactions\":[{{\"reaction\":\"👍\",\"sender\":\"{}\",\"timestamp\":{}}}],",
                identities[other],
                at_ms + 9000
            );
        }
        if dice.one_in(12) {
            json.push_str(
                "\"attachments\":[{\"sha256\":\"5ORncqgiyzsCy83RbZ/EDSVSMJx1KQPy82m8djCODNo=\",\
                 \"number\":0,\"size\":163,\"mimeType\":\"image/png\",\"filename\":\"capture.png\"}],",
            );
        }
        json.push_str("\"edited\":false}");
    });
    out.write_all(b"]}]}").unwrap();
}
