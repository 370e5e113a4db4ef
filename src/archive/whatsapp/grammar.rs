//! The prefix that opens a record: `12/03/2026 10:02 - `, `[3/7/24, 3:04:05 PM] `.
//!
//! The prefix is whatever the phone's region settings make of a date, so nothing here is tied
//! to a language. [`Shape::learn`] takes one line apart, slowly and in every known form;
//! [`Shape::read_like`] then recognises further lines of that one form, fast. Which of the three
//! numbers of a date is the day is not decided here but in `order`.

/// The numbers of a header, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The three numbers of the date.
    pub date: [u16; 3],
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60; 0 when the form has no seconds.
    pub second: u8,
}

/// The form of a header, learned from a line: everything but the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pieces: Vec<Piece>,
    /// How many pieces there are before the time, where the date comes first; otherwise none.
    date_pieces: usize,
    /// Which numbers of the date have four digits.
    pub four_digits: [bool; 3],
    /// Whether it stands in brackets, as on an iPhone.
    pub bracket: bool,
    /// Whether it has seconds.
    pub seconds: bool,
    /// How its years are counted.
    pub era: Era,
    /// Whether there is a word for the half of the day, and of what kind.
    pub half: HalfWord,
    /// The character for zero.
    zero: char,
}

/// The last header of one shape, as it was written. Most lines begin with the same bytes but for
/// the digits of the time, and that is seen in a few steps, however the header is made.
#[derive(Clone, Debug, Default)]
pub(super) struct LastHeader {
    date: [u16; 3],
    half: Option<Half>,
    /// Its bytes.
    bytes: [u64; WORDS],
    /// Set where a byte must be the same.
    same: [u64; WORDS],
    /// Set where any digit may stand.
    digits: [u64; WORDS],
    /// Where hour, minute and second begin, and how many digits they have.
    time: [(usize, usize); 3],
    /// Its length; 0 when there is none that could serve.
    length: usize,
}

/// Headers of up to so many words of eight bytes are remembered.
const WORDS: usize = 4;

impl LastHeader {
    /// Reads a header that differs from this one in the digits of its time at the most. `ahead` is
    /// the line and what follows it; the length may be more than the line's.
    #[inline]
    pub fn again(&self, ahead: &[u8]) -> Option<(Stamp, usize)> {
        const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);
        const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
        const ABOVE_NINE: u64 = u64::from_ne_bytes([0x80 - 10; 8]);
        let text: &[u8; WORDS * 8] = ahead.first_chunk()?;
        let (chunks, _) = text.as_chunks::<8>();
        let mut wrong = 0;
        for (chunk, ((bytes, same), digits)) in
            chunks.iter().zip(self.bytes.iter().zip(&self.same).zip(&self.digits))
        {
            let word = u64::from_le_bytes(*chunk);
            let digit = word ^ ZEROS;
            wrong |= (word ^ bytes) & same;
            wrong |= (((digit & !HIGH) + ABOVE_NINE) | digit) & HIGH & digits;
        }
        if wrong != 0 || self.length == 0 {
            return None;
        }
        let [hour, minute, second] = self.time.map(|(at, digits)| {
            let digit = |at: usize| text.get(at).map_or(0, |byte| byte.wrapping_sub(b'0'));
            match digits {
                0 => 0,
                1 => digit(at),
                _ => digit(at).wrapping_mul(10).wrapping_add(digit(at + 1)),
            }
        });
        let stamp = Stamp { date: self.date, hour, minute, second };
        finish(stamp, self.half).map(|stamp| (stamp, self.length))
    }

    /// Remembers a header whose date ends at `date_end`, and the order of the numbers behind it.
    fn keep(
        &mut self,
        header: &[u8],
        date: [u16; 3],
        date_end: usize,
        half: Option<Half>,
        slots: impl Iterator<Item = Slot>,
    ) {
        *self = Self { date, half, ..Self::default() };
        let mut text = [0; WORDS * 8];
        let Some(room) = text.get_mut(..header.len()) else { return };
        room.copy_from_slice(header);
        let mut at = date_end;
        for slot in slots {
            let rest = header.get(at..).unwrap_or_default();
            let Some(gap) = rest.iter().position(u8::is_ascii_digit) else { return };
            let start = at + gap;
            let rest = header.get(start..).unwrap_or_default();
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let Some(place) = slot.of_time().and_then(|index| self.time.get_mut(index)) else {
                return;
            };
            if digits > 2 {
                return;
            }
            *place = (start, digits);
            at = start + digits;
        }
        for (index, byte) in text.iter().enumerate().take(header.len()) {
            let (word, shift) = (index / 8, index % 8 * 8);
            let is_digit = self.time.iter().any(|(at, length)| (*at..at + length).contains(&index));
            let masks = if is_digit { &mut self.digits } else { &mut self.same };
            if let (Some(mask), Some(bytes)) = (masks.get_mut(word), self.bytes.get_mut(word)) {
                *mask |= 0xff << shift;
                *bytes |= u64::from(*byte) << shift;
            }
        }
        self.length = header.len();
    }
}

