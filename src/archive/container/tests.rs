//! Containers of every kind, whole and hostile, built on the spot.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(files, SimpleFileOptions::default())
}

fn zip_with(files: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(container: &Container, name: &str) -> Vec<u8> {
    let entry = container.find(name).expect(name);
    let mut bytes = Vec::new();
    container.reader(entry).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn names(container: &Container) -> Vec<&str> {
    container.entries().iter().map(|entry| entry.name.as_str()).collect()
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

#[test]
fn folder_zip_and_file_give_the_same_bytes() {
    let desk = Desk::new();
    let large = noise(3_000_000);
    desk.file("export/été.txt", b"bonjour");
    desk.file("export/media/a.bin", &large);
    let zip = desk.file("e.zip", &zip_of(&[("été.txt", b"bonjour"), ("media/a.bin", &large)]));
    for path in [desk.0.path().join("export"), zip] {
        let container = Container::open(&path, Limits::default()).unwrap();
        let mut listed = names(&container);
        listed.sort_unstable();
        assert_eq!(listed, ["media/a.bin", "été.txt"]);
        assert_eq!(read(&container, "e\u{301}te\u{301}.txt"), b"bonjour");
        assert_eq!(read(&container, "media/a.bin"), large);
        assert!(container.findings().is_empty());
    }
    let bare = Container::open(&desk.file("x.txt", b"seul"), Limits::default()).unwrap();
    assert_eq!(read(&bare, "x.txt"), b"seul");
}
