//! A report that cannot be written where it was wanted.

use crate::support::{Lab, Running, Said, runs, said};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Takes the folder of the reports away once the test has begun.
fn without_folder(lab: &Lab, mut running: Running, out: &Path) -> Said {
    // Said when the folder was made and tried, whatever the form of the output.
    running.until_err("mqaws failover-test:");
    fs::remove_dir(lab.path(out)).unwrap();
    running.wait()
}

fn on_standard_error(text: &str) -> Value {
    let begin = text.find("{\n").unwrap_or_else(|| panic!("no report in {text}"));
    let end = text.rfind('}').unwrap();
    serde_json::from_str(&text[begin..=end]).unwrap()
}

fn named(text: &str, end: &str) -> PathBuf {
    let word = text.split([' ', ',', '\n']).find(|word| word.ends_with(end));
    PathBuf::from(word.unwrap_or_else(|| panic!("no {end} in {text}")))
}

#[test]
fn a_report_without_its_folder_is_kept_elsewhere() {
    let lab = Lab::deployed(&[]);
    let spawn = |temporary: &Path| {
        let mut command = lab.command(&["failover-test", "--local", "--out", "gone"]);
        command.env("TMPDIR", temporary);
        lab.started(command)
    };
    let temporary = lab.path("t");
    fs::create_dir(&temporary).unwrap();
    let output = without_folder(&lab, spawn(&temporary), Path::new("gone"));
    let Said { code, out, err } = output;
    // It passed, and is not where it was wanted: that is not done.
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("RPO") && out.contains("PASS (exit 3)"), "{out}");
    assert!(out.contains("the report was not written to gone: "), "{out}");
    assert!(
        err.contains("cannot write the report to `gone`") && !err.contains("nothing was changed"),
        "{err}"
    );
    let path = named(&err, "report.json");
    assert!(path.starts_with(&temporary), "{}", path.display());
    let report: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(runs(&report).len(), 1);
    let ledger = path.with_file_name("ledger.bin");
    lab.run(&["failover-test", "verify", ledger.to_str().unwrap()], 0);

    // Who reads the document learns what who reads the exit code learns.
    let mut command = lab.command(&["failover-test", "--local", "--out", "gone", "--output", "json"]);
    command.env("TMPDIR", &temporary);
    let output = without_folder(&lab, lab.started(command), Path::new("gone"));
    let printed = output.json();
    assert_eq!(
        (&printed["verdict"], &printed["exit_code"], output.code),
        (&"pass".into(), &3.into(), Some(3)),
        "{}",
        printed["unwritten"]
    );
    assert_eq!(printed["unwritten"]["folder"], "gone");
    let kept = fs::read(printed["unwritten"]["kept"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), printed);

    // No place for temporary files either: all of it goes to standard error.
    let output = without_folder(&lab, spawn(Path::new("/proc/none")), Path::new("gone"));
    assert_eq!(output.code, Some(3), "{output}");
    let report = on_standard_error(&output.err);
    assert_eq!((&report["verdict"], runs(&report).len()), (&"pass".into(), 1));
    let unwritten = &report["unwritten"];
    assert_eq!((&report["exit_code"], &unwritten["kept"]), (&3.into(), &Value::Null));
}

/// A test whose files can be limited in size: as on a full disk, a write fails in the middle.
fn limited(lab: &Lab, shell: &str) -> Command {
    let program = lab.command(&[]);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("trap '' XFSZ; {shell}exec \"$@\""), "sh"])
        .arg(program.get_program())
        .args(["failover-test", "--local", "--out", "out"])
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(lab.home())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A disk that is full before a test is found before anything is done; one that fills up during it loses no measurement, leaves no
/// half of a report, and hides no loss.
#[test]
fn a_full_disk_loses_no_measurement() {
    let lab = Lab::deployed(&["--standin-defect", "ack-early"]);
    let out = lab.path("out");
    let early = said(&mut limited(&lab, "ulimit -f 4; "));
    let text = early.err;
    assert_eq!(early.code, Some(3), "{text}");
    assert!(
        text.contains("cannot write a report to `out`") && text.contains("nothing was changed"),
        "{text}"
    );
    // The folder that it had made is gone again.
    assert!(!out.exists());

    let mut test = limited(&lab, "").spawn().unwrap();
    let mut errors = test.stderr.take().unwrap();
    let errors = std::thread::spawn(move || std::io::read_to_string(&mut errors).unwrap());
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let begun = lines.by_ref().map(Result::unwrap).find(|line| line.contains("load"));
    assert!(begun.is_some(), "{}", errors.join().unwrap());
    let limit = Rlimit {
        current: Some(2048),
        maximum: Some(2048),
    };
    prlimit(Pid::from_raw(test.id().cast_signed()), Resource::Fsize, limit).unwrap();
    let text: Vec<String> = lines.map(Result::unwrap).collect();
    let errors = errors.join().unwrap();
    assert_eq!(test.wait().unwrap().code(), Some(10), "{text:?} {errors}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    let report = on_standard_error(&errors);
    assert_eq!((&report["verdict"], runs(&report).len()), (&"fail".into(), 1));
    assert!(!errors.contains("nothing was changed"), "{errors}");
}

/// The document that programs read is lost on standard output: the program says so and does not end as if it were there.
#[test]
fn a_full_disk_under_standard_output_is_said() {
    let lab = Lab::deployed(&[]);
    let mut command = lab.command(&["failover-test", "--local", "--output", "json"]);
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    let Said { code, err: text, .. } = said(&mut command);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("cannot write to standard output"), "{text}");
    assert!(lab.path("report.json").is_file());
}
