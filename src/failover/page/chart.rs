//! Scales, ticks and axes.

use super::canvas::{At, Canvas, Ink, LETTERS, WIDTH, picture, width_of};

/// Values on a line of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub from: f64,
    pub to: f64,
    /// Where these two are.
    pub at: (i32, i32),
    pub is_log: bool,
}

impl Scale {
    /// Where a value is; those beyond the ends are at the ends.
    pub(super) fn place(&self, value: f64) -> i32 {
        let on = |value: f64| {
            if self.is_log {
                value.max(f64::MIN_POSITIVE).ln()
            } else {
                value
            }
        };
        let span = on(self.to) - on(self.from);
        let share = if span > 0.0 {
            (on(value) - on(self.from)) / span
        } else {
            0.0
        };
        self.at.0 + (share.clamp(0.0, 1.0) * f64::from(self.at.1 - self.at.0)).round() as i32
    }

    /// Values to write at the axis, no more than about `most`.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        if self.is_log {
            let powers = self.from.log10().floor() as i32..=self.to.log10().ceil() as i32;
            let step = (powers.clone().count() / most.max(1)).max(1);
            let ticks = powers.step_by(step).map(|power| 10_f64.powi(power));
            return ticks
                .filter(|tick| (self.from * 0.999..=self.to * 1.001).contains(tick))
                .collect();
        }
        let raw = (self.to - self.from) / most.max(1) as f64;
        if raw <= 0.0 || !raw.is_finite() {
            return vec![self.from];
        }
        let power = 10_f64.powf(raw.log10().floor());
        let unit = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|unit| unit * power >= raw)
            .unwrap_or(10.0)
            * power;
        let first = (self.from / unit).ceil() as i64;
        let last = (self.to / unit).floor() as i64;
        (first..=last).map(|times| times as f64 * unit).collect()
    }
}

/// A number without digits that say nothing.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        size if size >= 1e4 => format!("{}k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The time axis of a round, with what is shaded on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Seconds since the fault, first and last.
    pub span: (f64, f64),
    /// From the last success to the first.
    pub outage: Option<(f64, f64)>,
    /// When service was full again.
    pub full: Option<f64>,
}

/// A curve: its color and its points.
pub(super) struct Curve {
    pub ink: Ink,
    pub points: Vec<(f64, f64)>,
}

const HEIGHT: i32 = 400;
const TOP: i32 = 40;
const BELOW: i32 = 82;

/// Curves over the time of a round.
pub(super) fn over_time(words: &str, unit: &str, times: &Times, curves: &[Curve], is_log: bool) -> String {
    let values = || {
        curves
            .iter()
            .flat_map(|curve| curve.points.iter().map(|(_, value)| *value))
    };
    let most = values().fold(0.0_f64, f64::max);
    let (from, to) = match is_log {
        true => {
            let least = values().filter(|value| *value > 0.0).fold(most.max(1.0), f64::min);
            (
                10_f64.powf(least.log10().floor()),
                10_f64.powf(most.max(1.0).log10().ceil()),
            )
        }
        false => (0.0, if most > 0.0 { most * 1.05 } else { 1.0 }),
    };
    let y = Scale {
        from,
        to: if to > from { to } else { from * 10.0 },
        at: (HEIGHT - BELOW, TOP),
        is_log,
    };
    let ticks = y.ticks(5);
    let left = ticks.iter().map(|tick| width_of(&number(*tick))).max().unwrap_or(0) + 22;
    let x = Scale {
        from: times.span.0,
        to: times.span.1,
        at: (left, WIDTH - 30),
        is_log: false,
    };
    picture(words, HEIGHT, |canvas| {
        shade(canvas, times, &x, (TOP, HEIGHT - BELOW));
        canvas.text(unit, (left, TOP / 2), Ink::Soft, At::Right);
        for tick in &ticks {
            let at = y.place(*tick);
            canvas.path(vec![(left, at), (WIDTH - 30, at)], Ink::Faint, 1);
            canvas.text(&number(*tick), (left - 12, at), Ink::Soft, At::Left);
        }
        time_axis(canvas, &x, HEIGHT - BELOW);
        for curve in curves {
            let points = curve.points.iter().map(|(at, value)| (x.place(*at), y.place(*value)));
            canvas.path(points.collect(), curve.ink, 3);
        }
    })
}

/// The outage, what came until service was full again, and the fault.
pub(super) fn shade(canvas: &Canvas<'_>, times: &Times, x: &Scale, (top, bottom): (i32, i32)) {
    let band = |from: f64, to: f64, ink: Ink| {
        let (from, to) = (x.place(from), x.place(to));
        canvas.area((from, top), (to.max(from + 3), bottom), ink, 0.16);
    };
    if let Some((from, to)) = times.outage {
        band(from, to, Ink::Outage);
        if let Some(full) = times.full.filter(|full| *full > to) {
            band(to, full, Ink::Recovery);
        }
    }
    if (times.span.0..=times.span.1).contains(&0.0) {
        canvas.dashes((x.place(0.0), top), bottom, Ink::Text);
    }
}

/// The axis below a picture: seconds since the fault.
pub(super) fn time_axis(canvas: &Canvas<'_>, x: &Scale, bottom: i32) {
    canvas.path(vec![(x.at.0, bottom), (x.at.1, bottom)], Ink::Soft, 2);
    label_ticks(canvas, x, bottom, 6);
    canvas.text(
        "seconds since the fault",
        (i32::midpoint(x.at.0, x.at.1), bottom + 46),
        Ink::Soft,
        At::Below,
    );
}

/// Ticks with their numbers, none over another.
pub(super) fn label_ticks(canvas: &Canvas<'_>, x: &Scale, bottom: i32, most: usize) {
    let mut free = i32::MIN;
    for tick in x.ticks(most) {
        let (at, text) = (x.place(tick), number(tick));
        let half = width_of(&text) / 2;
        if at - half < free || at + half > WIDTH {
            continue;
        }
        free = at + half + LETTERS / 2;
        canvas.path(vec![(at, bottom), (at, bottom + 8)], Ink::Soft, 2);
        canvas.text(&text, (at, bottom + 12), Ink::Soft, At::Below);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_scale() {
        let ticks = |from, to, is_log| {
            Scale {
                from,
                to,
                at: (0, 100),
                is_log,
            }
            .ticks(4)
        };
        assert_eq!(ticks(0.0, 870.0, false), [0.0, 500.0]);
        assert_eq!(ticks(-3.0, 9.0, false), [0.0, 5.0]);
        assert_eq!(ticks(0.1, 1000.0, true), [0.1, 1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(ticks(1.0, 1.0, false), [1.0]);
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (20_000.0, "20k"),
            (1e6, "1M"),
            (1000.0, "1000"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn values_beyond_a_scale_stay_in_the_picture() {
        let scale = Scale {
            from: 1.0,
            to: 100.0,
            at: (0, 200),
            is_log: true,
        };
        assert_eq!(
            [0.0, 1.0, 10.0, 100.0, 1e9].map(|value| scale.place(value)),
            [0, 0, 100, 200, 200]
        );
        let flat = Scale {
            from: 1.0,
            to: 1.0,
            at: (3, 9),
            is_log: false,
        };
        assert_eq!(flat.place(5.0), 3);
    }
}
