//! Every code has its drills, every drill passes, and the same comes again.
#![cfg(unix)]

use std::collections::BTreeSet;

use cachekit_core::ErrorCode;
use cachekit_testkit::drills::{self, Drill, DrillKind, DrillReport, DrillStatus};

fn of(kind: DrillKind) -> impl Iterator<Item = Drill> {
    drills::all().into_iter().filter(move |drill| drill.kind() == kind)
}

fn failures(reports: &[DrillReport]) -> Vec<String> {
    let failed = reports.iter().filter(|report| report.status == DrillStatus::Fail);
    failed.map(|report| format!("{} {:?}: {}", report.code, report.drill, report.observed)).collect()
}

#[test]
fn every_code_has_one_fake_drill_and_one_real_one_or_a_reason() {
    for kind in [DrillKind::Fake, DrillKind::Real] {
        let codes: Vec<ErrorCode> = of(kind).map(|drill| drill.code()).collect();
        assert_eq!(codes, ErrorCode::ALL, "{kind:?}");
    }
    assert!(of(DrillKind::Fake).all(|drill| drill.pending().is_none()), "fakes wait for nothing");
    let pending: BTreeSet<&str> =
        of(DrillKind::Real).filter(|drill| drill.pending().is_some()).map(|drill| drill.code().as_str()).collect();
    // A cause that has come to exist leaves this list.
    let waiting = ["E008", "E012", "E015", "E060", "E061", "E062", "E064", "E065"];
    assert_eq!(pending, BTreeSet::from(waiting));
}

#[test]
fn every_drill_passes_or_says_what_it_waits_for() {
    let reports = drills::run();
    assert_eq!(failures(&reports), [""; 0]);
    assert_eq!(reports.len(), 2 * ErrorCode::ALL.len());
    let pending = reports.iter().filter(|report| report.status == DrillStatus::Pending).count();
    assert_eq!(pending, of(DrillKind::Real).filter(|drill| drill.pending().is_some()).count());
    for report in reports.iter().filter(|report| report.status == DrillStatus::Pass) {
        assert!(report.observed.contains(report.code.as_str()), "{report:?}");
    }
}

#[test]
fn fake_drills_end_alike_twenty_times_in_a_row() {
    let run = || of(DrillKind::Fake).map(|drill| drill.run()).collect::<Vec<_>>();
    let first = run();
    for _ in 0..19 {
        assert_eq!(run(), first);
    }
}

#[test]
fn a_report_is_an_element_of_the_suites_report() {
    let drill = of(DrillKind::Real).find(|drill| drill.code() == ErrorCode::E043).unwrap();
    let json = serde_json::to_value(drill.run()).unwrap();
    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["code", "drill", "observed", "status"]));
    assert_eq!((&json["code"], &json["drill"], &json["status"]), (&"E043".into(), &"real".into(), &"pass".into()));
    assert!(json["observed"].as_str().unwrap().starts_with("E043 ConfigurationError: time to live:"), "{json}");
}
