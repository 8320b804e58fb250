//! The rules for a policy: id, function, level, codes, and the sentence that is asked.

use cachekit_core::ErrorCode;

use super::{Outcome, PolicyFixture};
use crate::conformance::part::PartRule;
use crate::conformance::registry::Level;

#[doc(hidden)]
#[macro_export]
macro_rules! __policy_rules {
    ([$($then:tt)*] $with:tt) => {
        $($then)*! { $with
            "policy.1.what-was-finished-is-free-again" policy_1_what_was_finished_is_free_again Must []
                "After many calls have all been finished, each once, and time has passed, as many go out together as at first.";
            "policy.2.a-stale-finish-changes-nothing" policy_2_a_stale_finish_changes_nothing Must []
                "A finish of an older generation gives back what was held and decides nothing, whatever it tells.";
            "policy.3.abandoned-counts-neither-way" policy_3_abandoned_counts_neither_way Must []
                "After many abandoned calls a policy decides as if they had not been made.";
            "policy.4.tickets-differ" policy_4_tickets_differ Must []
                "Each who has to queue is given a ticket of its own, and keeps it when it asks again.";
            "policy.4.tickets-are-served-in-order" policy_4_tickets_are_served_in_order Must []
                "When a place is free, the earliest ticket goes and no later one, whoever asks first.";
            "policy.4.a-ticket-given-up-makes-way" policy_4_a_ticket_given_up_makes_way Must []
                "When the first in the queue gives up, the next is the first.";
            "policy.5.no-call-panics" policy_5_no_call_panics Must []
                "No order of calls and no extreme of time, chance or attempts makes it panic.";
            "policy.5.time-may-stand-still" policy_5_time_may_stand_still Must []
                "While time stands still every call is decided, and no decision needs an earlier time.";
            "policy.5.threads-lose-nothing" policy_5_threads_lose_nothing Must []
                "After threads have admitted and finished at once, as many go out together as at first.";
            "policy.6.display-is-one-line-that-stays" policy_6_display_is_one_line_that_stays Must []
                "Display is one line, and the same before and after calls.";
            "policy.6.display-shows-the-settings" policy_6_display_shows_the_settings Must []
                "Display shows the name and the settings that the fixture knows.";
            "policy.7.a-time-limit-is-ahead" policy_7_a_time_limit_is_ahead Must []
                "An admission that bounds time ends later than it was given, with the code of something that took too long.";
            "policy.errors.refusals-have-their-codes" policy_errors_refusals_have_their_codes Must [E030 E031 E032 E033]
                "A refusal has a code of those for refusals.";
        }
    };
}

macro_rules! registry {
    ([] $($id:literal $name:ident $level:ident [$($code:ident)*] $sentence:literal;)*) => {
        pub(super) const RULES: &[PartRule] =
            &[$(PartRule::new($id, Level::$level, &[$(ErrorCode::$code),*], $sentence, stringify!($name))),*];

        pub(super) fn run(id: &str, fixture: &PolicyFixture) -> Outcome {
            match id {
                $($id => super::rules::$name(fixture),)*
                _ => unreachable!("rules are run from the table"),
            }
        }
    };
}

crate::__policy_rules! { [registry] [] }
