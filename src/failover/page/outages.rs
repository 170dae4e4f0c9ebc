//! The outages of all rounds, a line for each fault, with the limits.

use super::canvas::{At, Ink, LETTERS, WIDTH, picture};
use super::chart::{Scale, label_ticks};
use super::html::Html;
use crate::failover::measure::spread::Statistic;
use crate::failover::report::{Report, Run, outage};
use crate::topology::Fault;

/// Seconds for each of 26 swaps a year within five nines.
const OF_26_SWAPS_S: f64 = 365.25 * 86_400.0 * 1e-5 / 26.0;

const ROW: i32 = 92;
const TOP: i32 = 12;
const LEFT: i32 = 24;
const BELOW: i32 = 82;

/// The outages of one fault.
struct Row {
    fault: Fault,
    limit_s: Option<f64>,
    /// Seconds, and whether it ended.
    outages: Vec<(f64, bool)>,
}

pub(super) fn write(page: &mut Html, report: &Report) {
    let rows = rows(report);
    let all = || rows.iter().flat_map(|row| &row.outages);
    if all().next().is_none() {
        return;
    }
    page.element("h2", "", "Outages of all rounds");
    let mut keys = vec![("acked", "a round"), ("article", "12.1 s: five nines, 26 swaps a year")];
    if rows.iter().any(|row| row.limit_s.is_some()) {
        keys.push(("limit", "limit"));
    }
    if all().any(|(_, ended)| !ended) {
        keys.push(("outage", "did not end while it was watched"));
    }
    page.open("div", "charts");
    page.picture("Outage (RTO)", &keys, &draw(&rows));
    page.close("div");
}

fn rows(report: &Report) -> Vec<Row> {
    let of = |fault: Fault| {
        let runs = report.runs.iter().filter(|run| run.fault.name == fault);
        let value = |run: &Run| {
            let ended = outage(run)?;
            Some((run.rto.as_ref()?.ns as f64 / 1e9, ended.is_some()))
        };
        Row {
            fault,
            limit_s: report.limits.max_rto(fault, Statistic::Worst).map(|ns| ns as f64 / 1e9),
            outages: runs.filter_map(value).collect(),
        }
    };
    report.summary.faults.iter().map(|entry| of(entry.fault)).collect()
}

fn draw(rows: &[Row]) -> String {
    let values = || {
        let limits = rows.iter().filter_map(|row| row.limit_s);
        let outages = rows
            .iter()
            .flat_map(|row| row.outages.iter().map(|(seconds, _)| *seconds));
        outages
            .chain(limits)
            .chain([OF_26_SWAPS_S])
            .map(|seconds| seconds.max(0.001))
    };
    let height = TOP + ROW * rows.len() as i32 + BELOW;
    let bottom = height - BELOW;
    let x = Scale {
        from: 10_f64.powf(values().fold(f64::MAX, f64::min).log10().floor()),
        to: 10_f64.powf(values().fold(0.0, f64::max).log10().ceil()),
        at: (LEFT, WIDTH - 30),
        is_log: true,
    };
    picture("Outage of each round, in seconds, by fault", height, |canvas| {
        for tick in x.ticks(6) {
            canvas.path(vec![(x.place(tick), TOP), (x.place(tick), bottom)], Ink::Faint, 1);
        }
        canvas.dashes((x.place(OF_26_SWAPS_S), TOP), bottom, Ink::Article);
        for (row, at) in rows.iter().zip((TOP..).step_by(ROW as usize)) {
            canvas.text(row.fault.name(), (LEFT + 6, at + LETTERS / 2 + 4), Ink::Text, At::Right);
            let middle = at + 62;
            canvas.path(vec![(LEFT, at + ROW), (WIDTH - 30, at + ROW)], Ink::Faint, 1);
            if let Some(limit) = row.limit_s {
                let at = x.place(limit);
                canvas.path(vec![(at, middle - 26), (at, middle + 26)], Ink::Limit, 5);
            }
            for (round, (seconds, ended)) in row.outages.iter().enumerate() {
                // Beside each other, where many are alike.
                let aside = [0, -10, 10, -5, 5][round % 5];
                let ink = if *ended { Ink::Acked } else { Ink::Outage };
                canvas.dot((x.place(*seconds), middle + aside), ink);
            }
        }
        canvas.path(vec![(LEFT, bottom), (WIDTH - 30, bottom)], Ink::Soft, 2);
        label_ticks(canvas, &x, bottom, 6);
        canvas.text("seconds", (WIDTH / 2, bottom + 46), Ink::Soft, At::Below);
    })
}