/// How years are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Era {
    /// As written; two digits are in this century, four digits past 2400 are Buddhist.
    Common,
    /// Years of the Buddha, `2565 BE`.
    Buddhist,
    /// Years of a Japanese reign that began the year after this one.
    Reign(u16),
}

/// What tells morning from afternoon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum HalfWord {
    /// Nothing: 24 hours.
    None,
    /// `AM` and `PM` in capitals without dots.
    Capitals,
    /// A Chinese, Japanese or Korean word before the hour.
    Before,
    /// Any other.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Piece {
    /// A literal of one byte, as most are.
    Byte(u8),
    Literal(Vec<u8>),
    Number(Slot),
    Half,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Slot {
    Date(usize),
    Hour,
    Minute,
    Second,
}

impl Slot {
    /// Its place among the values of a header, below 8.
    #[inline]
    fn index(self) -> usize {
        match self {
            Self::Date(index) => index & 3,
            Self::Hour => 3,
            Self::Minute => 4,
            Self::Second => 5,
        }
    }

    /// Its place among hour, minute and second.
    fn of_time(self) -> Option<usize> {
        match self {
            Self::Date(_) => None,
            Self::Hour => Some(0),
            Self::Minute => Some(1),
            Self::Second => Some(2),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
    /// Chinese noon: 11 to 1.
    Noon,
    /// English `at night`: 9 in the evening to 3.
    Night,
}

/// The characters that zero can be: decimal digits of the scripts whose regions write with them.
/// Unicode general category Nd, each followed by its nine others.
const ZEROS: [char; 20] = [
    '0', '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}',
    '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}',
    '\u{17e0}', '\u{1810}', '\u{ff10}',
];

/// Words for half of the day other than `a.m.` and `p.m.`; the facts' section 3.1.
const HALVES: [(&str, Half); 20] = [
    ("ص", Half::Morning),
    ("م", Half::Afternoon),
    ("π.μ.", Half::Morning),
    ("μ.μ.", Half::Afternoon),
    ("午前", Half::Morning),
    ("午後", Half::Afternoon),
    ("上午", Half::Morning),
    ("下午", Half::Afternoon),
    ("凌晨", Half::Morning),
    ("清晨", Half::Morning),
    ("早上", Half::Morning),
    ("中午", Half::Noon),
    ("晚上", Half::Afternoon),
    ("오전", Half::Morning),
    ("오후", Half::Afternoon),
    ("in the morning", Half::Morning),
    ("in the afternoon", Half::Afternoon),
    ("in the evening", Half::Afternoon),
    ("at night", Half::Night),
    ("noon", Half::Noon),
];

/// A header is never longer than this, marks and all.
const MAX_HEADER_BYTES: usize = 96;

impl Shape {
    /// Takes a line apart if it begins like a record in any form; gives its shape, its numbers,
    /// and where the body begins.
    pub fn learn(line: &[u8]) -> Option<(Self, Stamp, usize)> {
        let lead = marks_len(line);
        let window = line.get(..line.len().min(MAX_HEADER_BYTES)).unwrap_or_default();
        let text = match std::str::from_utf8(window) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(window.get(..error.valid_up_to())?).ok()?,
        };
        Learner::new(text.get(lead..)?, true)
            .header()
            .or_else(|| Learner::new(text.get(lead..)?, false).header())
            .map(|(shape, stamp, length)| (shape, stamp, lead + length))
    }

    /// Reads the header of a line of this shape: its numbers and where the body begins. What is
    /// read is remembered in `last`, which reads the next one faster.
    pub fn read_like(&self, line: &[u8], last: &mut LastHeader) -> Option<(Stamp, usize)> {
        // Date, hour, minute, second; two more, so that a slot needs no check.
        let mut values = [0; 8];
        let mut at = 0;
        if matches!(line.first(), Some(0xe2 | 0xef)) {
            at = marks_len(line);
        }
        let (date, time) = self.pieces.split_at_checked(self.date_pieces)?;
        let mut half = None;
        let date_end = self.read_some(date, line, at, &mut values, &mut half)?;
        let end = self.read_some(time, line, date_end, &mut values, &mut half)?;
        let small = |value: u16| u8::try_from(value).unwrap_or(u8::MAX);
        let [a, b, c, hour, minute, second, ..] = values;
        let stamp = Stamp {
            date: [a, b, c],
            hour: small(hour),
            minute: small(minute),
            second: small(second),
        };
        let stamp = finish(stamp, half)?;
        if self.zero == '0' && self.date_pieces > 0 {
            let slots = time.iter().filter_map(|piece| match piece {
                Piece::Number(slot) => Some(*slot),
                Piece::Byte(_) | Piece::Literal(_) | Piece::Half => None,
            });
            last.keep(line.get(..end)?, stamp.date, date_end, half, slots);
        }
        Some((stamp, end))
    }

    /// Reads some pieces; where they end.
    #[inline]
    fn read_some(
        &self,
        pieces: &[Piece],
        line: &[u8],
        from: usize,
        values: &mut [u16; 8],
        half: &mut Option<Half>,
    ) -> Option<usize> {
        let mut at = from;
        for piece in pieces {
            match piece {
                Piece::Byte(byte) => {
                    if line.get(at) != Some(byte) {
                        return None;
                    }
                    at += 1;
                }
                Piece::Number(slot) => {
                    let (value, digits, end) = if self.zero == '0' {
                        ascii_number(line, at)?
                    } else {
                        let (value, digits, length) = number(line.get(at..)?, self.zero)?;
                        (value, digits, at + length)
                    };
                    if let Slot::Date(index) = slot {
                        let four = self.four_digits.get(*index) == Some(&true);
                        if digits == 3 || (digits == 4) != four {
                            return None;
                        }
                    }
                    values[slot.index()] = value;
                    at = end;
                }
                // Shorter than what a call to compare memory is worth.
                Piece::Literal(bytes) => {
                    let rest = line.get(at..)?;
                    if rest.len() < bytes.len() || rest.iter().zip(bytes).any(|(a, b)| a != b) {
                        return None;
                    }
                    at += bytes.len();
                }
                Piece::Half => {
                    let (found, length) = read_half(line.get(at..)?)?;
                    *half = Some(found);
                    at += length;
                }
            }
        }
        Some(at)
    }

    /// Whether an iPhone wrote it: in brackets, or before 2018 without them; Android never shows
    /// seconds.
    pub fn is_iphone(&self) -> bool {
        self.bracket || self.seconds
    }

    /// Whether the separators of the date are dots. No region writes the month first then.
    pub fn dotted(&self) -> bool {
        self.pieces.windows(3).any(|pieces| match pieces {
            [Piece::Number(Slot::Date(0)), Piece::Byte(dot), Piece::Number(Slot::Date(1))] => {
                *dot == b'.'
            }
            _ => false,
        })
    }

    /// Whether the separators of the date are dots with spaces, as in Korean and Hungarian.
    pub fn spaced_dots(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Literal(text) if text == b". "))
    }
}

