//! The rules for a serializer: id, function, level, codes, and the sentence that is asked.

use std::fmt::Debug;

use cachekit_core::{ErrorCode, Serializer};

use super::{Outcome, SerializerFixture};
use crate::conformance::part::PartRule;
use crate::conformance::registry::Level;

#[doc(hidden)]
#[macro_export]
macro_rules! __serializer_rules {
    ([$($then:tt)*] $with:tt) => {
        $($then)*! { $with
            "serializer.1.what-is-written-is-read" serializer_1_what_is_written_is_read Must []
                "Every sample comes back equal to what was written.";
            "serializer.2.what-cannot-be-held-is-refused" serializer_2_what_cannot_be_held_is_refused Must [E020]
                "A value that the format cannot hold is refused when it is written.";
            "serializer.2.a-refusal-names-the-field" serializer_2_a_refusal_names_the_field Must [E020]
                "A refusal names the path of the field, where the fixture knows it.";
            "serializer.3.bytes-that-follow-are-refused" serializer_3_bytes_that_follow_are_refused Must [E021]
                "A document with bytes behind it is refused.";
            "serializer.4.cut-documents-are-survived" serializer_4_cut_documents_are_survived Must [E021]
                "A document that was cut, at any place, is refused or some value.";
            "serializer.4.flipped-bits-are-survived" serializer_4_flipped_bits_are_survived Must [E021]
                "A document with any one bit flipped is refused or some value.";
            "serializer.4.foreign-bytes-are-survived" serializer_4_foreign_bytes_are_survived Must [E021]
                "Documents of other formats and known hostile bytes are refused or some value.";
            "serializer.4.random-bytes-are-survived" serializer_4_random_bytes_are_survived Must [E021]
                "Bytes that look like nothing are refused or some value.";
            "serializer.4.lengths-that-lie-are-survived" serializer_4_lengths_that_lie_are_survived Must [E021]
                "Documents that announce more than they hold are refused or some value.";
            "serializer.4.depth-is-bounded" serializer_4_depth_is_bounded Must [E021]
                "Nested documents that have no end are survived, and those of the format refused.";
            "serializer.4.allocation-is-bounded" serializer_4_allocation_is_bounded Must []
                "What is allocated is a small multiple of the input.";
            "serializer.5.the-same-bytes-each-time" serializer_5_the_same_bytes_each_time Must []
                "One value gives the same bytes each time.";
            "serializer.5.failures-leave-no-trace" serializer_5_failures_leave_no_trace Must []
                "After hostile bytes everything is written and read as before.";
            "serializer.5.many-at-once" serializer_5_many_at_once Must []
                "Threads that write and read at once do not disturb each other.";
            "serializer.errors.no-value-shows" serializer_errors_no_value_shows Must [E021]
                "No error shows what stands in the value.";
            "serializer.format.stays-the-same" serializer_format_stays_the_same Must []
                "The format is the same before and after every use.";
            "serializer.format.is-named" serializer_format_is_named Must []
                "The format has a number above zero and a short name.";
            "serializer.serialize.only-appends" serializer_serialize_only_appends Must []
                "What stood in the buffer stays, and the document follows it unchanged.";
            "serializer.serialize.a-refusal-leaves-what-was-there" serializer_serialize_a_refusal_leaves_what_was_there Must [E020]
                "A refused value leaves what stood in the buffer.";
        }
    };
}

macro_rules! registry {
    ([] $($id:literal $name:ident $level:ident [$($code:ident)*] $sentence:literal;)*) => {
        pub(super) const RULES: &[PartRule] =
            &[$(PartRule::new($id, Level::$level, &[$(ErrorCode::$code),*], $sentence, stringify!($name))),*];

        pub(super) fn run<S, T>(id: &str, fixture: &SerializerFixture<S, T>) -> Outcome
        where
            S: Serializer<T>,
            T: Debug + PartialEq + Send + Sync + 'static,
        {
            match id {
                $($id => super::rules::$name(fixture),)*
                _ => unreachable!("rules are run from the table"),
            }
        }
    };
}

crate::__serializer_rules! { [registry] [] }
