//! What is worse, what is not shown, and what is not compared.

use super::super::samples;
use super::*;

fn report(name: &str, outages: &[u64]) -> Report {
    let outages: Vec<Option<u64>> = outages.iter().map(|ms| Some(ms * 1_000_000)).collect();
    let mut report = samples::report(&outages);
    for run in &mut report.runs {
        run.run_id = format!("{name}{}", run.round);
    }
    report
}

#[test]
fn longer_outages_are_worse_and_few_rounds_show_nothing() {
    let a = report("a", &[100, 110, 120, 130, 140]);
    let b = report("b", &[200, 210, 220, 230, 240]);
    for (a, b, tolerated, outcome) in [
        (&a, &b, 0, Outcome::Worse),
        (&b, &a, 0, Outcome::Better),
        (&a, &b, 500_000_000, Outcome::NotShown),
        (
            &report("a", &[100; 3]),
            &report("b", &[900; 3]),
            0,
            Outcome::Inconclusive,
        ),
        (&report("a", &[]), &b, 0, Outcome::Inconclusive),
    ] {
        let got = compare(a, b, tolerated);
        assert_eq!((got.outcome, got.exit_code), (outcome, outcome.exit() as u8), "{got:?}");
        let text = comparison(&got);
        assert!(text.contains("Wilcoxon") && text.contains("independent"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let few = comparison(&compare(&report("a", &[100]), &report("b", &[900]), 0));
    assert!(
        few.contains("too few conclusive rounds") && few.contains("INCONCLUSIVE"),
        "{few}"
    );
}

#[test]
fn losses_outweigh_shorter_outages() {
    let a = report("a", &[200, 210, 220, 230, 240]);
    let mut b = report("b", &[100, 110, 120, 130, 140]);
    for run in &mut b.runs {
        run.ledger.lost = Some(7);
    }
    b.conclude();
    let got = compare(&a, &b, 0);
    assert_eq!(got.outcome, Outcome::LosesMore);
    assert!(comparison(&got).contains("0 of 5 rounds lose messages in A, 5 of 5 in B"));
}

#[test]
fn each_difference_of_kind_is_named() {
    let a = report("a", &[100]);
    type Edit = fn(&mut Report);
    let edits: [(Edit, &str); 9] = [
        (|b| b.place.kind = "aws".into(), "place: lab in A, aws in B"),
        (
            |b| b.place.timing = Some("aws".into()),
            "timing: unknown in A, aws in B",
        ),
        (|b| b.place.hosts = Some("namespace".into()), "hosts"),
        (|b| b.place.region = "eu-west-2".into(), "region"),
        (|b| b.place.topology = Some("toy".into()), "topology"),
        (|b| b.engine.stand_in = false, "served by"),
        (
            |b| b.place.endpoint = "amqps://x:5671".into(),
            "connections: plain in A, TLS in B",
        ),
        (|b| b.load.rate = 7, "load.rate: 200 in A, 7 in B"),
        (
            |b| {
                b.runs[0].fault.name = Fault::TerminateInstance;
                b.conclude();
            },
            "faults: kill-queue-manager in A, terminate-instance in B",
        ),
    ];
    assert_eq!(differences(&a, &a), Vec::<String>::new());
    for (edit, said) in edits {
        let mut b = report("b", &[100]);
        edit(&mut b);
        let found = differences(&a, &b);
        assert!(found.len() == 1 && found[0].starts_with(said), "{said}: {found:?}");
    }
    assert_eq!(shared_rounds(&a, &a), 1);
    assert_eq!(shared_rounds(&a, &report("b", &[100])), 0);
}