/// Bytes of byte-order mark and direction marks at the beginning.
pub(super) fn marks_len(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some([a, b, c]) = bytes.get(length..length + 3) {
        let mark = matches!(
            (a, b, c),
            (0xe2, 0x80, 0x8e | 0x8f | 0xaa | 0xac)
                | (0xe2, 0x81, 0xa6..=0xa9)
                | (0xef, 0xbb, 0xbf)
        );
        if !mark {
            break;
        }
        length += 3;
    }
    length
}

/// Applies the half of the day and refuses what no clock shows.
#[inline]
fn finish(mut stamp: Stamp, half: Option<Half>) -> Option<Stamp> {
    stamp.hour = match half {
        Some(Half::Morning | Half::Night) if stamp.hour == 12 => 0,
        Some(Half::Afternoon) if stamp.hour < 12 => stamp.hour + 12,
        Some(Half::Noon) if stamp.hour < 6 => stamp.hour + 12,
        Some(Half::Night) if (6..12).contains(&stamp.hour) => stamp.hour + 12,
        // Hour 0 with a half does occur (`00:08 a. m.`), and so do 24-hour values with one.
        None | Some(Half::Morning | Half::Afternoon | Half::Noon | Half::Night) => stamp.hour,
    };
    (stamp.hour < 24 && stamp.minute < 60 && stamp.second <= 60).then_some(stamp)
}

