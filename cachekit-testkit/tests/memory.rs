//! The in-memory backend keeps every rule of the suite, and a seed finds the same each time.

use cachekit_testkit::conformance::{MemoryFixture, Suite};

cachekit_testkit::conformance!(MemoryFixture::by_hand());

#[tokio::test]
async fn a_seed_gives_the_same_result_twenty_times_in_a_row() {
    let run = async || {
        let report = Suite::new().with_seed(7).run("memory", async || MemoryFixture::by_hand()).await;
        let found = report.findings().map(|finding| (finding.rule.id, finding.status.clone()));
        found.collect::<Vec<_>>()
    };
    let first = run().await;
    for n in 2..=20 {
        assert_eq!(run().await, first, "run {n}");
    }
}
