//! No log tells what it must not: tokens, messages, names, numbers, names of files.

use super::support::logs;

/// Runs after all other tests, over what they left; `make tests` does that.
#[test]
#[ignore = "looks at what the other tests wrote; `make tests` runs it after them"]
fn no_log_of_the_whole_run_tells_anything() {
    let home = tempfile::Builder::new().prefix("passerelle-golden-").tempdir().unwrap();
    logs::note_golden_cases(home.path());
    let search = logs::search(&logs::folder());
    println!(
        "{} logs, {} kilobytes, looked through for {} texts",
        search.logs,
        search.bytes / 1000,
        search.needles
    );
    assert!(
        search.logs >= 10 && search.needles >= 500,
        "the tests did not run before: {search:#?}"
    );
    assert!(search.leaks.is_empty(), "{} leaks:\n{}", search.leaks.len(), search.leaks.join("\n"));
}

/// The search finds each kind of leak, so that its silence means something.
#[test]
fn each_kind_of_leak_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let notes = [
        r#"["secret","syt_c2VjcmV0_token"]"#,
        r#"["sentence","Bonjour à tous. Ce groupe sert"]"#,
        r#"["name","Kerouédan"]"#,
        r#"["number","33639981472"]"#,
        r#"["file name","IMG-20251022-WA0005.jpg"]"#,
        r#"["person","@sacha.petit-exemple.gouv.fr:tchap.test"]"#,
    ];
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.notes", &notes.join("\n"));
    write("b.log", "INFO passerelle is running\nINFO job taken up job.id=\"20251123\"\n");
    write("b.said", "Kerouédan [WhatsApp]\nerror: no such file IMG-20251022-WA0005.jpg\n");
    let search = logs::search(folder.path());
    assert_eq!((search.logs, search.leaks.len()), (1, 0), "{search:#?}");

    write(
        "c.log",
        "DEBUG token=syt_c2VjcmV0_token\n\
         DEBUG body=\"Bonjour à tous. Ce groupe sert à\"\n\
         WARN PUT /profile/Kerou%C3%A9dan\n\
         WARN number=+33639981472\n\
         INFO uploaded IMG-20251022-WA0005.jpg\n\
         INFO PUT /invite/@sacha.petit-exemple.gouv.fr:tchap.test\n\
         INFO Anaïs Kerouédan\n",
    );
    write("d.said", "error: syt_c2VjcmV0_token\n");
    let found = logs::search(folder.path()).leaks;
    let told = |place: &str, kind: &str| {
        found.iter().any(|leak| leak.starts_with(&format!("{place} tells a {kind}: ")))
    };
    for (line, kind) in
        ["secret", "sentence", "name", "number", "file name", "person", "name"].iter().enumerate()
    {
        assert!(told(&format!("c.log:{}", line + 1), kind), "{kind}: {found:#?}");
    }
    assert!(told("d.said:1", "secret"), "{found:#?}");
    assert_eq!(found.len(), 8, "{found:#?}");
}