/// Value, number of digits, and where the number ends.
#[inline]
fn ascii_number(line: &[u8], from: usize) -> Option<(u16, usize, usize)> {
    let digit = |at: usize| line.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10);
    let mut value = u16::from(digit(from)?);
    let mut at = from + 1;
    while let Some(next) = digit(at) {
        if at == from + 4 {
            return None;
        }
        value = value * 10 + u16::from(next);
        at += 1;
    }
    Some((value, at - from, at))
}

/// Value, number of digits and length in bytes.
fn number(bytes: &[u8], zero: char) -> Option<(u16, usize, usize)> {
    let (mut value, mut digits, mut length) = (0_u16, 0, 0);
    while let Some(c) = first_char(bytes.get(length..)?) {
        let Some(digit) = digit_of(c, zero) else { break };
        if digits == 4 {
            return None;
        }
        value = value * 10 + digit;
        digits += 1;
        length += c.len_utf8();
    }
    (digits > 0).then_some((value, digits, length))
}

fn digit_of(c: char, zero: char) -> Option<u16> {
    let digit = u32::from(c).checked_sub(u32::from(zero))?;
    u16::try_from(digit).ok().filter(|digit| *digit < 10)
}

fn first_char(bytes: &[u8]) -> Option<char> {
    let window = bytes.get(..bytes.len().min(4))?;
    match std::str::from_utf8(window) {
        Ok(text) => text.chars().next(),
        Err(error) => std::str::from_utf8(window.get(..error.valid_up_to())?).ok()?.chars().next(),
    }
}

/// Bytes of spaces and direction marks at the beginning.
fn spaces_len(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = bytes.get(length..) {
        length += match rest {
            [b' ', ..] => 1,
            [0xc2, 0xa0, ..] => 2,
            [0xe2, 0x80, 0xaf | 0x89 | 0x8e | 0x8f, ..] => 3,
            _ => break,
        };
    }
    length
}

/// A word for half of the day, with the spaces before it: what it is, and its bytes.
#[inline]
fn read_half(bytes: &[u8]) -> Option<(Half, usize)> {
    let start = spaces_len(bytes);
    let rest = bytes.get(start..)?;
    let letter = rest.first()?.to_ascii_lowercase();
    if letter == b'a' || letter == b'p' {
        let half = if letter == b'a' { Half::Morning } else { Half::Afternoon };
        if let Some(length) = after_letter(rest) {
            return Some((half, start + length));
        }
    }
    HALVES
        .iter()
        .find(|(word, _)| rest.starts_with(word.as_bytes()))
        .map(|(word, half)| (*half, start + word.len()))
}

/// The length of `am`, `a.m.`, `a. m.`, in any case, with any space inside.
fn after_letter(rest: &[u8]) -> Option<usize> {
    let mut length = 1;
    if rest.get(length) == Some(&b'.') {
        length += 1;
        length += spaces_len(rest.get(length..)?);
    }
    if !rest.get(length)?.eq_ignore_ascii_case(&b'm') {
        return None;
    }
    length += 1;
    if length > 2 && rest.get(length) == Some(&b'.') {
        length += 1;
    }
    Some(length)
}

/// One attempt at a line, with the date first or the time first.
struct Learner<'a> {
    text: &'a str,
    at: usize,
    date_first: bool,
    zero: char,
    pieces: Vec<Piece>,
    stamp: Stamp,
    four_digits: [bool; 3],
    seconds: bool,
    half: Option<Half>,
    half_word: HalfWord,
    era: Era,
}

impl<'a> Learner<'a> {
    fn new(text: &'a str, date_first: bool) -> Self {
        let zero = text
            .chars()
            .find_map(|c| ZEROS.into_iter().find(|zero| digit_of(c, *zero).is_some()))
            .unwrap_or('0');
        Self {
            text,
            at: 0,
            date_first,
            zero,
            pieces: Vec::with_capacity(14),
            stamp: Stamp { date: [0; 3], hour: 0, minute: 0, second: 0 },
            four_digits: [false; 3],
            seconds: false,
            half: None,
            half_word: HalfWord::None,
            era: Era::Common,
        }
    }

