//! The demo of this topology, from nothing to a report and back to nothing.

use crate::support::{Lab, runs, told_of};
use serde_json::Value;
use std::cell::RefCell;

#[test]
fn the_demo_shows_the_host_that_waits_take_over() {
    let lab = Lab::new();
    let out = lab.path("out");
    let out = out.to_str().expect("a path");
    let demo = ["demo", "--topology", "standby", "--output", "json", "--out", out];
    let last = RefCell::new(Value::Null);
    let report = lab.repeated(&demo, 0, || {
        let mut said = lab.spawn(&demo).wait();
        let document: Value = serde_json::from_str(&said.out).unwrap_or_default();
        said.out = document["report"].to_string();
        last.replace(document);
        said
    });
    let said = last.into_inner();
    assert_eq!(said["schema"], "mqaws.demo/1");
    assert_eq!(report["place"]["topology"], "standby", "{}", report["place"]);
    let (before, after) = ("served_before", "served_after");
    for (run, elsewhere) in runs(&report).iter().zip([false, true]) {
        assert_eq!(
            (&run["fault"]["verified"], &run["ledger"]["lost"]),
            (&true.into(), &0.into()),
            "{}",
            run["fault"]
        );
        let moved = run[before]["instance"] != run[after]["instance"];
        assert_eq!(moved, elsewhere, "{}", run["fault"]);
    }
    assert_eq!(runs(&report).len(), 2);
    for file in ["report_file", "page_file"] {
        let path = said[file].as_str().expect("a path");
        assert!(std::path::Path::new(path).is_file(), "{path}");
    }
    assert_eq!(told_of(lab.home()), Vec::<String>::new(), "nothing runs any more");
}
