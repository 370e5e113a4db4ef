//! Containers of every kind, whole and hostile, built on the spot.

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{AesMode, CompressionMethod, ZipWriter};

use super::*;

/// A temporary folder to lay files out on.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(files, SimpleFileOptions::default())
}

fn zip_with(files: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// As zip4j writes to a stream: the sizes follow the data.
fn streamed_zip(files: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ZipWriter::new_stream(&mut bytes);
    for (name, content) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

fn open(path: &Path) -> Container {
    Container::open(path, Limits::default()).unwrap()
}

fn read(container: &Container, name: &str) -> Vec<u8> {
    let entry = container.find(name).unwrap_or_else(|| panic!("{name} is not there"));
    let mut bytes = Vec::new();
    container.reader(entry).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn names(container: &Container) -> Vec<&str> {
    let mut names: Vec<_> = container.entries().iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn kinds(container: &Container) -> Vec<FindingKind> {
    container.findings().iter().map(|finding| finding.kind).collect()
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

const SECRET: &str = "ABcdEF-gh2346-789xyz";

fn locked(secret: &str) -> Access {
    Access { limits: Limits::default(), password: Some(Password::new(secret)) }
}

#[test]
fn folder_zip_and_file_give_the_same_bytes() {
    let desk = Desk::new();
    let large = noise(3_000_000);
    desk.file("export/été.txt", b"bonjour");
    desk.file("export/media/a.bin", &large);
    let files: &[(&str, &[u8])] = &[("été.txt", b"bonjour"), ("media/a.bin", &large)];
    let zipped = desk.file("e.zip", &zip_of(files));
    let streamed = desk.file("s.zip", &streamed_zip(files, SimpleFileOptions::default()));
    let wide = desk.file("w.zip", &zip_with(files, SimpleFileOptions::default().large_file(true)));
    for path in [desk.path("export"), zipped, streamed, wide] {
        let container = open(&path);
        assert_eq!(names(&container), ["media/a.bin", "été.txt"]);
        assert_eq!(read(&container, "e\u{301}te\u{301}.txt"), b"bonjour");
        assert_eq!(read(&container, "media/a.bin"), large);
        assert!(container.findings().is_empty(), "{:?}", container.findings());
    }
    assert_eq!(read(&open(&desk.file("x.txt", b"seul")), "x.txt"), b"seul");
}

#[test]
fn entries_can_be_read_side_by_side() {
    let desk = Desk::new();
    let (a, b) = (noise(900_000), noise(700_001));
    let container = open(&desk.file("e.zip", &zip_of(&[("a", &a), ("b", &b)])));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(read(&container, "a"), a));
            scope.spawn(|| assert_eq!(read(&container, "b"), b));
        }
    });
    // A stream that is dropped early leaves nothing behind that would block.
    let mut first = [0; 10];
    container.reader(container.find("a").unwrap()).unwrap().read_exact(&mut first).unwrap();
    assert_eq!(first, a[..10]);
}

#[test]
fn a_single_top_folder_is_found() {
    let desk = Desk::new();
    let one = desk.file("1.zip", &zip_of(&[("Export (1)/a", b"1"), ("Export (1)/b/c", b"2")]));
    assert_eq!(open(&one).top(), "Export (1)/");
    let two = desk.file("2.zip", &zip_of(&[("x/a", b"1"), ("y/b", b"2")]));
    assert_eq!(open(&two).top(), "");
    let entry = open(&one).entries()[1].clone();
    assert_eq!((entry.folder(), entry.file_name()), ("Export (1)/b/", "c"));
}

#[test]
fn names_that_would_leave_are_never_read() {
    let desk = Desk::new();
    let bytes = zip_of(&[
        ("../up", b"x"),
        ("/etc/passwd", b"x"),
        ("C:/boot.ini", b"x"),
        ("a\\b", b"x"),
        ("good.txt", b"good"),
        ("./good.txt", b"double"),
        ("__MACOSX/._good.txt", b"fork"),
    ]);
    let container = open(&desk.file("e.zip", &bytes));
    assert_eq!(names(&container), ["good.txt"]);
    assert_eq!(read(&container, "good.txt"), b"good");
    assert_eq!(kinds(&container), [FindingKind::UnsafeEntry; 5]);
}

#[test]
fn links_are_never_followed() {
    let desk = Desk::new();
    let secret = desk.file("secret.txt", b"secret");
    desk.file("export/a.txt", b"a");
    std::os::unix::fs::symlink(&secret, desk.path("export/link.txt")).unwrap();
    std::os::unix::fs::symlink(desk.0.path(), desk.path("export/loop")).unwrap();
    let container = open(&desk.path("export"));
    assert_eq!(names(&container), ["a.txt"]);
    assert_eq!(kinds(&container), [FindingKind::UnsafeEntry; 2]);
    // A link put in place of a file after listing.
    fs::remove_file(desk.path("export/a.txt")).unwrap();
    std::os::unix::fs::symlink(&secret, desk.path("export/a.txt")).unwrap();
    assert!(container.reader(&container.entries()[0]).is_err());

    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let container = open(&desk.file("l.zip", &bytes));
    assert!(container.entries().is_empty());
    assert_eq!(kinds(&container), [FindingKind::UnsafeEntry]);
}

#[test]
fn bombs_are_refused() {
    let desk = Desk::new();
    let zeros = vec![0; 40 << 20];
    let bytes = zip_of(&[("bomb", &zeros), ("chat.txt", b"chat")]);
    let container = open(&desk.file("e.zip", &bytes));
    assert_eq!(names(&container), ["chat.txt"]);
    assert_eq!(kinds(&container), [FindingKind::UnsafeEntry]);

    let small = Limits { total_bytes: 1000, ..Limits::default() };
    let path = desk.file("t.zip", &zip_of(&[("a", &noise(600)), ("b", &noise(600))]));
    let error = Container::open(&path, small).unwrap_err();
    assert!(matches!(error, ContainerError::OverLimit { what: "unpacked bytes", .. }), "{error}");

    let few = Limits { entries: 3, ..Limits::default() };
    let path = desk.file("n.zip", &zip_of(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]));
    let error = Container::open(&path, few).unwrap_err();
    assert!(
        matches!(error, ContainerError::OverLimit { what: "entries", found: 4, .. }),
        "{error}"
    );
    for name in ["a", "b", "c", "d"] {
        desk.file(&format!("many/{name}"), b"");
    }
    assert!(Container::open(&desk.path("many"), few).is_err());

    let deep = format!("{}leaf", "d/".repeat(40));
    let container = open(&desk.file("d.zip", &zip_of(&[(&deep, b"x"), ("flat", b"x")])));
    assert_eq!(names(&container), ["flat"]);
    desk.file(&format!("deep/{deep}"), b"x");
    let container = open(&desk.path("deep"));
    assert!(container.entries().is_empty());
    assert_eq!(kinds(&container), [FindingKind::UnsafeEntry]);
}