    fn header(mut self) -> Option<(Shape, Stamp, usize)> {
        let bracket = self.text.starts_with('[');
        self.opening(bracket)?;
        if self.date_first {
            self.date()?;
            self.glue(true)?;
            self.time()?;
        } else {
            self.time()?;
            self.glue(false)?;
            self.date()?;
        }
        self.closing(bracket)?;
        let stamp = finish(self.stamp, self.half)?;
        let plausible = self.stamp.date.iter().zip(self.four_digits).all(|(value, four)| {
            if four {
                (1990..=2700).contains(value)
            } else {
                (1..=99).contains(value) || *value == 0
            }
        });
        if !plausible || self.four_digits.iter().filter(|four| **four).count() > 1 {
            return None;
        }
        let last_of_date =
            self.pieces.iter().position(|piece| *piece == Piece::Number(Slot::Date(2)));
        // What follows the date is a literal, so the date ends where its digits do.
        let date_pieces = if self.date_first { last_of_date.map_or(0, |last| last + 2) } else { 0 };
        let shape = Shape {
            date_pieces: date_pieces.min(self.pieces.len()),
            pieces: self.pieces,
            four_digits: self.four_digits,
            bracket,
            seconds: self.seconds,
            era: self.era,
            half: self.half_word,
            zero: self.zero,
        };
        Some((shape, stamp, self.at))
    }

    /// `[`, marks inside it, and the name of an era.
    fn opening(&mut self, bracket: bool) -> Option<()> {
        let start = self.at;
        if bracket {
            self.at += 1;
        }
        self.at += marks_len(self.rest().as_bytes());
        if self.date_first {
            for (name, before) in REIGNS {
                if self.rest().starts_with(name) {
                    self.at += name.len();
                    self.era = Era::Reign(before);
                    break;
                }
            }
        }
        self.literal(start)
    }

    fn date(&mut self) -> Option<()> {
        for index in 0..3 {
            let (value, digits) = self.number(Slot::Date(index))?;
            if digits == 3 {
                return None;
            }
            *self.stamp.date.get_mut(index)? = value;
            *self.four_digits.get_mut(index)? = digits == 4;
            if index < 2 {
                self.separator(|c| {
                    matches!(c, '/' | '.' | '-' | '年' | '月' | '\u{2011}' | '년' | '월')
                })?;
            }
        }
        Some(())
    }

    fn time(&mut self) -> Option<()> {
        self.stamp.hour = u8::try_from(self.number(Slot::Hour)?.0).ok()?;
        self.separator(is_time_separator)?;
        self.stamp.minute = u8::try_from(self.number(Slot::Minute)?.0).ok()?;
        let before = (self.at, self.pieces.len());
        if self.separator(is_time_separator).is_some()
            && let Some((second, _)) = self.number(Slot::Second)
        {
            self.stamp.second = u8::try_from(second).ok()?;
            self.seconds = true;
        } else {
            self.at = before.0;
            self.pieces.truncate(before.1);
        }
        if self.half.is_none()
            && let Some((half, length)) = read_half(self.rest().as_bytes())
        {
            let word = self.rest().get(..length)?;
            self.half_word = if word.ends_with("AM") || word.ends_with("PM") {
                HalfWord::Capitals
            } else {
                HalfWord::Other
            };
            self.half = Some(half);
            self.at += length;
            self.pieces.push(Piece::Half);
        }
        Some(())
    }

    /// One separator character, with marks and spaces around it.
    fn separator(&mut self, accepts: impl Fn(char) -> bool) -> Option<()> {
        let start = self.at;
        self.at += spaces_len(self.rest().as_bytes());
        let c = self.rest().chars().next().filter(|c| accepts(*c))?;
        self.at += c.len_utf8();
        self.at += spaces_len(self.rest().as_bytes());
        self.literal(start)
    }

