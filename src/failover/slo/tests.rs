//! The worked example, by its published figures, and what must hold whatever the rounds are.

use super::*;
use crate::failover::report::{Report, samples};
use crate::remedy::ExitKind;
use crate::topology::Fault;
use proptest::prelude::*;

/// Ten measured outages of a broker that was killed and restarted in place, in seconds.
const TEN: [f64; 10] = [3.165, 3.456, 3.431, 3.768, 3.612, 3.817, 3.801, 4.294, 4.291, 3.601];

/// Replacements of an instance by its group, one to three minutes.
const REPLACED: [f64; 8] = [60.0, 75.0, 90.0, 100.0, 120.0, 130.0, 150.0, 180.0];

fn report(outages: &[f64]) -> Report {
    let outages: Vec<Option<u64>> = outages.iter().map(|seconds| Some((seconds * 1e9) as u64)).collect();
    let mut report = samples::report(&outages);
    for run in &mut report.runs {
        run.run_id = format!("{}-{}", run.round, outages.len());
    }
    report
}

fn of_fault(fault: Fault, outages: &[f64]) -> Report {
    let mut report = report(outages);
    for run in &mut report.runs {
        run.fault.name = fault;
        run.run_id += fault.name();
    }
    report.conclude();
    report
}

fn inputs(swaps: u32, faults: &str, source: Source) -> Inputs {
    Inputs {
        swaps: Swaps {
            per_year: swaps,
            source: Source::Assumed,
        },
        faults: vec![faults.parse::<Rate>().unwrap().from(source)],
        ..Inputs::default()
    }
}

fn ask(outages: &[f64], inputs: &Inputs) -> Answer {
    answer(&[&report(outages)], inputs).unwrap()
}

/// The table of the reference calculation, which was made with another generator: expected availability with its interval, the downtime of
/// one year, and the chance to stay within five nines.
#[test]
fn the_worked_example_gives_its_published_figures() {
    let Interval { low, median, high } = Interval {
        low: 99.99962,
        median: 99.99967,
        high: 99.99970,
    };
    for (outages, inputs, expected, year, chance) in [
        (
            &TEN[..],
            inputs(26, "2/year", Source::Assumed),
            (median, low, high),
            (93.0, 125.0),
            1.0,
        ),
        (
            &TEN,
            inputs(26, "0/3months", Source::Seen),
            (99.99968, 99.99957, 99.99970),
            (92.0, 139.0),
            1.0,
        ),
        (
            &REPLACED,
            inputs(0, "2/year", Source::Assumed),
            (99.99941, 99.99797, 99.99992),
            (0.0, 835.0),
            0.74,
        ),
        (
            &[110.0, 120.0, 130.0],
            inputs(26, "2/year", Source::Assumed),
            (99.98943, 99.98791, 99.99038),
            (2970.0, 4000.0),
            0.0,
        ),
    ] {
        let got = ask(outages, &inputs);
        let percent = got.expected_percent;
        // A last digit is that of 20 000 draws, with another generator.
        let spread = (expected.2 - expected.1) * 0.04 + 0.000_006;
        for (value, wanted) in [
            (percent.median, expected.0),
            (percent.low, expected.1),
            (percent.high, expected.2),
        ] {
            assert!((value - wanted).abs() <= spread, "{value:.6} {wanted} {inputs:?}");
        }
        let downtime = got.year_downtime_s;
        let spread = (year.1 - year.0) * 0.03 + 0.6;
        assert!((downtime.low - year.0).abs() <= spread, "{downtime:?} {year:?}");
        assert!((downtime.high - year.1).abs() <= spread, "{downtime:?} {year:?}");
        // Three standard errors of the difference of two such shares, and half a last digit.
        let error = 3.0 * (2.0 * got.chance * (1.0 - got.chance) / 20_000.0).sqrt() + 0.005;
        assert!((got.chance - chance).abs() <= error, "{} {chance}", got.chance);
    }
}

#[test]
fn five_nines_are_the_seconds_of_the_article() {
    let got = ask(&TEN, &inputs(26, "2/year", Source::Assumed));
    assert!((got.budget_s - 315.576).abs() < 1e-6, "{}", got.budget_s);
    let shown = text(&got).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains("315.6 s (5 min 15.6 s), or 12.1 s for each of"),
        "{shown}"
    );
    assert_eq!(got.fit, Fit::Fits);
    // Beyond what fits, the answer is another one.
    let swaps = got.most_swaps.unwrap();
    assert!((70..90).contains(&swaps), "{swaps}");
    let more = ask(&TEN, &inputs(swaps + 8, "2/year", Source::Assumed));
    assert_eq!(
        (more.fit, more.exit_code),
        (Fit::DoesNotFit, ExitKind::SloExceeded as u8)
    );
    let faults = got.most_faults.unwrap();
    assert!((15.0..60.0).contains(&faults), "{faults}");
}

