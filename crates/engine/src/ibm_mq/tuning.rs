//! What `qm.ini` must say on EFS, and an editor that changes nothing else in it.

/// The stanza of the value.
const STANZA: &str = "TuningParameters";
/// How often the queue manager verifies its file locks.
const KEY: &str = "FileLockHeartBeatLen";
/// Smallest value for EFS, by IBM's considerations for EFS: the verification then gives up after 30 s and not after 20 s, and
/// AWS advises to wait 30 s for its I/O.
const LEAST: u32 = 15;

/// The text with the value in it; `None` when it is there already, or a larger one.
pub(crate) fn tuned(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut inside = false;
    let mut title = None;
    let (mut small, mut good) = (Vec::new(), false);
    for (n, line) in lines.iter().enumerate() {
        let line = line.trim();
        if line.starts_with(['#', '*']) {
            continue;
        }
        match line.split_once('=') {
            Some((key, value)) if inside && key.trim().eq_ignore_ascii_case(KEY) => match value.trim().parse::<u32>() {
                Ok(value) if value >= LEAST => good = true,
                _ => small.push(n),
            },
            Some(_) => {}
            None => {
                if let Some(name) = line.strip_suffix(':') {
                    inside = name.trim().eq_ignore_ascii_case(STANZA);
                    if inside && title.is_none() {
                        title = Some(n);
                    }
                }
            }
        }
    }
    if good && small.is_empty() {
        return None;
    }
    let absent = !good && small.is_empty();
    let value = format!("   {KEY}={LEAST}\n");
    let mut out = String::with_capacity(text.len() + 64);
    for (n, line) in lines.iter().enumerate() {
        if small.contains(&n) {
            out.push_str(&value);
            continue;
        }
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push('\n');
        }
        if absent && title == Some(n) {
            out.push_str(&value);
        }
    }
    if absent && title.is_none() {
        out.push_str(&format!("{STANZA}:\n{value}"));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::stanza;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_value_is_added_raised_or_left() {
        let head =
            "#* Module Name: qm.ini *#\nExitPath:\n   ExitsDefaultPath=/var/mqm/exits\nLog:\n   LogType=CIRCULAR\n";
        let good = format!("{head}TuningParameters:\n   FileLockHeartBeatLen=15\n");
        assert_eq!(tuned(head).as_deref(), Some(good.as_str()), "no stanza");
        assert_eq!(tuned(&good), None);
        assert_eq!(tuned(&good.replace("=15", "=60")), None, "a larger one is the user's");
        assert_eq!(
            tuned(&good.replace("FileLockHeartBeatLen=15", "filelockheartbeatlen = 20")),
            None
        );
        for small in ["10", "", "x"] {
            assert_eq!(
                tuned(&good.replace("=15", &format!("={small}"))).as_deref(),
                Some(good.as_str()),
                "{small}"
            );
        }
        let other = format!("{head}TuningParameters:\n   ImplSyncOpenOutput=2\nSSL:\n   FileLockHeartBeatLen=99\n");
        let expected = other.replace("TuningParameters:\n", "TuningParameters:\n   FileLockHeartBeatLen=15\n");
        assert_eq!(
            tuned(&other),
            Some(expected),
            "the other stanza's value is none of ours"
        );
        let commented = format!("{head}#TuningParameters:\n*   FileLockHeartBeatLen=99");
        assert!(
            tuned(&commented)
                .expect("no stanza")
                .ends_with("=99\nTuningParameters:\n   FileLockHeartBeatLen=15\n")
        );
    }

    proptest! {
        #[test]
        fn nothing_else_changes_and_twice_is_once(text in "(\\PC|[\\n:=# ]|TuningParameters:\\n|FileLockHeartBeatLen=[0-9]{1,3}\\n){0,60}") {
            if let Some(once) = tuned(&text) {
                prop_assert_eq!(tuned(&once), None);
                let without = |text: &str| -> Vec<String> {
                    let value = |line: &&str| !line.trim().to_ascii_lowercase().starts_with("filelockheartbeatlen");
                    text.lines().filter(|l| !l.trim().eq_ignore_ascii_case("tuningparameters:")).filter(value).map(str::to_owned).collect()
                };
                prop_assert_eq!(without(&text), without(&once));
                let values: Vec<String> = stanza::parse(&once)
                    .into_iter()
                    .filter(|s| s.title.eq_ignore_ascii_case(STANZA))
                    .flat_map(|s| s.values)
                    .filter(|(key, _)| key.eq_ignore_ascii_case(KEY))
                    .map(|(_, value)| value)
                    .collect();
                let large = |v: &String| v.parse::<u32>().is_ok_and(|v| v >= LEAST);
                prop_assert!(!values.is_empty() && values.iter().all(large), "{:?}", values);
            }
        }
    }
}
