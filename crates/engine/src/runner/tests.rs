use super::*;

fn sh(script: &str) -> Command {
    Command::new("/bin/sh")
        .arg("-c")
        .arg(script)
        .deadline(Duration::from_secs(20))
}

#[test]
fn keeps_the_order_of_both_streams_and_the_exit_code() {
    let out = run(&sh("echo one; echo two >&2; echo three; exit 94")).unwrap();
    assert_eq!((out.code, out.text.as_str()), (94, "one\ntwo\nthree\n"));
}

#[test]
fn feeds_more_input_than_a_pipe_holds() {
    let text = "x".repeat(1 << 20);
    let out = run(&sh("wc -c").stdin(text)).unwrap();
    assert_eq!(out.text.trim(), "1048576");
}

#[test]
fn does_not_wait_for_a_daemon_that_keeps_the_pipe() {
    let out = run(&sh("sleep 30 & echo $!; exit 5")).unwrap();
    assert_eq!(out.code, 5);
    assert!(out.elapsed < Duration::from_secs(15));
    let daemon = out.text.trim().parse().ok().and_then(Pid::from_raw).unwrap();
    rustix::process::kill_process(daemon, Signal::KILL).unwrap();
}

#[test]
fn a_deadline_kills_the_whole_group_and_is_an_error() {
    let err = run(&sh("echo started; sleep 60 & wait").deadline(Duration::from_millis(300))).unwrap_err();
    match err {
        RunError::TimedOut { text, reaped, .. } => assert_eq!((text.as_str(), reaped), ("started\n", true)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signal_and_a_missing_program_are_errors_of_their_own() {
    assert!(matches!(
        run(&sh("kill -9 $$")).unwrap_err(),
        RunError::Signal { signal: 9, .. }
    ));
    let err = run(&Command::new("/nonexistent/strmqm")).unwrap_err();
    assert!(matches!(err, RunError::CouldNotStart { .. }));
    assert_eq!(err.exit(), ExitKind::Precondition);
    assert!(err.hint().unwrap().contains("engine.bin_dir"));
}

#[test]
fn a_very_long_output_is_read_to_its_end_but_not_kept() {
    let out = run(&sh("head -c 9000000 /dev/zero | tr '\\0' y; exit 3")).unwrap();
    assert_eq!((out.code, out.text.len()), (3, KEPT_OUTPUT));
}

#[test]
fn shows_a_command_line_that_can_be_pasted() {
    let command = Command::new("/opt/mqm/bin/crtmqm").args(["-md", "/mnt/it's", "QM1"]);
    assert_eq!(command.to_string(), r"crtmqm -md '/mnt/it'\''s' QM1");
}