    /// What stands between date and time: a comma, `à`, `klo`, an era, the half of the day.
    fn glue(&mut self, time_follows: bool) -> Option<()> {
        let start = self.at;
        while let Some(c) = self.rest().chars().next() {
            if digit_of(c, self.zero).is_some() {
                if self.at == start {
                    return None;
                }
                let words = self.text.get(start..self.at)?;
                if words.contains("BE") || words.contains("พ.ศ.") {
                    self.era = Era::Buddhist;
                }
                return self.literal(start);
            }
            if time_follows
                && !c.is_ascii()
                && let Some((word, half)) = HALVES.iter().find(|(w, _)| self.rest().starts_with(w))
            {
                self.literal(start)?;
                self.at += word.len();
                self.half = Some(*half);
                self.half_word = HalfWord::Before;
                self.pieces.push(Piece::Half);
                let after = self.at;
                self.at += spaces_len(self.rest().as_bytes());
                return self.literal(after);
            }
            if c == ']' || c == '[' || self.at - start > 24 {
                return None;
            }
            self.at += c.len_utf8();
        }
        None
    }

    /// `] `, ` - `, or the colon of old iPhones.
    fn closing(&mut self, bracket: bool) -> Option<()> {
        let start = self.at;
        if bracket {
            // An era or a full stop may stand between the date and the bracket.
            let to = self.rest().find(']').filter(|to| *to <= 12)?;
            let words = self.rest().get(..to)?;
            if words.chars().any(|c| digit_of(c, self.zero).is_some()) {
                return None;
            }
            if words.contains("BE") {
                self.era = Era::Buddhist;
            }
            self.at += to + 1;
            if self.rest().starts_with(' ') {
                self.at += 1;
            }
            return self.literal(start);
        }
        self.at += marks_len(self.rest().as_bytes());
        let end =
            [" - ", " \u{2013} ", ": "].into_iter().find(|end| self.rest().starts_with(end))?;
        self.at += end.len();
        self.literal(start)
    }

    fn number(&mut self, slot: Slot) -> Option<(u16, usize)> {
        let (value, digits, length) = number(self.rest().as_bytes(), self.zero)?;
        self.at += length;
        self.pieces.push(Piece::Number(slot));
        Some((value, digits))
    }

