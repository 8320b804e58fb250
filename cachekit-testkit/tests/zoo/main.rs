//! A zoo of broken backends: each is caught by the rules about what it does wrong, and by no others.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod abilities;
mod animal;
mod quirk;

use std::collections::BTreeSet;

use animal::Cage;
use cachekit_testkit::conformance::{Report, Suite, rules};
use quirk::Quirk;

/// A test for each animal, and the rules that catch it, in the order of the registry.
macro_rules! zoo {
    ($($test:ident $quirk:ident [$($rule:literal,)*])*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $test() {
                assert_eq!(caught_by(Quirk::$quirk).await, [$($rule),*]);
            }
        )*

        const ANIMALS: &[(Quirk, &[&str])] = &[$((Quirk::$quirk, &[$($rule),*])),*];
    };
}

#[tokio::test(start_paused = true)]
async fn what_does_nothing_wrong_is_caught_by_no_rule_and_skipped_by_none() {
    let report = Suite::new().run("animal", async || Cage::of(Quirk::None)).await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.count("pass"), rules().len(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn in_real_time_too_it_is_caught_by_no_rule_and_skipped_by_none() {
    let report = Suite::new().run("animal", async || Cage::in_real_time(Quirk::None)).await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.count("pass"), rules().len(), "{report}");
}

/// Where time stands still a rule looks at the last nanosecond. In real time it has to come near enough.
#[tokio::test(start_paused = true)]
async fn who_ends_entries_a_little_early_is_caught_in_real_time_too() {
    let report = Suite::new().run("animal", async || Cage::in_real_time(Quirk::EndsEarly)).await;
    assert_eq!(failed(&report), ["backend.2.a-life-is-not-cut-short"], "{report}");
}

#[test]
fn every_rule_catches_somebody() {
    let catching: BTreeSet<&str> = ANIMALS.iter().flat_map(|(_, rules)| rules.iter().copied()).collect();
    let idle: Vec<_> = rules().iter().map(|rule| rule.id).filter(|rule| !catching.contains(rule)).collect();
    assert!(idle.is_empty(), "no animal shows that these rules can fail: {idle:?}");
}

#[tokio::test(start_paused = true)]
async fn a_seed_gives_the_same_result_each_time() {
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let suite = Suite::new().with_seed(7).with_rules("backend.concurrency.*");
        let report = suite.run("animal", async || Cage::of(Quirk::WritesInHalves)).await;
        seen.insert(report.findings().map(|found| format!("{} {:?}", found.rule.id, found.status)).collect::<Vec<_>>());
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

/// Time is virtual, so that whoever waits in vain need not wait.
async fn caught_by(quirk: Quirk) -> Vec<&'static str> {
    let report = Suite::new().run("animal", async || Cage::of(quirk)).await;
    failed(&report)
}

fn failed(report: &Report) -> Vec<&'static str> {
    report.findings().filter(|finding| finding.status.as_str() == "fail").map(|finding| finding.rule.id).collect()
}