/// Position of the directory entry number `which`.
fn central(bytes: &[u8], which: usize) -> usize {
    memchr::memmem::find_iter(bytes, b"PK\x01\x02").nth(which).unwrap()
}

#[test]
fn what_a_zip_claims_is_checked_while_reading() {
    let desk = Desk::new();
    let content = noise(5000);
    let mut bytes = zip_of(&[("a", &content)]);
    let at = central(&bytes, 0);
    bytes[at + 24..at + 28].copy_from_slice(&100u32.to_le_bytes());
    let container = open(&desk.file("less.zip", &bytes));
    let mut got = Vec::new();
    let entry = &container.entries()[0];
    assert!(container.reader(entry).unwrap().read_to_end(&mut got).is_err());
    assert!(got.len() <= 100);

    bytes[at + 24..at + 28].copy_from_slice(&9000u32.to_le_bytes());
    let container = open(&desk.file("more.zip", &bytes));
    let entry = &container.entries()[0];
    let error = container.reader(entry).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().starts_with("a in "), "{error}");

    // Two entries made of the same packed bytes.
    let mut bytes = zip_of(&[("a", &content), ("b", &content)]);
    let second = central(&bytes, 1);
    bytes[second + 42..second + 46].copy_from_slice(&[0; 4]);
    let first = central(&bytes, 0);
    let more = 10_000u32.to_le_bytes();
    bytes[first + 20..first + 24].copy_from_slice(&more);
    let error = Container::open(&desk.file("o.zip", &bytes), Limits::default()).unwrap_err();
    assert!(matches!(error, ContainerError::OverLimit { .. }), "{error}");
}

