//! One round of each fault in pictures: the one that is to be looked at first.

use super::canvas::{At, Ink, LETTERS, PARTS, WIDTH, picture, width_of};
use super::chart::{Curve, Scale, Times, number, over_time, shade, time_axis};
use super::html::Html;
use super::modeled;
use crate::failover::measure::phases::Phase;
use crate::failover::measure::series::Series;
use crate::failover::measure::verdict::Verdict;
use crate::failover::report::{Entry, Report, Run, text};
use crate::topology::Fault;

/// Faults that are shown in pictures; a page has to stay small.
const SHOWN: usize = 8;

const PARTS_OF_A_CLASS: [&str; PARTS] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];

pub(super) fn write(page: &mut Html, report: &Report) {
    let faults: Vec<Fault> = report.summary.faults.iter().map(|entry| entry.fault).collect();
    for fault in faults.iter().take(SHOWN) {
        let runs = report.runs.iter().filter(|run| run.fault.name == *fault);
        if let Some(run) = runs.max_by_key(|run| (concern(run.verdict), run.rto.as_ref().map_or(0, |rto| rto.ns))) {
            one(page, report, run);
        }
    }
    let rest: Vec<&str> = faults.iter().skip(SHOWN).map(|fault| fault.name()).collect();
    if !rest.is_empty() {
        page.element(
            "p",
            "soft",
            &format!("Without pictures of a round: {}.", rest.join(", ")),
        );
    }
}

fn concern(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Inconclusive => 1,
        Verdict::Fail => 2,
    }
}

fn one(page: &mut Html, report: &Report, run: &Run) {
    page.element(
        "h2",
        "",
        &format!("{}, round {}: {}", run.fault.name, run.round, text::word(run.verdict)),
    );
    page.element("p", "soft", &chosen(run));
    let times = times(run);
    page.open("div", "charts");
    match &run.series {
        Some(series) => pictures(page, run, series, &times),
        None => page.element(
            "p",
            "",
            "This report has no rate and latency over time: it is of an earlier version, or nothing was acknowledged.",
        ),
    }
    if !run.timeline.is_empty() {
        page.picture("Who did what", &bands(&times), &lanes(run, &times));
    }
    if let Some(rto) = run.rto.as_ref().filter(|rto| !rto.phases.is_empty()) {
        phases(page, &rto.phases);
    }
    page.close("div");
    if run.rto.as_ref().is_some_and(|rto| !rto.phases.is_empty()) {
        modeled::write(page, report, run);
    }
    timeline(page, run);
}

fn chosen(run: &Run) -> String {
    let instances = match &run.served_after {
        Some(after) if after.instance == run.served_before.instance => {
            format!("{} served before and after", after.instance)
        }
        Some(after) => format!(
            "{} in {} served before, {} in {} after",
            run.served_before.instance, run.served_before.zone, after.instance, after.zone
        ),
        None => format!("{} served before, none after", run.served_before.instance),
    };
    format!("Of this fault's rounds, the one with the worst verdict, then the longest outage. {instances}.")
}

fn times(run: &Run) -> Times {
    let seconds = |ns: i64| ns as f64 / 1e9;
    let span = match &run.series {
        Some(series) => {
            let bins = (series.acked.len() as i64).saturating_mul(series.bin_ns as i64);
            (seconds(series.from_ns), seconds(series.from_ns.saturating_add(bins)))
        }
        None => {
            let at = || run.timeline.iter().map(|entry| seconds(entry.t_ns));
            (at().fold(0.0, f64::min) - 1.0, at().fold(1.0, f64::max))
        }
    };
    let outage = run.rto.as_ref().filter(|rto| rto.counts).map(|rto| {
        let ns = rto.ns as f64 / 1e9;
        match rto.from_fault_ns {
            Some(end) => (end as f64 / 1e9 - ns, end as f64 / 1e9),
            None => (0.0, span.1),
        }
    });
    Times {
        span,
        outage,
        full: run.to_full_ns.map(|ns| ns as f64 / 1e9),
    }
}

