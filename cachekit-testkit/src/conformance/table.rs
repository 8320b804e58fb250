//! The table of all rules, from which the registry and the tests of [`conformance!`](crate::conformance!) are made.

/// Calls the macro in the first brackets with what is in the second ones, followed by the table: of each rule its id, the file it is in, its
/// function, its level, the codes it expects, and its sentence.
#[doc(hidden)]
#[macro_export]
macro_rules! __backend_rules {
    ([$($then:tt)+] [$($given:tt)*]) => {
        $($then)+! { [$($given)*]
            "key.1.every-character-and-length" keys key_1_every_character_and_length Must []
                "Every key of the alphabet is taken, up to 250 bytes.";
            "key.2.the-ending-for-locks-is-free" keys key_2_the_ending_for_locks_is_free Must []
                "A backend's own locks do not meet entries, however keys end.";
            "key.3.keys-compare-byte-for-byte" keys key_3_keys_compare_byte_for_byte Must []
                "Keys that differ in a single byte are different keys.";
            "backend.1.a-set-is-read-at-once" values backend_1_a_set_is_read_at_once Must []
                "What was set is there as soon as the set is acknowledged.";
            "backend.1.an-overwrite-is-read-at-once" values backend_1_an_overwrite_is_read_at_once Must []
                "A set replaces what was there, whole, as soon as it is acknowledged.";
            "backend.1.never-goes-back" concurrency backend_1_never_goes_back Must []
                "Who has seen a value, or whose set was acknowledged, sees none that is older.";
            "backend.2.an-ended-entry-is-missing" expiry backend_2_an_ended_entry_is_missing Must []
                "An entry whose life has passed is found by no call and through no handle.";
            "backend.2.a-life-is-not-cut-short" expiry backend_2_a_life_is_not_cut_short Must []
                "An entry is there until its life has passed, to the very end.";
            "backend.2.the-shortest-life-is-rounded-up" expiry backend_2_the_shortest_life_is_rounded_up Must []
                "A nanosecond's life is taken, rounded up to the resolution, and ends.";
            "backend.2.never-does-not-end" expiry backend_2_never_does_not_end Must []
                "An entry that is to live for ever does.";
            "backend.2.the-longest-life-is-taken" expiry backend_2_the_longest_life_is_taken Must []
                "The longest life that the limits allow is taken; without a limit, any.";
            "backend.2.an-overwrite-replaces-the-life" expiry backend_2_an_overwrite_replaces_the_life Must []
                "A set replaces the life of what was there, be it longer or shorter.";
            "backend.2.an-ended-entry-can-be-set-again" expiry backend_2_an_ended_entry_can_be_set_again Must []
                "What has ended can be deleted and set again.";
            "backend.2.entries-end-each-in-its-time" expiry backend_2_entries_end_each_in_its_time Must []
                "The end of one entry takes no other with it.";
            "backend.3.missing-is-none" values backend_3_missing_is_none Must []
                "A key that was never set is found to be missing, without an error.";
            "backend.3.deleting-what-is-missing-succeeds" values backend_3_deleting_what_is_missing_succeeds Must []
                "Deleting what is not there is a success.";
            "backend.4.the-empty-value" values backend_4_the_empty_value Must []
                "An empty value is there, and empty.";
            "backend.4.every-single-byte" values backend_4_every_single_byte Must []
                "A value of one byte returns, whichever byte it is.";
            "backend.4.every-byte-in-one-value" values backend_4_every_byte_in_one_value Must []
                "A value of all bytes returns as it was.";
            "backend.4.values-that-look-like-something" values backend_4_values_that_look_like_something Must []
                "Values that look like a protocol, a format or a compressed stream return as they were.";
            "backend.4.a-mebibyte" values backend_4_a_mebibyte Must []
                "A value of a mebibyte returns as it was, or the largest if that is smaller.";
            "backend.4.the-largest-value" values backend_4_the_largest_value Must []
                "The largest value that the limits allow returns as it was; 32 MiB if it is larger.";
            "backend.5.a-deleted-entry-is-missing" values backend_5_a_deleted_entry_is_missing Must []
                "What was deleted is gone as soon as the delete is acknowledged.";
            "backend.5.a-set-after-a-delete-is-read" values backend_5_a_set_after_a_delete_is_read Must []
                "What was deleted can be set again.";
            "backend.5.a-delete-leaves-other-keys-alone" values backend_5_a_delete_leaves_other_keys_alone Must []
                "A delete takes away its key and no other.";
            "backend.6.the-remaining-life-is-true" lives backend_6_the_remaining_life_is_true Must []
                "The remaining life that a get tells, or a get_many, is true within the resolution.";
            "backend.6.an-entry-without-an-end-has-none" lives backend_6_an_entry_without_an_end_has_none Must []
                "A get tells no end of an entry that has none.";
            "backend.7.get-many-answers-in-order" batches backend_7_get_many_answers_in_order Must []
                "get_many answers for each key in the order asked, with duplicates and misses.";
            "backend.7.of-two-writes-to-one-key-the-later-stays" batches backend_7_of_two_writes_to_one_key_the_later_stays Must []
                "Of two writes to one key in a set_many, the later stays.";
            "backend.7.set-many-gives-each-its-life" batches backend_7_set_many_gives_each_its_life Must []
                "set_many gives each entry its own life.";
            "backend.7.delete-many-takes-duplicates-and-misses" batches backend_7_delete_many_takes_duplicates_and_misses Must []
                "delete_many removes what it is given, duplicates and misses included, and no more.";
            "backend.7.empty-batches-are-answered" batches backend_7_empty_batches_are_answered Must []
                "A batch of nothing is answered with nothing.";
            "backend.7.large-batches-are-answered-whole" batches backend_7_large_batches_are_answered_whole Must []
                "A batch of 1,500 elements has as many right answers.";
            "backend.7.one-bad-element-does-not-spoil-the-rest" batches backend_7_one_bad_element_does_not_spoil_the_rest Must []
                "An element that is refused leaves the others to succeed.";
            "backend.8.reopened-handles-see-the-same-entries" values backend_8_reopened_handles_see_the_same_entries Must []
                "What one handle writes, every other one sees.";
            "backend.8.entries-outlive-the-handle-that-set-them" values backend_8_entries_outlive_the_handle_that_set_them Must []
                "What a handle wrote is there after it was closed.";
            "backend.9.calls-end-while-the-store-is-silent" trouble backend_9_calls_end_while_the_store_is_silent Must []
                "A store that never answers makes each call fail by itself, and works again when it has recovered.";
            "backend.errors.trouble-has-a-code" trouble backend_errors_trouble_has_a_code Must []
                "A store that is down makes each call fail with a code of the store's and the backend's name, health included.";
            "backend.errors.too-large-is-refused" trouble backend_errors_too_large_is_refused Must [E022]
                "A value over the limit is refused, and what was there stays.";
            "backend.errors.a-life-too-long-is-refused" trouble backend_errors_a_life_too_long_is_refused Must [E063]
                "A life over the limit is refused, and what was there stays.";
            "backend.errors.nothing-secret-is-shown" trouble backend_errors_nothing_secret_is_shown Must []
                "Neither Debug nor an error shows a key in full, a value or a credential.";
            "backend.cancellation.a-dropped-write-leaves-old-or-new" cancellation backend_cancellation_a_dropped_write_leaves_old_or_new Must []
                "A set that is dropped, at any await, leaves the old value or the new one.";
            "backend.cancellation.dropped-calls-hold-nothing" cancellation backend_cancellation_dropped_calls_hold_nothing Must []
                "However many calls were dropped, the next one is answered.";
            "backend.concurrency.many-writers-leave-one-whole-value" concurrency backend_concurrency_many_writers_leave_one_whole_value Must []
                "64 writers of one key leave the value of one of them, whole.";
            "backend.concurrency.readers-see-whole-values" concurrency backend_concurrency_readers_see_whole_values Must []
                "Who reads while 64 write sees a whole value.";
            "backend.concurrency.many-keys-at-once" concurrency backend_concurrency_many_keys_at_once Must []
                "128 callers with keys of their own do not meet.";
            "backend.name.is-short" manners backend_name_is_short Should []
                "The name fits logs and metrics: 1 to 32 characters of a-z 0-9 - _.";
            "backend.exists.agrees-with-get" values backend_exists_agrees_with_get Must []
                "exists tells what get would find.";
            "backend.health.is-well-and-changes-nothing" manners backend_health_is_well_and_changes_nothing Must []
                "A store that is well says so, and asking changes nothing.";
            "backend.limits.stay-the-same" manners backend_limits_stay_the_same Must []
                "The limits are the same whenever and through whichever handle they are asked.";
            "backend.abilities.stay-the-same" manners backend_abilities_stay_the_same Must []
                "The abilities are the same whenever and through whichever handle they are asked.";
            "backend.abilities.are-those-declared" manners backend_abilities_are_those_declared Must []
                "The backend offers the abilities that it is meant to have, and no others.";
            "backend.close.may-be-called-twice" manners backend_close_may_be_called_twice Must []
                "close ends, twice, and no later call hangs.";
            "fenced.1.a-held-fence-excludes-others" fences fenced_1_a_held_fence_excludes_others Must []
                "While a fence is held, nobody else acquires it, through whichever handle.";
            "fenced.1.of-many-one-is-granted" fences fenced_1_of_many_one_is_granted Must []
                "Of 64 who ask for a free fence at once, one is granted it.";
            "fenced.1.acquiring-again-renews" fences fenced_1_acquiring_again_renews Must []
                "The holder acquires again, and the lease counts from then.";
            "fenced.2.a-fence-lapses" fences fenced_2_a_fence_lapses Must []
                "A fence is free once its lease has passed.";
            "fenced.2.a-lease-is-not-cut-short" fences fenced_2_a_lease_is_not_cut_short Must []
                "A fence is held until its lease has passed.";
            "fenced.2.a-renewed-fence-is-held-on" fences fenced_2_a_renewed_fence_is_held_on Must []
                "A renewed fence is held beyond its first lease.";
            "fenced.3.a-stranger-changes-nothing" fences fenced_3_a_stranger_changes_nothing Must []
                "Who does not hold a fence neither renews nor frees it.";
            "fenced.3.a-lapsed-fence-is-not-renewed" fences fenced_3_a_lapsed_fence_is_not_renewed Must []
                "A fence that has lapsed is neither renewed nor released.";
            "fenced.3.the-holder-frees-it-once" fences fenced_3_the_holder_frees_it_once Must []
                "The holder's release frees the fence at once, and only the first one says so.";
            "fenced.4.the-holder-stores-and-ends-the-fence" fences fenced_4_the_holder_stores_and_ends_the_fence Must []
                "The holder stores once, and the fence is over.";
            "fenced.4.what-it-stores-lives-as-told" fences fenced_4_what_it_stores_lives_as_told Must []
                "What is stored under a fence, or with a revocation, ends when it was told to and no earlier.";
            "fenced.4.without-the-fence-nothing-is-stored" fences fenced_4_without_the_fence_nothing_is_stored Must []
                "Who does not hold the fence stores nothing.";
            "fenced.4.under-a-lapsed-fence-nothing-is-stored" fences fenced_4_under_a_lapsed_fence_nothing_is_stored Must []
                "Who held a fence that has lapsed stores nothing, whether another took it or not.";
            "fenced.5.set-and-revoke-ends-a-load" fences fenced_5_set_and_revoke_ends_a_load Must []
                "After set_and_revoke a load that began earlier stores nothing.";
            "fenced.5.delete-and-revoke-ends-a-load" fences fenced_5_delete_and_revoke_ends_a_load Must []
                "After delete_and_revoke a load that began earlier stores nothing.";
            "fenced.5.plain-writes-leave-fences-alone" fences fenced_5_plain_writes_leave_fences_alone Must []
                "A plain set or delete leaves the fence with its holder.";
            "fenced.5.a-load-and-a-write-do-not-both-win" fences fenced_5_a_load_and_a_write_do_not_both_win Must []
                "Where a load's store meets a set_and_revoke, the write stays.";
            "fenced.6.a-grant-tells-what-is-stored" fences fenced_6_a_grant_tells_what_is_stored Must []
                "A grant tells the live entry that is stored, with its remaining life, or that there is none.";
            "fenced.errors.too-large-is-refused" trouble fenced_errors_too_large_is_refused Must [E022]
                "A value over the limit is refused, and the fence stays.";
            "fenced.cancellation.a-dropped-acquire-is-freed-by-release" cancellation fenced_cancellation_a_dropped_acquire_is_freed_by_release Must []
                "A fence whose acquire was dropped is free after a release with its token.";
            "expiring.1.missing-is-none" lives expiring_1_missing_is_none Must []
                "What is not there has no remaining life.";
            "expiring.1.ended-is-none" lives expiring_1_ended_is_none Must []
                "What has ended has no remaining life.";
            "expiring.1.the-remaining-life-is-true" lives expiring_1_the_remaining_life_is_true Must []
                "The remaining life is told, true within the resolution.";
            "expiring.1.an-entry-without-an-end-has-none" lives expiring_1_an_entry_without_an_end_has_none Must []
                "An entry without an end is told to have none.";
            "expiring.2.renewing-replaces-the-life" lives expiring_2_renewing_replaces_the_life Must []
                "renew replaces the life, be it longer or shorter, or never.";
            "expiring.2.renewing-leaves-the-value" lives expiring_2_renewing_leaves_the_value Must []
                "renew leaves the value as it is.";
            "expiring.2.a-renewed-entry-ends-when-it-was-told" lives expiring_2_a_renewed_entry_ends_when_it_was_told Must []
                "A renewed entry ends when renew said, neither earlier nor later.";
            "expiring.2.renewing-what-is-missing-is-false" lives expiring_2_renewing_what_is_missing_is_false Must []
                "renew of what is not there is false, and makes nothing.";
            "clearable.1.cleared-entries-are-gone" clearing clearable_1_cleared_entries_are_gone Must []
                "After a clear none of 1,200 entries is left.";
            "clearable.1.a-set-after-a-clear-is-read" clearing clearable_1_a_set_after_a_clear_is_read Must []
                "What was cleared can be set again, and an empty namespace can be cleared.";
            "clearable.2.nothing-outside-is-touched" clearing clearable_2_nothing_outside_is_touched Must []
                "A clear touches neither namespaces with similar names nor other tenants.";
            "clearable.3.fences-are-revoked" clearing clearable_3_fences_are_revoked Must []
                "A load that began before a clear stores nothing after it.";
            "clearable.4.a-dropped-clear-leaves-whole-entries" cancellation clearable_4_a_dropped_clear_leaves_whole_entries May []
                "A clear that is dropped leaves each entry whole or gone, and the next one clears.";
            "watchable.1.sets-and-deletes-are-told" watching watchable_1_sets_and_deletes_are_told Must []
                "Every set and delete through another handle is told, single or in a batch.";
            "watchable.1.fenced-writes-are-told" watching watchable_1_fenced_writes_are_told Must []
                "What is written under fences, or revokes them, is told.";
            "watchable.1.clears-are-told" watching watchable_1_clears_are_told Must []
                "A clear through another handle is told.";
            "watchable.1.a-change-is-visible-when-it-is-told" watching watchable_1_a_change_is_visible_when_it_is_told Must []
                "Who looks after being told of a change sees it.";
            "watchable.1.every-watch-is-told" watching watchable_1_every_watch_is_told Must []
                "Several watches are each told all that they cover.";
            "watchable.2.blindness-is-told" watching watchable_2_blindness_is_told Must []
                "Of 5,000 changes that nobody takes each is told in the end, or that sight was lost.";
            "watchable.2.sight-comes-back" watching watchable_2_sight_comes_back Must []
                "After sight was lost it is regained, and changes are told again.";
            "watchable.2.an-outage-is-told" watching watchable_2_an_outage_is_told Must []
                "An outage of the store is told as sight that was lost, and its end as sight regained.";
            "watchable.3.changes-of-a-key-are-told-in-order" watching watchable_3_changes_of_a_key_are_told_in_order Must []
                "A set that follows a clear is told after it.";
            "watchable.next.a-dropped-next-loses-nothing" watching watchable_next_a_dropped_next_loses_nothing Must []
                "A change that comes while next is dropped and called again is told.";
            "watchable.next.closing-ends-a-watch" watching watchable_next_closing_ends_a_watch Must []
                "A watch ends when its backend is closed, and stays ended.";
            "counting.1.an-epoch-begins-at-zero" counting counting_1_an_epoch_begins_at_zero Must []
                "A prefix that was never advanced is at zero, whatever others are at.";
            "counting.2.an-epoch-only-grows" counting counting_2_an_epoch_only_grows Must []
                "Each advance tells a larger number, and every handle sees that or more.";
            "counting.2.many-advances-are-all-told-apart" counting counting_2_many_advances_are_all_told_apart Must []
                "Of 64 advances at once each tells a number of its own.";
            "counting.3.an-epoch-outlives-entries" counting counting_3_an_epoch_outlives_entries Must []
                "A number is kept when the entries under its prefix are gone, and however long that was ago.";
            "counting.3.an-epoch-outlives-eviction" counting counting_3_an_epoch_outlives_eviction Must []
                "A number is kept when the store evicts what it may.";
        }
    };
}