    fn literal(&mut self, start: usize) -> Option<()> {
        let text = self.text.get(start..self.at)?;
        match text.as_bytes() {
            [] => {}
            [byte] => self.pieces.push(Piece::Byte(*byte)),
            bytes => self.pieces.push(Piece::Literal(bytes.to_vec())),
        }
        Some(())
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn is_time_separator(c: char) -> bool {
    matches!(c, ':' | '.' | 'h' | '時' | '时' | '시' | '分' | '분')
}

/// Names of Japanese eras as headers show them, and the year before each began.
const REIGNS: [(&str, u16); 6] =
    [("令和", 2018), ("平成", 1988), ("昭和", 1925), ("R", 2018), ("H", 1988), ("S", 1925)];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(shape: &Shape, line: &[u8]) -> Option<(Stamp, usize)> {
        let mut last = LastHeader::default();
        let first = shape.read_like(line, &mut last);
        let ahead = [line, &[b'\n'; 64]].concat();
        for _ in 0..2 {
            if let Some(again) = last.again(&ahead) {
                assert_eq!(Some(again), first, "a known header changes nothing");
            }
            assert_eq!(shape.read_like(line, &mut last), first, "nor does reading it again");
        }
        first
    }

    #[test]
    fn a_header_like_the_last_one_is_read_as_any_other() {
        let times = ["0:00", "3:04", "9:59", "10:02", "12:00", "23:59", "24:00", "7:60", "1a:00"];
        for (form, like) in [
            ("12/03/2026 TIME - X: y", true),
            ("12/03/2026 à TIME - X: y", true),
            ("3/7/24, TIME\u{202f}PM - X: y", true),
            ("[12/03/2026, TIME:33] X: y", true),
            ("\u{200e}[12/03/2026, TIME:33] X: y", true),
            ("[TIME:35, 3/27/22] X: y", false),
            ("[2024/2/9 下午TIME:05] X: y", true),
        ] {
            let line = |time: &str| form.replace("TIME", time).into_bytes();
            let (shape, ..) = Shape::learn(&line("10:02")).unwrap();
            let mut seen = 0;
            for before in times {
                for now in times {
                    let mut last = LastHeader::default();
                    shape.read_like(&line(before), &mut last);
                    let ahead = [line(now), vec![b'\n'; 64]].concat();
                    let fresh = shape.read_like(&ahead, &mut LastHeader::default());
                    if let Some(again) = last.again(&ahead) {
                        seen += 1;
                        assert_eq!(Some(again), fresh, "{before} then {now} in {form}");
                    }
                }
            }
            assert_eq!(seen > 10, like, "{form}: {seen}");
        }
    }

    fn stamp(line: &str) -> ([u16; 3], u8, u8, u8, String) {
        let (shape, learned, at) = Shape::learn(line.as_bytes()).expect(line);
        let (read, fast_at) = read(&shape, line.as_bytes()).expect("a shape reads its own line");
        assert_eq!((learned, at), (read, fast_at), "{line}");
        let rest = line.get(at..).unwrap().to_owned();
        (learned.date, learned.hour, learned.minute, learned.second, rest)
    }

    #[test]
    fn every_known_form_is_read() {
        let x = || "X: y".to_owned();
        for (line, date, hour, minute, second) in [
            ("12/03/2026 10:02 - X: y", [12, 3, 2026], 10, 2, 0),
            ("12/07/2017 à 22:35 - X: y", [12, 7, 2017], 22, 35, 0),
            ("02.05.18 à 18:00 - X: y", [2, 5, 18], 18, 0, 0),
            ("2024-03-07 15 h 04 - X: y", [2024, 3, 7], 15, 4, 0),
            ("3/7/24, 3:04\u{202f}PM - X: y", [3, 7, 24], 15, 4, 0),
            ("3/7/24, 12:04 AM - X: y", [3, 7, 24], 0, 4, 0),
            ("2023-12-20, 5:46 p.m. - X: y", [2023, 12, 20], 17, 46, 0),
            ("28/3/2025, 9:29 p.\u{a0}m. - X: y", [28, 3, 2025], 21, 29, 0),
            ("06/20/2020, 00:08 a. m. - X: y", [6, 20, 2020], 0, 8, 0),
            ("[12.3.2022 klo 14.08.18] X: y", [12, 3, 2022], 14, 8, 18),
            ("[2024. 1. 1. 오후 9:41:35] X: y", [2024, 1, 1], 21, 41, 35),
            ("[2024/2/9 下午9:41:35] X: y", [2024, 2, 9], 21, 41, 35),
            ("[21:41:35, 3/27/22] X: y", [3, 27, 22], 21, 41, 35),
            ("\u{200e}[3/18/22 14.56.01] X: y", [3, 18, 22], 14, 56, 1),
            ("[١٨\u{200f}/٣\u{200f}/٢٠٢٢، ٢:٥٦:٠٠ م] X: y", [18, 3, 2022], 14, 56, 0),
            (
                "\u{200f}[\u{200f}15\u{200f}/3\u{200f}/2024، 21:12:05] X: y",
                [15, 3, 2024],
                21,
                12,
                5,
            ),
            ("[27/3/2565 BE, 21:41:35] X: y", [27, 3, 2565], 21, 41, 35),
            ("[R4/03/27 21:41:35] X: y", [4, 3, 27], 21, 41, 35),
            ("13. 6. 2018. 10:02 - X: y", [13, 6, 2018], 10, 2, 0),
            ("12/03/2013, 10:02:11: X: y", [12, 3, 2013], 10, 2, 11),
            ("07/03/2024, 3:04 in the afternoon - X: y", [7, 3, 2024], 15, 4, 0),
        ] {
            assert_eq!(stamp(line), (date, hour, minute, second, x()), "{line}");
        }
    }

    #[test]
    fn ordinary_words_are_no_header() {
        for line in [
            "12/11 - foo",
            "Total: 3:2",
            "- mot",
            "",
            "[",
            "[12",
            "12/03/2026",
            "1.2.3.4.5",
            "12/03/2026 25:02 - X: y",
            "\u{200e}",
            "12345/1/1, 10:00 - x",
            "10:30 - 11:30",
        ] {
            assert_eq!(Shape::learn(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_shape_refuses_other_shapes() {
        let (shape, ..) = Shape::learn(b"12/03/2026 10:02 - X: y").unwrap();
        assert!(read(&shape, b"2/3/2026 9:02 - ").is_some());
        for other in ["12/03/26 10:02 - X", "12/03/2026, 10:02 - X", "12/03/2026 10:02 X", "[12/03"]
        {
            assert_eq!(read(&shape, other.as_bytes()), None, "{other}");
        }
    }
}
