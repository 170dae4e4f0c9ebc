//! The golden pages in a browser: nothing overlaps, nothing is cut, in any width, and the dark one is dark. Chromium is the judge.

use crate::judge::{self, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Reads the boxes of the page's layout and says what is wrong with them.
const MEASURE: &str = r"
const wrong = [];
const box = e => e.getBoundingClientRect();
const say = (what, e) => wrong.push(what + ': ' + e.textContent.trim().slice(0, 60));
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width + 1) wrong.push('the page is wider than its window');
for (const e of document.querySelectorAll('h1,h2,p,li,figure,figcaption,svg,.verdict,.facts div,.key')) {
  const b = box(e);
  if (b.left < -0.5 || b.right > width + 0.5) say('beyond the window', e);
  if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) say('cut', e);
}
if (WIDE) for (const e of document.querySelectorAll('.wide')) if (e.scrollWidth > e.clientWidth + 1) say('a table that does not fit', e);
const apart = (all, what) => {
  for (let i = 0; i < all.length; i++) for (let j = i + 1; j < all.length; j++) {
    const [a, b] = [box(all[i]), box(all[j])];
    const over = Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1.5;
    if (over) say(what + ' over ' + all[j].textContent.trim(), all[i]);
  }
};
for (const svg of document.querySelectorAll('svg')) {
  const s = box(svg), texts = [...svg.querySelectorAll('text')];
  for (const t of texts) {
    const b = box(t);
    if (b.left < s.left - 1 || b.right > s.right + 1 || b.top < s.top - 1 || b.bottom > s.bottom + 1) say('a text beyond its picture', t);
    if (b.height < 8) say('a text too small to read', t);
  }
  apart(texts, 'a text of a picture');
}
for (const c of document.querySelectorAll('figcaption')) apart([...c.children], 'a caption');
for (const t of document.querySelectorAll('table')) for (const r of t.rows) apart([...r.cells], 'a cell');
const ink = getComputedStyle(document.querySelector('svg text, h1')).fill;
const dark = getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)';
const unset = [...document.querySelectorAll('svg *')].filter(e => (e.getAttribute('fill') || '').startsWith('var') && getComputedStyle(e).fill === 'rgb(0, 0, 0)');
if (unset.length) wrong.push('a color that the style sheet does not know');
parent.postMessage({ wrong, dark }, '*');
";

/// Shows the page in a frame of this width and writes down what it says.
fn frame(page: &str, width: u32) -> String {
    let script = MEASURE.replace("WIDE", if width >= 700 { "true" } else { "false" });
    let policy = page
        .lines()
        .find(|line| line.contains("Content-Security-Policy"))
        .expect("a policy");
    let own = page
        .replace(policy, "")
        .replace("</body>", &format!("<script>{script}</script></body>"));
    let source = own.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<!DOCTYPE html><meta charset=utf-8><pre id=said></pre><script>addEventListener('message', m => {{ said.textContent = \
         'SAID ' + JSON.stringify(m.data) + ' END'; }});</script><iframe style=\"border:0\" width={width} height=9000 srcdoc=\"{source}\"></iframe>"
    )
}

fn chromium() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&paths).map(|folder| folder.join("chromium"));
    let found = found.find(|path| path.exists());
    if found.is_none() {
        judge::skip(
            judge::TOOLS,
            "pages in a browser",
            "chromium is not installed; scripts/test installs it",
        );
    }
    found
}

/// The browser with a profile of its own.
fn browser(program: &Path, home: &Path, dark: bool) -> Command {
    let mut command = judge::clean(program, home);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", home.join("profile").display()))
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            if dark { 0 } else { 1 }
        ))
        .stderr(Stdio::null());
    command
}

#[test]
fn in_a_browser_nothing_overlaps_and_nothing_is_cut() {
    let Some(program) = chromium() else { return };
    let home = tempfile::tempdir().expect("tempdir");
    let folder = root().join("tests/fixtures/pages");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("pages")
        .map(|entry| entry.expect("entry").path())
        .collect();
    pages.sort();
    assert!(pages.len() > 10, "{pages:?}");
    let mut wrong = Vec::new();
    for path in &pages {
        let page = std::fs::read_to_string(path).expect("a page");
        for (width, dark) in [(1200, false), (1200, true), (720, false), (360, false)] {
            let framed = home.path().join("framed.html");
            std::fs::write(&framed, frame(&page, width)).expect("written");
            let output = browser(&program, home.path(), dark)
                .args(["--virtual-time-budget=5000", "--dump-dom", "--window-size=1400,1000"])
                .arg(format!("file://{}", framed.display()))
                .output()
                .expect("it starts");
            let dom = String::from_utf8_lossy(&output.stdout);
            let said = dom.split("SAID ").nth(1).and_then(|rest| rest.split(" END").next());
            let expected = format!("{{\"wrong\":[],\"dark\":{dark}}}");
            if said != Some(expected.as_str()) {
                wrong.push(format!("{} {width} dark {dark}: {said:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