#[test]
fn an_instance_that_is_replaced_in_minutes_fits_few_events() {
    let got = ask(&REPLACED, &inputs(0, "2/year", Source::Assumed));
    assert_eq!((got.fit, got.exit_code), (Fit::DoesNotFit, 14));
    assert!(got.most_faults.unwrap() < 1.5 && got.most_swaps.is_none(), "{got:?}");
    let shown = text(&got);
    assert!(
        shown.contains("no planned swap") && shown.contains("DOES NOT FIT (exit 14"),
        "{shown}"
    );
}

#[test]
fn few_rounds_and_outages_without_an_end_do_not_fit() {
    let few = ask(&TEN[..9], &Inputs::default());
    assert_eq!(
        (few.fit, few.exit_code),
        (Fit::TooFewRounds, ExitKind::Inconclusive as u8)
    );
    let mut outages = [Some(1_000_000); 20];
    outages[3] = None;
    let got = answer(&[&samples::report(&outages)], &Inputs::default()).unwrap();
    assert_eq!((got.fit, got.planned.outages.unended), (Fit::DoesNotFit, 1));
    assert!(text(&got).contains("did not come back in 1 of them"));
    let nothing = answer(&[&samples::report(&[])], &Inputs::default());
    assert_eq!(nothing, Err(NoAnswer::NothingMeasured));
}

#[test]
fn what_is_unknown_is_taken_for_the_longest() {
    let kill = of_fault(Fault::KillQueueManager, &[1.0; 12]);
    let terminate = of_fault(Fault::TerminateInstance, &[60.0; 11]);
    let got = answer(&[&kill, &terminate], &Inputs::default()).unwrap();
    assert_eq!(got.planned.outages.fault, Fault::TerminateInstance);
    assert_eq!(
        (got.unplanned[0].outages.fault, got.unplanned[0].is_any),
        (Fault::TerminateInstance, true)
    );
    assert!(
        text(&got).contains("no orderly replacement was measured"),
        "{}",
        text(&got)
    );
    // An orderly one is what a swap costs, however short.
    let swap = of_fault(Fault::MarkUnhealthy, &[5.0; 13]);
    let got = answer(&[&kill, &terminate, &swap], &Inputs::default()).unwrap();
    assert_eq!(
        (got.planned.outages.fault, got.planned.is_orderly),
        (Fault::MarkUnhealthy, true)
    );
    assert_eq!(got.unplanned[0].outages.fault, Fault::TerminateInstance);
    // Nor is a fault of any kind cheaper than that when only the replacement takes long.
    let swap_of_a_minute = of_fault(Fault::MarkUnhealthy, &[60.0; 13]);
    let got = answer(&[&kill, &swap_of_a_minute], &Inputs::default()).unwrap();
    assert_eq!(
        (got.unplanned[0].outages.fault, got.unplanned[0].outages.median_s),
        (Fault::MarkUnhealthy, 60.0)
    );
    assert!(!got.not_covered.join("\n").contains("have no rate"), "{got:?}");
    // Each by its own rate; what has none is named.
    let each = Inputs {
        faults: vec!["kill-queue-manager=2/year".parse().unwrap()],
        ..Inputs::default()
    };
    let got = answer(&[&kill, &terminate, &swap], &each).unwrap();
    assert_eq!(
        (got.unplanned[0].outages.fault, got.unplanned[0].is_any),
        (Fault::KillQueueManager, false)
    );
    let said = got.not_covered.join("\n");
    assert!(said.contains("have no rate: terminate-instance"), "{said}");
    for fault in Fault::ALL
        .iter()
        .filter(|fault| ![Fault::KillQueueManager, Fault::TerminateInstance, Fault::MarkUnhealthy].contains(fault))
    {
        assert!(said.lines().next().unwrap().contains(fault.name()), "{said}");
    }
    let unmeasured = answer(&[&terminate], &each);
    assert_eq!(unmeasured, Err(NoAnswer::NotMeasured(Fault::KillQueueManager)));
}