#[test]
fn the_password_is_asked_for_checked_and_hidden() {
    let desk = Desk::new();
    let large = noise(700_000);
    let options = SimpleFileOptions::default().with_aes_encryption(AesMode::Aes256, SECRET);
    let files: &[(&str, &[u8])] = &[("a.json", b"{}"), ("files/b", &large), ("empty", b"")];
    for bytes in [zip_with(files, options), streamed_zip(files, options)] {
        let path = desk.file("e.zip", &bytes);
        let error = Container::open(&path, Limits::default()).unwrap_err();
        assert!(matches!(error, ContainerError::PasswordNeeded { .. }), "{error}");
        assert!(error.hint().contains("--password-file"));
        let error = Container::open(&path, locked("nope")).unwrap_err();
        assert!(matches!(error, ContainerError::WrongPassword { .. }), "{error}");
        let container = Container::open(&path, locked(SECRET)).unwrap();
        assert_eq!(read(&container, "a.json"), b"{}");
        assert_eq!(read(&container, "files/b"), large);
        assert_eq!(read(&container, "empty"), b"");
        assert!(!format!("{container:?}").contains(SECRET));
    }
    let file = desk.file("password", format!("{SECRET}\r\n").as_bytes());
    assert_eq!(Password::from_file(&file).unwrap(), Password::new(SECRET));
    assert_eq!(format!("{:?}", Password::new(SECRET)), "Password(***)");
}

#[test]
fn a_cut_zip_gives_what_is_whole() {
    let desk = Desk::new();
    let text = b"un deux trois ".repeat(60);
    let rest = noise(900);
    let files: &[(&str, &[u8])] = &[("chat.txt", &text), ("b.bin", &rest), ("vide", b"")];
    let plain = SimpleFileOptions::default();
    let stored = plain.compression_method(CompressionMethod::Stored);
    let aes = plain.with_aes_encryption(AesMode::Aes256, SECRET);
    for bytes in [
        zip_of(files),
        zip_with(files, stored),
        zip_with(files, plain.large_file(true)),
        streamed_zip(files, plain),
        streamed_zip(files, plain.large_file(true)),
        streamed_zip(files, aes),
    ] {
        let whole = Container::open(&desk.file("w.zip", &bytes), locked(SECRET)).unwrap();
        assert!(whole.findings().is_empty());
        // Without its directory, everything is there.
        let cut = central(&bytes, 0);
        let path = desk.file("d.zip", &bytes[..cut]);
        let container = Container::open(&path, locked(SECRET)).unwrap();
        assert_eq!(kinds(&container), [FindingKind::Truncated]);
        for (name, content) in files {
            assert_eq!(read(&container, name), *content);
        }
        // Cut in the middle of the second entry, the first is there.
        let second = memchr::memmem::find_iter(&bytes, b"PK\x03\x04").nth(1).unwrap();
        let path = desk.file("m.zip", &bytes[..second + 500]);
        let container = Container::open(&path, locked(SECRET)).unwrap();
        assert_eq!(names(&container), ["chat.txt"]);
        assert_eq!(container.findings()[0].place.entry, "b.bin");
        assert_eq!(read(&container, "chat.txt"), text);
    }
}