fn bands(times: &Times) -> Vec<(&'static str, &'static str)> {
    let mut keys = vec![("ink", "fault")];
    if let Some((_, end)) = times.outage {
        keys.push(("outage band", "outage"));
        if times.full.is_some_and(|full| full > end) {
            keys.push(("recovery band", "until full service"));
        }
    }
    keys
}

fn pictures(page: &mut Html, run: &Run, series: &Series, times: &Times) {
    let bin_s = series.bin_ns as f64 / 1e9;
    let at = |bin: usize| series.from_ns as f64 / 1e9 + bin as f64 * bin_s;
    let rate = |counts: &[u64]| -> Vec<(f64, f64)> {
        let rates = counts.iter().enumerate();
        rates
            .map(|(bin, count)| (at(bin) + bin_s / 2.0, *count as f64 / bin_s))
            .collect()
    };
    let curves = [
        Curve {
            ink: Ink::Received,
            points: rate(&series.received),
        },
        Curve {
            ink: Ink::Acked,
            points: rate(&series.acked),
        },
    ];
    let mut keys = vec![("acked", "acknowledged"), ("received", "received")];
    keys.extend(bands(times));
    let drawn = over_time(
        "Messages acknowledged and received per second over time",
        "messages per second",
        times,
        &curves,
        false,
    );
    page.picture("Throughput", &keys, &drawn);

    let latency = series.latency_us.iter().enumerate().filter(|(_, us)| **us > 0);
    let points = latency
        .map(|(bin, us)| (at(bin) + bin_s / 2.0, *us as f64 / 1000.0))
        .collect();
    let mut keys = vec![("latency", "longest, from the due time, missed slots counted")];
    keys.extend(bands(times));
    let curve = [Curve {
        ink: Ink::Latency,
        points,
    }];
    let drawn = over_time(
        "Longest latency of acknowledgments over time, in milliseconds",
        "milliseconds",
        times,
        &curve,
        true,
    );
    page.picture("Latency", &keys, &drawn);

    let curves = cumulative(run, series, &at, bin_s);
    let mut keys = vec![("acked", "acknowledged"), ("received", "received")];
    keys.extend(bands(times));
    let drawn = over_time(
        "Messages acknowledged and received, added up over time",
        "messages",
        times,
        &curves,
        false,
    );
    page.picture("Added up: the gap is what waits", &keys, &drawn);
}

/// Sums from the beginning of the pictures on, apart at the fault by what waited then.
fn cumulative(run: &Run, series: &Series, at: &dyn Fn(usize) -> f64, bin_s: f64) -> [Curve; 2] {
    let before_fault = |counts: &[u64]| -> u64 {
        let bins = counts.iter().enumerate();
        bins.filter(|(bin, _)| at(bin + 1) <= 0.0)
            .map(|(_, count)| *count)
            .sum()
    };
    let (acked, received) = (before_fault(&series.acked), before_fault(&series.received));
    let ahead = (run.backlog_at_fault + received).saturating_sub(acked);
    let sums = |counts: &[u64], first: u64| -> Vec<(f64, f64)> {
        let mut sum = first;
        let mut points = vec![(at(0), first as f64)];
        for (bin, count) in counts.iter().enumerate() {
            sum += count;
            points.push((at(bin) + bin_s, sum as f64));
        }
        points
    };
    [
        Curve {
            ink: Ink::Received,
            points: sums(&series.received, 0),
        },
        Curve {
            ink: Ink::Acked,
            points: sums(&series.acked, ahead),
        },
    ]
}

const LANE: i32 = 46;
const TOP: i32 = 12;
const BELOW: i32 = 82;

