//! The rules for a key provider: id, function, level, codes, and the sentence that is asked.

use cachekit_core::ErrorCode;

use super::{KeyProviderFixture, Outcome};
use crate::conformance::part::PartRule;
use crate::conformance::registry::Level;

#[doc(hidden)]
#[macro_export]
macro_rules! __key_provider_rules {
    ([$($then:tt)*] $with:tt) => {
        $($then)*! { $with
            "key-provider.1.the-ring-is-whole" key_provider_1_the_ring_is_whole Must []
                "Earlier keys differ from each other and from the current one.";
            "key-provider.1.many-at-once-agree" key_provider_1_many_at_once_agree Must []
                "Of 64 who ask at once, while nothing rotates, all are told the same keys.";
            "key-provider.1.an-answer-is-of-one-moment" key_provider_1_an_answer_is_of_one_moment Must []
                "Who asks while keys rotate is told the keys of before or of after, not of both.";
            "key-provider.2.rotation-gives-another-key" key_provider_2_rotation_gives_another_key Must []
                "After a rotation another key is the current one.";
            "key-provider.2.the-former-key-stays" key_provider_2_the_former_key_stays Must []
                "After a rotation the former key is the latest of the earlier ones, and the others follow.";
            "key-provider.3.answers-again-and-again" key_provider_3_answers_again_and_again Must []
                "A provider answers as often as it is asked, each time within its time.";
            "key-provider.4.debug-hides-keys" key_provider_4_debug_hides_keys Must []
                "The provider's Debug shows neither keys nor secrets, before and after they were asked for.";
            "key-provider.4.errors-hide-keys" key_provider_4_errors_hide_keys Must []
                "No error shows a secret, not even a malformed one.";
            "key-provider.errors.no-key" key_provider_errors_no_key Must [E001]
                "Without a key it fails.";
            "key-provider.errors.a-malformed-key" key_provider_errors_a_malformed_key Must [E002]
                "With a malformed key it fails, without a panic.";
            "key-provider.errors.a-failing-service" key_provider_errors_a_failing_service Must [E060 E061 E062 E063 E064 E065 E066]
                "When its service fails it says so with a code of the services.";
            "key-provider.cancellation.a-dropped-call-leaves-no-trace" key_provider_cancellation_a_dropped_call_leaves_no_trace Must []
                "After calls that were dropped midway the keys are told as before.";
        }
    };
}

macro_rules! registry {
    ([] $($id:literal $name:ident $level:ident [$($code:ident)*] $sentence:literal;)*) => {
        pub(super) const RULES: &[PartRule] =
            &[$(PartRule::new($id, Level::$level, &[$(ErrorCode::$code),*], $sentence, stringify!($name))),*];

        pub(super) async fn run(id: &str, fixture: &KeyProviderFixture) -> Outcome {
            match id {
                $($id => super::rules::$name(fixture).await,)*
                _ => unreachable!("rules are run from the table"),
            }
        }
    };
}

crate::__key_provider_rules! { [registry] [] }
