//! Drawing with plotters. It writes fixed colors; here each is a name that the style sheet knows in light, in dark and on paper.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

/// Width of a picture in its own units, two a pixel of a phone's screen.
pub(super) const WIDTH: i32 = 880;

/// Size of the letters.
pub(super) const LETTERS: i32 = 26;

/// A color by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Soft,
    Faint,
    Acked,
    Received,
    Latency,
    Outage,
    Recovery,
    Limit,
    Article,
    Good,
    /// One of eight that are told apart.
    Part(usize),
}

/// How many colors [`Ink::Part`] has.
pub(super) const PARTS: usize = 8;

const NAMES: [&str; 19] = [
    "ink", "soft", "faint", "acked", "received", "latency", "outage", "recovery", "limit", "article", "good", "p0",
    "p1", "p2", "p3", "p4", "p5", "p6", "p7",
];

impl Ink {
    fn place(self) -> usize {
        match self {
            Self::Text => 0,
            Self::Soft => 1,
            Self::Faint => 2,
            Self::Acked => 3,
            Self::Received => 4,
            Self::Latency => 5,
            Self::Outage => 6,
            Self::Recovery => 7,
            Self::Limit => 8,
            Self::Article => 9,
            Self::Good => 10,
            Self::Part(part) => 11 + part % PARTS,
        }
    }

    fn color(self) -> RGBColor {
        RGBColor(1, 2, self.place() as u8)
    }
}

/// Where a text stands at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// To the right of it, at its height.
    Right,
    /// To the left of it, at its height.
    Left,
    /// Below it, in the middle.
    Below,
}

/// Something to draw on.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl Canvas<'_> {
    // Drawing into a text cannot fail, so the results say nothing.

    pub(super) fn text(&self, text: &str, (x, y): (i32, i32), ink: Ink, at: At) {
        let (h, v) = match at {
            At::Right => (HPos::Left, VPos::Center),
            At::Left => (HPos::Right, VPos::Center),
            At::Below => (HPos::Center, VPos::Top),
        };
        // Plotters divides the size by this.
        let font = ("sans-serif", f64::from(LETTERS) * 1.24)
            .into_font()
            .color(&ink.color());
        let style: TextStyle<'_> = font.pos(Pos::new(h, v));
        let _ = self.0.draw(&Text::new(text.to_owned(), (x, y), style));
    }

    pub(super) fn path(&self, points: Vec<(i32, i32)>, ink: Ink, width: u32) {
        let _ = self.0.draw(&PathElement::new(points, ink.color().stroke_width(width)));
    }

    /// A line of dashes.
    pub(super) fn dashes(&self, (x, from): (i32, i32), to: i32, ink: Ink) {
        let mut y = from;
        while y < to {
            self.path(vec![(x, y), (x, (y + 10).min(to))], ink, 3);
            y += 18;
        }
    }

    pub(super) fn area(&self, from: (i32, i32), to: (i32, i32), ink: Ink, opacity: f64) {
        let _ = self
            .0
            .draw(&Rectangle::new([from, to], ink.color().mix(opacity).filled()));
    }

    pub(super) fn dot(&self, at: (i32, i32), ink: Ink) {
        let _ = self.0.draw(&Circle::new(at, 7, ink.color().mix(0.75).filled()));
    }
}

/// How wide a text is at most: letters of the widest of the fonts that a browser takes for want of another.
pub(super) fn width_of(text: &str) -> i32 {
    let letter = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | '|' | '\'' => 0.36,
        'm' | 'w' | 'M' | 'W' | '%' => 1.0,
        '-' | ' ' | 'f' | 't' | 'r' => 0.43,
        c if c.is_uppercase() => 0.76,
        _ => 0.64,
    };
    (text.chars().map(letter).sum::<f64>() * f64::from(LETTERS)).ceil() as i32
}

/// A picture of this height, with words for who does not see it.
pub(super) fn picture(words: &str, height: i32, draw: impl FnOnce(&Canvas<'_>)) -> String {
    let mut drawn = String::new();
    let canvas = Canvas(SVGBackend::with_string(&mut drawn, (WIDTH as u32, height as u32)).into_drawing_area());
    draw(&canvas);
    let _ = canvas.0.present();
    drop(canvas);
    let size = format!("<svg width=\"{WIDTH}\" height=\"{height}\" ");
    let named = format!("<svg role=\"img\" aria-label=\"{}\" ", super::html::escaped(words));
    let mut drawn = drawn.replacen(&size, &named, 1);
    for (place, name) in NAMES.iter().enumerate() {
        drawn = drawn.replace(&format!("\"#0102{place:02X}\""), &format!("\"var(--{name})\""));
    }
    for default in [
        " opacity=\"1\"",
        " font-family=\"sans-serif\"",
        " stroke=\"none\"",
        " stroke-width=\"1\"",
        " xmlns=\"http://www.w3.org/2000/svg\"",
    ] {
        drawn = drawn.replace(default, "");
    }
    drawn
}
