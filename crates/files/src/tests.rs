use super::*;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).expect("folder");
    entries.map(|entry| entry.expect("entry").file_name()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("file").permissions().mode() & 0o777
}

#[test]
fn the_file_of_before_is_replaced_and_nothing_is_left_beside_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("state.json");
    AtomicWrite::to(&path).write(b"one").expect("written");
    AtomicWrite::to(&path).durable().write(b"two").expect("written");
    assert_eq!(fs::read(&path).expect("file"), b"two");
    assert_eq!(names(dir.path()), ["state.json"]);
}

#[test]
fn error_does_not_name_the_file_that_would_have_become_another() {
    let dir = tempfile::tempdir().expect("tempdir");
    let error = AtomicWrite::to(&dir.path().join("no/file"))
        .write(b"")
        .expect_err("no folder");
    assert_eq!(error.to_string(), "No such file or directory (os error 2)");
}

#[test]
fn the_mode_is_the_one_that_was_asked_for_or_that_of_any_new_file() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (secret, shared, plain) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    AtomicWrite::to(&secret).mode(0o600).write(b"").expect("written");
    // The mask of most processes would take this one's right to write.
    AtomicWrite::to(&shared).mode(0o666).write(b"").expect("written");
    AtomicWrite::to(&plain).write(b"").expect("written");
    fs::write(dir.path().join("d"), "").expect("written");
    assert_eq!((mode(&secret), mode(&shared)), (0o600, 0o666));
    assert_eq!(mode(&plain), mode(&dir.path().join("d")));
}

#[test]
fn the_owner_is_kept_or_given() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("file");
    fs::write(&path, "").expect("written");
    let own = fs::metadata(&path).map(|meta| (meta.uid(), meta.gid())).expect("file");
    AtomicWrite::to(&path).owner(Some(own)).write(b"x").expect("written");
    assert_eq!(
        fs::metadata(&path).map(|meta| (meta.uid(), meta.gid())).expect("file"),
        own
    );
    if own.0 != 0 {
        // Nobody but root gives files away: then nothing has changed.
        let given = AtomicWrite::to(&path).owner(Some((0, 0))).write(b"y");
        assert!(given.is_err());
        assert_eq!(fs::read(&path).expect("file"), b"x");
        assert_eq!(names(dir.path()), ["file"]);
    }
}

#[test]
fn what_fails_leaves_the_old_file_and_nothing_else() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("file");
    fs::create_dir(&path).expect("a directory takes the place");
    assert!(AtomicWrite::to(&path).write(b"x").is_err());
    assert_eq!(names(dir.path()), ["file"]);
    assert!(
        AtomicWrite::to(&dir.path().join("none").join("file"))
            .write(b"x")
            .is_err()
    );
}

#[test]
fn a_file_that_is_not_committed_never_was() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("file");
    let mut pending = AtomicWrite::to(&path).mode(0o600).begin().expect("begun");
    pending.write_all(b"half").expect("written");
    assert_eq!(fs::read(pending.path()).expect("file"), b"half");
    assert_eq!(pending.path().parent(), Some(dir.path()));
    assert!(!path.exists());
    drop(pending);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_fresh_file_replaces_none() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("file");
    AtomicWrite::to(&path).fresh().write(b"one").expect("written");
    let refused = AtomicWrite::to(&path).fresh().write(b"two").expect_err("it is deleted");
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).expect("file"), b"one");
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn readers_see_one_writers_file_whole_while_several_write() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("file");
    let contents: Vec<Vec<u8>> = (b'a'..=b'd').map(|byte| vec![byte; 64 << 10]).collect();
    AtomicWrite::to(&path).write(&contents[0]).expect("written");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = contents
            .iter()
            .map(|content| {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..100 {
                        AtomicWrite::to(path).write(content).expect("written");
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut seen = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let read = fs::read(&path).expect("there at every moment");
                assert!(contents.contains(&read), "{} bytes of several writers", read.len());
                seen += 1;
            }
            seen
        });
        let written: Vec<bool> = writers.into_iter().map(|writer| writer.join().is_ok()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(written.iter().all(|written| *written));
        assert!(reader.join().expect("whole files") > 0);
    });
    assert_eq!(names(dir.path()), ["file"]);
}
