//! What others do slowly or not at all: a reset that takes its time, an init system that hangs, a keeper that is not there.

use super::*;

#[test]
fn nothing_is_written_renewed_or_let_go_while_a_reset_takes_its_time() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start(dir.path(), Mood::Fine, Duration::from_secs(3));
    keeper.holds();
    claim(&keeper);
    keeper.resets.slow.store(true, Ordering::SeqCst);
    let proved = || keeper.client.status().expect("status").proved_millis.expect("held");
    keeper.be(Mood::Silent);
    keeper.is_reset();
    keeper.be(Mood::Fine);
    let before = proved();
    let command = Command::new("/bin/sh").args(["-c", "exit 0"]);
    let refused = keeper.client.run(&command).expect_err("a reset is under way");
    let why = std::error::Error::source(&refused).expect("why").to_string();
    assert!(why.contains("cannot be verified at the moment"), "{why}");
    assert!(
        keeper.client.release(false).is_err(),
        "what was written may be on its way"
    );
    assert!(proved() >= before, "the lock was renewed");
    assert!(keeper.client.status().expect("status").held);
    keeper.resets.slow.store(false, Ordering::SeqCst);
    keeper.until("the keeper ends", |k| k.thread.is_finished());
}

#[test]
fn an_init_system_that_hangs_holds_up_neither_the_guard_nor_an_answer() {
    let dir = tempfile::tempdir().expect("tempdir");
    let resets = Arc::new(Resets::default());
    resets.init_hangs.store(true, Ordering::SeqCst);
    let keeper = start_on(dir.path(), resets, Mood::Fine, Duration::from_secs(3), LEASE);
    keeper.holds();
    claim(&keeper);
    keeper.until("the init system is told, and hangs", |k| {
        !k.resets.told.lock().expect("told").is_empty()
    });
    assert!(keeper.client.status().expect("it answers").held);
    keeper.be(Mood::Silent);
    let why = keeper.is_reset();
    assert!(why.contains("could not be verified"), "{why}");
    keeper.until("the keeper ends", |k| k.thread.is_finished());
}

#[test]
fn without_a_keeper_nothing_is_let_go_and_nothing_run() {
    let dir = tempfile::tempdir().expect("tempdir");
    let nobody = Keeper::new(&dir.path().join("keeper.sock"));
    let why = nobody.release(false).expect_err("a dead keeper let go of nothing");
    assert!(why.contains("no response from the lock keeper"), "{why}");
    let command = Command::new("/bin/sh").args(["-c", "exit 0"]);
    let refused = nobody.run(&command).expect_err("no keeper").to_string();
    assert!(refused.contains("could not start"), "{refused}");

    // One that dies with the question is no answer either.
    let path = dir.path().join("dies.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("bind");
    let dies = thread::spawn(move || drop(listener.accept().expect("a question")));
    let why = Keeper::new(&path).release(false).expect_err("it died");
    assert!(why.contains("no response from the lock keeper"), "{why}");
    dies.join().expect("thread");
}