/// What happened, a line for each actor.
fn lanes(run: &Run, times: &Times) -> String {
    let mut actors: Vec<&str> = Vec::new();
    for entry in &run.timeline {
        if !actors.contains(&entry.source.as_str()) {
            actors.push(&entry.source);
        }
    }
    let left = actors.iter().map(|actor| width_of(actor)).max().unwrap_or(0) + 24;
    let height = TOP + LANE * actors.len() as i32 + BELOW;
    let seconds = |entry: &Entry| entry.t_ns as f64 / 1e9;
    // Until full service, which may be long before the end of the round.
    let last = run
        .timeline
        .iter()
        .map(seconds)
        .chain(times.full)
        .fold(1.0_f64, f64::max);
    let first = run
        .timeline
        .iter()
        .map(seconds)
        .chain(times.outage.map(|(from, _)| from))
        .fold(0.0_f64, f64::min);
    let times = Times {
        span: (first - 0.05 * last, last * 1.05),
        ..*times
    };
    let x = Scale {
        from: times.span.0,
        to: times.span.1,
        at: (left, WIDTH - 30),
        is_log: false,
    };
    picture("What happened over time, a line for each actor", height, |canvas| {
        let bottom = height - BELOW;
        shade(canvas, &times, &x, (TOP, bottom));
        for (place, actor) in actors.iter().enumerate() {
            let middle = TOP + LANE * place as i32 + LANE / 2;
            canvas.text(actor, (left - 12, middle), Ink::Text, At::Left);
            canvas.path(vec![(left, middle), (WIDTH - 30, middle)], Ink::Faint, 1);
            for entry in run.timeline.iter().filter(|entry| entry.source == **actor) {
                canvas.dot((x.place(seconds(entry)), middle), Ink::Part(place));
            }
        }
        time_axis(canvas, &x, bottom);
    })
}

/// Where the seconds of the outage went.
fn phases(page: &mut Html, phases: &[Phase]) {
    let named: Vec<(&str, String)> = phases
        .iter()
        .enumerate()
        .map(|(place, phase)| {
            let name = format!("{} {}", phase.name, phase.detail.trim());
            (
                PARTS_OF_A_CLASS[place % PARTS],
                format!("{} {}", name.trim(), text::seconds(phase.ns)),
            )
        })
        .collect();
    let keys: Vec<(&str, &str)> = named.iter().map(|(class, text)| (*class, text.as_str())).collect();
    page.picture("Where the seconds went", &keys, &bars(&[("measured", phases)]));
}

const BAR: i32 = 56;

/// Bars of parts, one below the other on one scale.
fn bars(bars: &[(&str, &[Phase])]) -> String {
    let total = |phases: &[Phase]| phases.iter().map(|phase| phase.ns as f64 / 1e9).sum::<f64>();
    let longest = bars.iter().map(|(_, phases)| total(phases)).fold(1e-9, f64::max);
    let height = TOP + (BAR + LETTERS + 26) * bars.len() as i32;
    let x = Scale {
        from: 0.0,
        to: longest,
        at: (12, WIDTH - 30),
        is_log: false,
    };
    picture("Parts of the outage", height, |canvas| {
        for (place, (name, phases)) in bars.iter().enumerate() {
            let top = TOP + (BAR + LETTERS + 26) * place as i32;
            canvas.text(
                &format!("{name}: {} s", number(total(phases))),
                (12, top + LETTERS / 2),
                Ink::Text,
                At::Right,
            );
            let (top, mut from) = (top + LETTERS + 12, 0.0);
            for (part, phase) in phases.iter().enumerate() {
                let to = from + phase.ns as f64 / 1e9;
                canvas.area((x.place(from), top), (x.place(to), top + BAR), Ink::Part(part), 1.0);
                from = to;
            }
        }
    })
}

fn timeline(page: &mut Html, run: &Run) {
    let row = |entry: &Entry| {
        let off = match entry.uncertainty_ns {
            0 => String::new(),
            ns => format!(" ±{} ms", ns.div_ceil(1_000_000)),
        };
        vec![
            format!("{:+.3} s{off}", entry.t_ns as f64 / 1e9),
            entry.source.clone(),
            entry.text.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = run.timeline.iter().map(row).collect();
    if !rows.is_empty() {
        page.table(&["Since the fault", "Who", "What"], 3, &rows);
    }
}
