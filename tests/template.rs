//! The rendered templates: checked in, consistent, and read alike by everybody.

use std::path::Path;

use mqaws::model::Deployment;
use mqaws::render;

/// Compares a text with its checked-in file; with `MQAWS_UPDATE=1` it writes the file instead.
fn golden(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("MQAWS_UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "{} is not current; run the tests with MQAWS_UPDATE=1 and review it",
        path.display()
    );
}

#[test]
fn the_checked_in_template_is_current() {
    golden("templates/single.yaml", &render::body(&Deployment::default()).unwrap());
}
