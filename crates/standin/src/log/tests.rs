use super::*;
use proptest::prelude::*;

fn live(replayed: &Replayed) -> Vec<u64> {
    replayed.live.values().flat_map(|q| q.keys().copied()).collect()
}

fn put(log: &mut Log, queue: &str, body: &[u8]) -> u64 {
    let mut buffer = Vec::new();
    let sequence = log.next_sequence();
    log.put(sequence, queue, body, &mut buffer);
    // Without a sync: these tests look at the order of bytes, and run on busy disks.
    log.write(&buffer, false).unwrap();
    sequence
}

fn take(log: &mut Log, queue: &str, sequence: u64) {
    let mut buffer = Vec::new();
    log.taken(sequence, queue, &mut buffer);
    log.write(&buffer, false).unwrap();
}

#[test]
fn what_was_put_and_not_taken_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut log, empty) = Log::open(directory.path(), 1).unwrap();
    assert_eq!(empty, Replayed::default());
    let numbers: Vec<u64> = (0..5).map(|n| put(&mut log, "Q", &[n])).collect();
    take(&mut log, "Q", numbers[1]);
    drop(log);
    let (mut log, replayed) = Log::open(directory.path(), 2).unwrap();
    assert_eq!(live(&replayed), [numbers[0], numbers[2], numbers[3], numbers[4]]);
    assert_eq!(&*replayed.live["Q"][&numbers[2]], [2]);
    assert!(put(&mut log, "Q", &[9]) > numbers[4], "a sequence number is used once");
}

#[test]
fn segments_go_when_nothing_in_them_is_live_and_the_rest_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open_sized(directory.path(), 1, 2000, 8000).unwrap();
    let kept = put(&mut log, "Q", b"kept");
    for round in 0..400_u32 {
        let sequence = put(&mut log, "Q", &[b'x'; 100]);
        take(&mut log, "Q", sequence);
        if round == 30 {
            assert!(
                segments(directory.path()).unwrap().len() > 2,
                "the oldest holds a live message"
            );
        }
    }
    assert!(
        segments(directory.path()).unwrap().len() <= 6,
        "live messages are copied on, so the oldest can go"
    );
    drop(log);
    let (mut log, replayed) = Log::open_sized(directory.path(), 2, 2000, 8000).unwrap();
    assert_eq!(live(&replayed), [kept]);
    assert_eq!(&*replayed.live["Q"][&kept], b"kept");
    assert!(put(&mut log, "Q", b"new") > 400);
    assert!(!audit::audit_log(directory.path()).unwrap().interleaved);
}

#[test]
fn damage_before_the_last_segment_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (mut log, _) = Log::open_sized(directory.path(), 1, 500, 1 << 30).unwrap();
    for _ in 0..20 {
        put(&mut log, "Q", &[b'x'; 100]);
    }
    drop(log);
    let (_, first) = segments(directory.path()).unwrap().remove(0);
    let mut bytes = fs::read(&first).unwrap();
    bytes[60] ^= 1;
    fs::write(&first, bytes).unwrap();
    let error = Log::open(directory.path(), 2).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Cut at any byte, the log gives what a prefix of the writes would have given, and goes on from there.
    #[test]
    fn a_log_cut_anywhere_is_a_prefix(steps in proptest::collection::vec(prop::option::of(any::<prop::sample::Index>()), 1..25), cut: prop::sample::Index) {
        let directory = tempfile::tempdir().unwrap();
        let (mut log, _) = Log::open(directory.path(), 1).unwrap();
        let path = segments(directory.path()).unwrap().remove(0).1;
        let mut now: Vec<u64> = Vec::new();
        // The state and the length of the file after each write.
        let mut states = vec![(fs::metadata(&path).unwrap().len(), now.clone())];
        for step in &steps {
            match step {
                Some(index) if !now.is_empty() => {
                    let sequence = now.remove(index.index(now.len()));
                    take(&mut log, "Q", sequence);
                }
                _ => now.push(put(&mut log, "Q", b"some body")),
            }
            states.push((fs::metadata(&path).unwrap().len(), now.clone()));
        }
        drop(log);
        let bytes = fs::read(&path).unwrap();
        let cut = cut.index(bytes.len() + 1);
        fs::write(&path, &bytes[..cut]).unwrap();
        let (mut log, replayed) = Log::open(directory.path(), 2).unwrap();
        let expected = states.iter().rev().find(|(length, _)| *length <= cut as u64).map_or(&[][..], |(_, s)| s);
        prop_assert_eq!(live(&replayed), expected);
        let new = put(&mut log, "Q", b"after");
        drop(log);
        let (_, again) = Log::open(directory.path(), 3).unwrap();
        prop_assert_eq!(again.torn, 0);
        let mut expected = expected.to_vec();
        expected.push(new);
        prop_assert_eq!(live(&again), expected);
    }
}