zoo! {
    answers_before_the_write AnswersBeforeTheWrite [
        "backend.1.an-overwrite-is-read-at-once",
        "backend.1.never-goes-back",
        "backend.2.an-overwrite-replaces-the-life",
        "backend.7.of-two-writes-to-one-key-the-later-stays",
        "backend.8.reopened-handles-see-the-same-entries",
    ]
    answers_out_of_order AnswersOutOfOrder [
        "backend.7.get-many-answers-in-order",
    ]
    batches_lie_about_lives BatchesLieAboutLives [
        "backend.6.the-remaining-life-is-true",
    ]
    caches_per_handle CachesPerHandle [
        "backend.1.never-goes-back",
        "backend.8.reopened-handles-see-the-same-entries",
    ]
    changes_its_limits ChangesItsLimits [
        "backend.limits.stay-the-same",
    ]
    clear_leaves_fences ClearLeavesFences [
        "clearable.3.fences-are-revoked",
    ]
    clears_its_own_only ClearsItsOwnOnly [
        "clearable.1.cleared-entries-are-gone",
    ]
    clears_nothing ClearsNothing [
        "clearable.1.cleared-entries-are-gone",
        "clearable.1.a-set-after-a-clear-is-read",
        "clearable.3.fences-are-revoked",
        "clearable.4.a-dropped-clear-leaves-whole-entries",
        "watchable.1.clears-are-told",
    ]
    clears_too_much ClearsTooMuch [
        "clearable.2.nothing-outside-is-touched",
    ]
    close_takes_entries CloseTakesEntries [
        "backend.8.entries-outlive-the-handle-that-set-them",
    ]
    cuts_lives_short CutsLivesShort [
        "backend.2.a-life-is-not-cut-short",
        "backend.6.the-remaining-life-is-true",
        "fenced.6.a-grant-tells-what-is-stored",
        "expiring.1.the-remaining-life-is-true",
    ]
    deletes_for_good DeletesForGood [
        "backend.2.an-ended-entry-can-be-set-again",
        "backend.5.a-set-after-a-delete-is-read",
    ]
    deletes_neighbours DeletesNeighbours [
        "backend.5.a-delete-leaves-other-keys-alone",
    ]
    drops_the_empty_value DropsTheEmptyValue [
        "backend.4.the-empty-value",
    ]
    ends_early EndsEarly [
        "backend.2.a-life-is-not-cut-short",
        "backend.2.the-shortest-life-is-rounded-up",
    ]
    ends_together EndsTogether [
        "backend.2.entries-end-each-in-its-time",
    ]
    epoch_begins_at_one EpochBeginsAtOne [
        "counting.1.an-epoch-begins-at-zero",
    ]
    epoch_ends_with_time EpochEndsWithTime [
        "counting.3.an-epoch-outlives-entries",
    ]
    epoch_goes_back EpochGoesBack [
        "counting.2.an-epoch-only-grows",
        "counting.2.many-advances-are-all-told-apart",
    ]
    epoch_goes_with_entries EpochGoesWithEntries [
        "counting.3.an-epoch-outlives-entries",
    ]
    epoch_goes_with_eviction EpochGoesWithEviction [
        "counting.3.an-epoch-outlives-eviction",
    ]
    epoch_is_not_atomic EpochIsNotAtomic [
        "counting.2.many-advances-are-all-told-apart",
    ]
    errs_on_deleting_missing ErrsOnDeletingMissing [
        "backend.2.an-ended-entry-can-be-set-again",
        "backend.3.deleting-what-is-missing-succeeds",
        "backend.7.delete-many-takes-duplicates-and-misses",
    ]
    errs_on_missing ErrsOnMissing [
        "key.2.the-ending-for-locks-is-free",
        "backend.3.missing-is-none",
        "backend.7.get-many-answers-in-order",
        "backend.7.one-bad-element-does-not-spoil-the-rest",
        "expiring.2.renewing-what-is-missing-is-false",
    ]
    exists_always ExistsAlways [
        "backend.2.an-ended-entry-is-missing",
        "backend.3.missing-is-none",
        "backend.5.a-deleted-entry-is-missing",
        "backend.exists.agrees-with-get",
        "clearable.1.a-set-after-a-clear-is-read",
        "clearable.4.a-dropped-clear-leaves-whole-entries",
    ]
    fenced_stores_end_early FencedStoresEndEarly [
        "fenced.4.what-it-stores-lives-as-told",
    ]
    fenced_stores_never_end FencedStoresNeverEnd [
        "fenced.4.what-it-stores-lives-as-told",
    ]
    fenced_takes_too_large FencedTakesTooLarge [
        "fenced.errors.too-large-is-refused",
    ]
    fences_hang_when_silent FencesHangWhenSilent [
        "backend.9.calls-end-while-the-store-is-silent",
    ]
    folds_case FoldsCase [
        "key.1.every-character-and-length",
        "key.3.keys-compare-byte-for-byte",
        "backend.5.a-delete-leaves-other-keys-alone",
        "clearable.2.nothing-outside-is-touched",
    ]
    forgets_an_ability ForgetsAnAbility [
        "backend.abilities.are-those-declared",
    ]
    forgets_an_ability_later ForgetsAnAbilityLater [
        "backend.abilities.stay-the-same",
    ]
    forgets_some_releases ForgetsSomeReleases [
        "fenced.cancellation.a-dropped-acquire-is-freed-by-release",
    ]
    goes_back GoesBack [
        "backend.1.never-goes-back",
    ]
    grants_blindly GrantsBlindly [
        "fenced.6.a-grant-tells-what-is-stored",
    ]
    grants_lie_about_lives GrantsLieAboutLives [
        "fenced.6.a-grant-tells-what-is-stored",
    ]
    grants_to_all GrantsToAll [
        "fenced.1.a-held-fence-excludes-others",
        "fenced.1.of-many-one-is-granted",
        "fenced.1.acquiring-again-renews",
        "fenced.2.a-lease-is-not-cut-short",
        "fenced.2.a-renewed-fence-is-held-on",
        "fenced.3.a-stranger-changes-nothing",
        "fenced.5.plain-writes-leave-fences-alone",
    ]
    hangs_on_the_second_close HangsOnTheSecondClose [
        "backend.close.may-be-called-twice",
    ]
    hangs_when_silent HangsWhenSilent [
        "backend.9.calls-end-while-the-store-is-silent",
    ]
    health_takes_the_last_entry HealthTakesTheLastEntry [
        "backend.health.is-well-and-changes-nothing",
    ]
    hides_its_blindness HidesItsBlindness [
        "watchable.2.blindness-is-told",
        "watchable.2.sight-comes-back",
        "watchable.2.an-outage-is-told",
    ]
    hides_its_illness HidesItsIllness [
        "backend.errors.trouble-has-a-code",
    ]
    hides_outages HidesOutages [
        "watchable.2.an-outage-is-told",
    ]
    keeps_the_fence_after_storing KeepsTheFenceAfterStoring [
        "fenced.4.the-holder-stores-and-ends-the-fence",
    ]
    keeps_the_first_life KeepsTheFirstLife [
        "backend.2.an-overwrite-replaces-the-life",
    ]
    knows_no_life KnowsNoLife [
        "expiring.1.the-remaining-life-is-true",
        "expiring.1.an-entry-without-an-end-has-none",
        "expiring.2.renewing-replaces-the-life",
    ]
    lapses_early LapsesEarly [
        "fenced.2.a-lease-is-not-cut-short",
    ]
    leaks_on_drop LeaksOnDrop [
        "backend.cancellation.dropped-calls-hold-nothing",
    ]
    lies_about_the_remaining_life LiesAboutTheRemainingLife [
        "backend.6.the-remaining-life-is-true",
        "backend.6.an-entry-without-an-end-has-none",
    ]
    locks_as_entries LocksAsEntries [
        "key.2.the-ending-for-locks-is-free",
    ]
    loses_on_dropped_next LosesOnDroppedNext [
        "watchable.next.a-dropped-next-loses-nothing",
    ]
    loses_the_life LosesTheLife [
        "backend.2.an-ended-entry-is-missing",
        "backend.2.the-shortest-life-is-rounded-up",
        "backend.2.an-overwrite-replaces-the-life",
        "backend.2.entries-end-each-in-its-time",
        "backend.6.the-remaining-life-is-true",
        "backend.7.set-many-gives-each-its-life",
        "fenced.6.a-grant-tells-what-is-stored",
        "expiring.1.ended-is-none",
        "expiring.1.the-remaining-life-is-true",
    ]
    loses_the_seventh LosesTheSeventh [
        "key.1.every-character-and-length",
        "backend.1.a-set-is-read-at-once",
        "backend.2.entries-end-each-in-its-time",
        "backend.7.large-batches-are-answered-whole",
        "backend.concurrency.many-keys-at-once",
        "watchable.1.a-change-is-visible-when-it-is-told",
    ]
    merges_duplicates MergesDuplicates [
        "backend.7.get-many-answers-in-order",
    ]
    missing_lives_for_ever MissingLivesForEver [
        "expiring.1.missing-is-none",
        "expiring.1.ended-is-none",
    ]
    mixes_up_under_load MixesUpUnderLoad [
        "backend.concurrency.many-keys-at-once",
    ]
    names_nobody NamesNobody [
        "backend.9.calls-end-while-the-store-is-silent",
        "backend.errors.trouble-has-a-code",
        "backend.close.may-be-called-twice",
    ]
    never_is_ayear NeverIsAYear [
        "backend.2.never-does-not-end",
        "backend.6.an-entry-without-an-end-has-none",
        "expiring.1.an-entry-without-an-end-has-none",
    ]
    never_lapses NeverLapses [
        "fenced.2.a-fence-lapses",
        "fenced.3.a-lapsed-fence-is-not-renewed",
        "fenced.4.under-a-lapsed-fence-nothing-is-stored",
    ]
    never_renews_on_acquire NeverRenewsOnAcquire [
        "fenced.1.acquiring-again-renews",
    ]
    panics_on_empty_batches PanicsOnEmptyBatches [
        "backend.7.empty-batches-are-answered",
    ]
    refuses_long_lives RefusesLongLives [
        "backend.2.the-longest-life-is-taken",
    ]
    refuses_short_lives RefusesShortLives [
        "backend.2.the-shortest-life-is-rounded-up",
    ]
    releases_are_always_true ReleasesAreAlwaysTrue [
        "fenced.2.a-fence-lapses",
        "fenced.3.a-stranger-changes-nothing",
        "fenced.3.a-lapsed-fence-is-not-renewed",
        "fenced.3.the-holder-frees-it-once",
        "fenced.4.the-holder-stores-and-ends-the-fence",
    ]
    releases_for_anybody ReleasesForAnybody [
        "fenced.3.a-stranger-changes-nothing",
    ]
    renew_changes_the_value RenewChangesTheValue [
        "expiring.2.renewing-leaves-the-value",
        "expiring.2.a-renewed-entry-ends-when-it-was-told",
    ]
    renew_keeps_the_life RenewKeepsTheLife [
        "expiring.2.renewing-replaces-the-life",
        "expiring.2.a-renewed-entry-ends-when-it-was-told",
    ]
    renew_makes_entries RenewMakesEntries [
        "expiring.2.renewing-what-is-missing-is-false",
    ]
    renews_alapsed_fence RenewsALapsedFence [
        "fenced.3.a-lapsed-fence-is-not-renewed",
    ]
    revokes_nothing RevokesNothing [
        "fenced.5.set-and-revoke-ends-a-load",
        "fenced.5.delete-and-revoke-ends-a-load",
    ]
    revokes_on_plain_writes RevokesOnPlainWrites [
        "fenced.5.plain-writes-leave-fences-alone",
    ]
    serves_the_ended ServesTheEnded [
        "backend.2.an-ended-entry-is-missing",
        "backend.2.the-shortest-life-is-rounded-up",
        "backend.2.an-overwrite-replaces-the-life",
        "backend.2.entries-end-each-in-its-time",
        "backend.7.set-many-gives-each-its-life",
        "expiring.2.a-renewed-entry-ends-when-it-was-told",
    ]
    shouts_its_name ShoutsItsName [
        "backend.name.is-short",
    ]
    shows_its_password ShowsItsPassword [
        "backend.errors.nothing-secret-is-shown",
    ]
    shows_keys ShowsKeys [
        "backend.errors.nothing-secret-is-shown",
    ]
    shows_values ShowsValues [
        "backend.errors.nothing-secret-is-shown",
    ]
    spoils_the_batch SpoilsTheBatch [
        "backend.7.one-bad-element-does-not-spoil-the-rest",
    ]
    stays_blind StaysBlind [
        "watchable.2.sight-comes-back",
        "watchable.2.an-outage-is-told",
    ]
    stores_after_looking StoresAfterLooking [
        "fenced.5.a-load-and-a-write-do-not-both-win",
        "fenced.errors.too-large-is-refused",
    ]
    stores_for_anybody StoresForAnybody [
        "fenced.4.the-holder-stores-and-ends-the-fence",
        "fenced.4.without-the-fence-nothing-is-stored",
        "fenced.4.under-a-lapsed-fence-nothing-is-stored",
        "fenced.5.set-and-revoke-ends-a-load",
        "fenced.5.delete-and-revoke-ends-a-load",
        "clearable.3.fences-are-revoked",
    ]
    stores_under_alapsed_fence StoresUnderALapsedFence [
        "fenced.4.under-a-lapsed-fence-nothing-is-stored",
        "clearable.3.fences-are-revoked",
    ]
    swaps_two_keys SwapsTwoKeys [
        "key.3.keys-compare-byte-for-byte",
    ]
    takes_null_for_nothing TakesNullForNothing [
        "backend.4.values-that-look-like-something",
    ]
    takes_text_only TakesTextOnly [
        "backend.4.every-single-byte",
        "backend.4.every-byte-in-one-value",
    ]
    takes_too_large TakesTooLarge [
        "backend.7.one-bad-element-does-not-spoil-the-rest",
        "backend.errors.too-large-is-refused",
    ]
    takes_too_long TakesTooLong [
        "backend.errors.a-life-too-long-is-refused",
    ]
    tears_reads TearsReads [
        "backend.concurrency.readers-see-whole-values",
    ]
    tells_no_clears TellsNoClears [
        "watchable.1.clears-are-told",
    ]
    tells_no_deletes TellsNoDeletes [
        "watchable.1.sets-and-deletes-are-told",
    ]
    tells_no_fenced_writes TellsNoFencedWrites [
        "watchable.1.fenced-writes-are-told",
    ]
    tells_out_of_order TellsOutOfOrder [
        "watchable.3.changes-of-a-key-are-told-in-order",
    ]
    tells_the_latest_watch_only TellsTheLatestWatchOnly [
        "watchable.1.every-watch-is-told",
    ]
    tells_too_early TellsTooEarly [
        "backend.1.never-goes-back",
        "backend.cancellation.a-dropped-write-leaves-old-or-new",
        "backend.concurrency.readers-see-whole-values",
        "watchable.1.a-change-is-visible-when-it-is-told",
    ]
    truncates_at_64_kib TruncatesAt64KiB [
        "backend.4.a-mebibyte",
        "backend.4.the-largest-value",
    ]
    watch_outlives_close WatchOutlivesClose [
        "watchable.next.closing-ends-a-watch",
    ]
    writes_in_halves WritesInHalves [
        "backend.cancellation.a-dropped-write-leaves-old-or-new",
        "backend.concurrency.many-writers-leave-one-whole-value",
        "backend.concurrency.readers-see-whole-values",
    ]
}