#[test]
fn no_prefix_of_a_zip_panics() {
    let desk = Desk::new();
    let text = b"bonjour ".repeat(100);
    let files: &[(&str, &[u8])] = &[("chat.txt", &text), ("b", &noise(800)), ("c", b"")];
    for bytes in [
        zip_of(files),
        streamed_zip(files, SimpleFileOptions::default()),
        zip_with(files, SimpleFileOptions::default().large_file(true)),
    ] {
        for length in (0..bytes.len()).step_by(7) {
            let path = desk.file("p.zip", &bytes[..length]);
            let Ok(container) = Container::open(&path, Limits::default()) else { continue };
            for entry in container.entries() {
                if let Ok(mut stream) = container.reader(entry) {
                    let _ = io::copy(&mut stream, &mut io::sink());
                }
            }
        }
    }
}

#[test]
fn empty_files_and_broken_zips_say_so() {
    let desk = Desk::new();
    let error = Container::open(&desk.file("e.zip", b""), Limits::default()).unwrap_err();
    assert!(matches!(error, ContainerError::EmptyFile { .. }), "{error}");
    let error = Container::open(&desk.file("b.zip", b"PK\x03\x04zzz"), Limits::default());
    assert!(matches!(error, Err(ContainerError::BrokenZip { .. })), "{error:?}");
    let error = Container::open(&desk.path("none"), Limits::default()).unwrap_err();
    assert!(matches!(error, ContainerError::Io { .. }), "{error}");
    assert!(open(&desk.file("z.zip", &zip_of(&[]))).entries().is_empty());
}

#[test]
fn names_are_read_in_their_encoding() {
    let desk = Desk::new();
    // The writer flags non-ASCII names as UTF-8; an old one writes bytes of a code page.
    let mut bytes = zip_of(&[("r#union.txt", b"x")]);
    for byte in bytes.iter_mut().filter(|byte| **byte == b'#') {
        *byte = 0x82;
    }
    assert_eq!(names(&open(&desk.file("e.zip", &bytes))), ["réunion.txt"]);
}

#[test]
fn a_zip_in_a_container_is_only_a_file() {
    let desk = Desk::new();
    let inner = zip_of(&[("../x", b"x")]);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let bytes = streamed_zip(&[("inner.zip", &inner), ("z", b"z")], stored);
    let container = open(&desk.file("e.zip", &bytes));
    assert_eq!(names(&container), ["inner.zip", "z"]);
    assert_eq!(read(&container, "inner.zip"), inner);
    // Salvaging steps over the headers of the inner zip.
    let container = open(&desk.file("c.zip", &bytes[..bytes.len() - 30]));
    assert_eq!(names(&container), ["inner.zip", "z"]);
}

#[test]
fn finding_names_among_many_is_quick() {
    let desk = Desk::new();
    let many: Vec<String> = (0..20_000).map(|n| format!("média/{n:06}.jpg")).collect();
    let files: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let container = open(&desk.file("e.zip", &zip_with(&files, stored)));
    for name in &many {
        assert_eq!(&container.find(name).unwrap().name, name);
    }
    assert!(container.find("média/x").is_none());
}

#[test]
fn digests_tell_containers_apart() {
    let desk = Desk::new();
    desk.file("one/b", b"2");
    desk.file("one/a", b"1");
    desk.file("two/a", b"1");
    desk.file("two/b", b"2");
    let one = open(&desk.path("one")).digest().unwrap();
    assert_eq!(one, open(&desk.path("two")).digest().unwrap());
    desk.file("two/b", b"3");
    assert_ne!(one, open(&desk.path("two")).digest().unwrap());
    let file = open(&desk.file("abc", b"abc")).digest().unwrap();
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(file.to_string(), known);
}