#[test]
fn reports_that_say_nothing_about_each_other_are_not_taken_together() {
    let a = report(&TEN);
    assert_eq!(answer(&[&a, &a], &Inputs::default()), Err(NoAnswer::SharedRounds(10)));
    type Edit = fn(&mut Report);
    let edits: [(Edit, &str); 4] = [
        (|b| b.place.kind = "aws".into(), "places"),
        (|b| b.place.topology = Some("toy".into()), "topologies"),
        (|b| b.engine.stand_in = false, "engines"),
        (|b| b.engine.version = Some("RabbitMQ 3.10.8".into()), "engines"),
    ];
    for (edit, said) in edits {
        let mut b = report(&TEN[1..]);
        edit(&mut b);
        let error = answer(&[&a, &b], &Inputs::default()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    // Another version of the same product is the same kind of engine.
    let mut b = report(&TEN[1..]);
    (b.engine.version, b.engine.stand_in) = (Some("IBM MQ 9.4.1.0".into()), false);
    let mut a = b.clone();
    a.runs.iter_mut().for_each(|run| run.run_id += "-of-another-test");
    a.engine.version = Some("IBM MQ 9.4.0.0".into());
    assert!(answer(&[&a, &b], &Inputs::default()).is_ok());
}

#[test]
fn the_first_line_says_that_a_lab_is_not_aws() {
    let mut measured = report(&TEN);
    let lab = text(&answer(&[&measured], &Inputs::default()).unwrap());
    let first = lab.lines().next().unwrap();
    assert!(
        first.starts_with("local cloud") && first.ends_with("not of AWS"),
        "{first}"
    );
    assert!(lab.lines().all(|line| line.chars().count() <= 80), "{lab}");
    measured.place.kind = "aws".into();
    let aws = text(&answer(&[&measured], &Inputs::default()).unwrap());
    assert!(!aws.contains("local cloud"), "{aws}");
}

#[test]
fn rounds_show_what_their_number_allows() {
    for (share, rounds) in [(0.90, 29), (0.95, 59), (0.99, 299)] {
        assert_eq!(words::rounds_for(share), rounds);
        assert!(
            words::confidence(rounds as usize, share) >= 0.95 && words::confidence(rounds as usize - 1, share) < 0.95
        );
    }
    let got = ask(&TEN, &Inputs::default());
    let said = &got.shown[0];
    assert!(
        said.contains("90 % of all outages: 65 %, 95 % of all outages: 40 %, 99 % of all outages: 10 %"),
        "{said}"
    );
    assert!(said.contains("29 rounds bound 90 %"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn more_rounds_narrow_the_interval(outages in prop::collection::vec(1.0_f64..60.0, 2..8), swaps in 1_u32..60) {
        prop_assume!(outages.iter().any(|outage| (outage - outages[0]).abs() > 1.0));
        let inputs = Inputs { draws: 2000, ..inputs(swaps, "0/year", Source::Assumed) };
        let width = |outages: &[f64]| {
            let interval = ask(outages, &inputs).expected_percent;
            interval.high - interval.low
        };
        prop_assert!(width(&outages.repeat(6)) < width(&outages));
    }

    #[test]
    fn a_longer_outage_never_raises_availability(
        outages in prop::collection::vec(0.1_f64..90.0, 1..8), which in any::<prop::sample::Index>(), longer in 0.0_f64..100.0,
        swaps in 0_u32..60,
    ) {
        let inputs = Inputs { draws: 500, ..inputs(swaps, "2/year", Source::Assumed) };
        let mut worse = outages.clone();
        worse[which.index(outages.len())] += longer;
        let (before, after) = (ask(&outages, &inputs), ask(&worse, &inputs));
        prop_assert!(after.expected_percent.median <= before.expected_percent.median);
        prop_assert!(after.expected_percent.low <= before.expected_percent.low);
        prop_assert!(after.expected_percent.high <= before.expected_percent.high);
        prop_assert!(after.chance <= before.chance);
        prop_assert!(after.year_downtime_s.high >= before.year_downtime_s.high);
    }

    #[test]
    fn more_of_anything_never_raises_availability(swaps in 0_u32..40, more in 1_u32..20) {
        let of = |swaps| ask(&TEN, &Inputs { draws: 2000, ..inputs(swaps, "2/year", Source::Assumed) });
        prop_assert!(of(swaps + more).expected_percent.median < of(swaps).expected_percent.median);
    }
}

/// `MQAWS_UPDATE=1` writes the file anew.
#[test]
fn the_schema_of_the_answer_is_the_one_checked_in() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/slo.schema.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Answer)).unwrap() + "\n";
    if std::env::var_os("MQAWS_UPDATE").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == schema,
        "{} differs from the types: MQAWS_UPDATE=1",
        path.display()
    );
}
