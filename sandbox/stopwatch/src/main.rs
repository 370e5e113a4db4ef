//! One measurement a process: `stopwatch WHAT FILE [MEGABYTES]`. `sandbox/peers/bench.py` runs it in
//! turns with the peers and compares. It prints wall-clock and processor time and a count as JSON.

mod making;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use passerelle_stopwatch::archive::{Archive, Flow, Limits, Options, Record};
use serde::de::IgnoredAny;

/// Processor time of all threads there are, in milliseconds; see proc(5), `schedstat`.
fn processor_ms() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let of_task = |task: PathBuf| -> Option<f64> {
        fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    tasks.filter_map(|task| of_task(task.unwrap().path())).sum::<f64>() / 1e6
}

/// Runs `work`, which gives a count, and prints the times and the count as JSON.
fn measured(work: impl FnOnce() -> u64) {
    let (start, processor) = (Instant::now(), processor_ms());
    let count = work();
    let (wall_ms, cpu_ms) = (start.elapsed().as_secs_f64() * 1e3, processor_ms() - processor);
    println!("{}", serde_json::json!({ "wall_ms": wall_ms, "cpu_ms": cpu_ms, "count": count }));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path, rest @ ..] = arguments.as_slice() else {
        panic!("expected: stopwatch WHAT FILE [MEGABYTES]");
    };
    let path = PathBuf::from(path);
    match what.as_str() {
        "make" => {
            let size_mb: u64 = rest.first().map_or(100, |size| size.parse().unwrap());
            making::make(&path, size_mb << 20);
        }
        "survey" => measured(|| {
            let survey = open(&path).survey().unwrap();
            survey.chats.iter().map(|chat| chat.messages).sum()
        }),
        "read" => {
            let archive = open(&path);
            let survey = archive.survey().unwrap();
            measured(|| {
                let mut messages = 0;
                for chat in &survey.chats {
                    let mut count = |record| {
                        messages += u64::from(matches!(record, Record::Message(_)));
                        Flow::Continue
                    };
                    archive.read(&chat.id, &mut count).unwrap();
                }
                messages
            });
        }
        "lines" => measured(|| lines(&path)),
        "lines-copied" => measured(|| {
            let mut file = BufReader::with_capacity(256 << 10, File::open(&path).unwrap());
            let (mut line, mut count) = (Vec::new(), 0);
            while file.read_until(b'\n', &mut line).unwrap() > 0 {
                count += u64::from(line.ends_with(b"\n"));
                line.clear();
            }
            count
        }),
        "json-slice" => {
            let json = fs::read(&path).unwrap();
            measured(|| {
                let _: IgnoredAny = serde_json::from_slice(&json).unwrap();
                json.len() as u64
            });
        }
        "json-reader" => measured(|| {
            let file = BufReader::with_capacity(256 << 10, File::open(&path).unwrap());
            let _: IgnoredAny = serde_json::from_reader(file).unwrap();
            1
        }),
        other => panic!("{other} is nothing that can be measured"),
    }
}

fn open(path: &Path) -> Archive {
    Archive::open(path, Limits::default(), Options::default()).unwrap()
}

/// Finds every line of a file through a buffer, and looks at its first byte; how many lines.
fn lines(path: &Path) -> u64 {
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; 256 << 10];
    let (mut count, mut digits, mut held) = (0, 0_u64, 0);
    loop {
        let read = file.read(&mut buffer[held..]).unwrap();
        if read == 0 {
            // What is looked at must not be optimised away.
            assert!(digits <= count);
            return count;
        }
        let filled = held + read;
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &buffer[start..filled]) {
            count += 1;
            digits += u64::from(buffer[start].is_ascii_digit());
            start += length + 1;
        }
        buffer.copy_within(start..filled, 0);
        held = filled - start;
    }
}
