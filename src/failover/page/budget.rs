//! The downtime budget of a year, with the assumptions of `mqaws slo`.

use super::canvas::{At, Ink, LETTERS, WIDTH, picture};
use super::chart::{Scale, label_ticks};
use super::html::Html;
use crate::failover::report::Report;
use crate::failover::slo::{Answer, Fit, Inputs, answer};

pub(super) fn write(page: &mut Html, report: &Report) {
    page.element("h2", "", "Downtime budget of a year");
    let answer = match answer(&[report], &Inputs::default()) {
        Ok(answer) => answer,
        Err(why) => {
            page.element("p", "", &format!("No answer: {why}."));
            return;
        }
    };
    let word = match answer.fit {
        Fit::Fits => "The objective is met",
        Fit::TooFewRounds => "The objective would be met, but there are too few rounds to be certain",
        Fit::DoesNotFit => "The objective is not met",
    };
    let faults: f64 = answer.unplanned.iter().map(|cause| cause.per_year).sum();
    let sentence = format!(
        "{word}: {} % of a year, a budget of {:.1} s. One year has {:.0} to {:.0} s of downtime in 95 of 100 years, if these outages are the only ones, with {} \
         planned swaps and {faults} faults a year. Both numbers are assumptions of mqaws, not measured; `mqaws slo report.json --swaps 12 --faults 1/year` takes yours.",
        answer.objective_percent,
        answer.budget_s,
        answer.year_downtime_s.low,
        answer.year_downtime_s.high,
        answer.planned.per_year
    );
    page.paragraph("", &sentence);
    page.open("div", "charts");
    let keys = [
        ("p0", "planned swaps, each as the median"),
        ("p1", "faults, each as the median"),
        ("good", "left of the budget"),
        ("limit", "budget"),
    ];
    page.picture("Seconds of downtime in a year", &keys, &draw(&answer));
    page.close("div");
    page.list(answer.not_covered.iter().map(String::as_str));
}

const BAR: i32 = 60;
const TOP: i32 = 14;
const BELOW: i32 = 82;

fn draw(answer: &Answer) -> String {
    let planned = f64::from(answer.planned.per_year) * answer.planned.outages.median_s;
    let faults: f64 = answer
        .unplanned
        .iter()
        .map(|cause| cause.per_year * cause.outages.median_s)
        .sum();
    let year = answer.year_downtime_s;
    let x = Scale {
        from: 0.0,
        to: answer.budget_s.max(planned + faults).max(year.high) * 1.03,
        at: (24, WIDTH - 30),
        is_log: false,
    };
    let height = TOP + BAR + 30 + LETTERS + 40 + BELOW;
    let bottom = height - BELOW;
    picture("Downtime of a year against its budget, in seconds", height, |canvas| {
        let bar = |from: f64, to: f64, ink: Ink| canvas.area((x.place(from), TOP), (x.place(to), TOP + BAR), ink, 1.0);
        bar(0.0, planned, Ink::Part(0));
        bar(planned, planned + faults, Ink::Part(1));
        if planned + faults < answer.budget_s {
            canvas.area(
                (x.place(planned + faults), TOP),
                (x.place(answer.budget_s), TOP + BAR),
                Ink::Good,
                0.25,
            );
        }
        let at = x.place(answer.budget_s);
        canvas.path(vec![(at, TOP - 8), (at, bottom)], Ink::Limit, 4);
        let middle = TOP + BAR + 24;
        let (low, high) = (x.place(year.low), x.place(year.high));
        canvas.path(vec![(low, middle), (high, middle)], Ink::Text, 4);
        for end in [low, high] {
            canvas.path(vec![(end, middle - 10), (end, middle + 10)], Ink::Text, 4);
        }
        canvas.text("one year, 95 of 100", (24, middle + 14 + LETTERS), Ink::Soft, At::Right);
        canvas.path(vec![(24, bottom), (WIDTH - 30, bottom)], Ink::Soft, 2);
        label_ticks(canvas, &x, bottom, 6);
        canvas.text("seconds", (WIDTH / 2, bottom + 46), Ink::Soft, At::Below);
    })
}
