//! The report as one page for a browser: a file of its own, without a script and without anything that it would have to fetch.
//!
//! `html` writes markup, in which every text from outside is only text; `canvas` draws with plotters and gives its colors to the style
//! sheet; `chart` has scales and axes; the other files are the parts of the page.

mod budget;
mod canvas;
mod chart;
mod html;
mod modeled;
mod outages;
mod round;
mod tables;
mod top;

use crate::failover::report::Report;
use html::Html;

/// The reports one below the other, as one HTML file.
#[must_use]
pub fn page(reports: &[&Report]) -> String {
    let mut page = Html::default();
    for report in reports {
        page.open("article", "");
        top::write(&mut page, report);
        outages::write(&mut page, report);
        round::write(&mut page, report);
        budget::write(&mut page, report);
        tables::write(&mut page, report);
        page.close("article");
    }
    page.document(&top::title(reports))
}

#[cfg(test)]
mod tests;
