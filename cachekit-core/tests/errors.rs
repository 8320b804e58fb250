//! The catalogue against what was published, its reference page, and what an [`Error`] shows.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use cachekit_core::{BackendFault, Error, ErrorClass, ErrorCode, ErrorKind, Key, Operation};

mod the_catalogue {
    use super::*;

    /// Code, class, retried, trips the breaker: typed from the published table, not from the catalogue.
    const PUBLISHED: &[(&str, &str, bool, bool)] = &[
        ("E001", "ConfigurationError", false, false),
        ("E002", "ConfigurationError", false, false),
        ("E003", "DecryptionError", false, false),
        ("E010", "ConnectionError", true, true),
        ("E011", "TimeoutError", true, true),
        ("E012", "ConnectionPoolError", true, false),
        ("E020", "SerializationError", false, false),
        ("E021", "DeserializationError", false, false),
        ("E030", "CircuitBreakerError", false, false),
        ("E040", "ConfigurationError", false, false),
        ("E041", "ConfigurationError", false, false),
        ("E050", "LockError", false, false),
        ("E060", "BackendError/AUTHENTICATION", false, false),
        ("E061", "BackendError/TRANSIENT", true, true),
        ("E062", "BackendError/TRANSIENT", true, true),
        ("E063", "BackendError/PERMANENT", false, false),
        ("E064", "BackendError/TIMEOUT", true, true),
        ("E065", "BackendError/TRANSIENT", true, true),
    ];

    const ADDITIONS: &[(&str, &str, bool, bool)] = &[
        ("E004", "ConfigurationError/PERMANENT", false, false),
        ("E005", "DecryptionError/PERMANENT", false, false),
        ("E006", "EncryptionError/PERMANENT", false, false),
        ("E007", "ConfigurationError/PERMANENT", false, false),
        ("E008", "EncryptionError/PERMANENT", false, false),
        ("E013", "ConnectionError/AUTHENTICATION", false, false),
        ("E014", "ConnectionError/TRANSIENT", true, true),
        ("E015", "ConnectionError/PERMANENT", false, false),
        ("E022", "SerializationError/PERMANENT", false, false),
        ("E031", "OverloadError/TRANSIENT", false, false),
        ("E032", "OverloadError/TRANSIENT", false, false),
        ("E033", "TimeoutError/TIMEOUT", false, false),
        ("E034", "LoadError/TIMEOUT", false, false),
        ("E035", "LoadError/UNKNOWN", false, false),
        ("E036", "ClosedError/PERMANENT", false, false),
        ("E042", "ConfigurationError/PERMANENT", false, false),
        ("E043", "ConfigurationError/PERMANENT", false, false),
        ("E044", "ConfigurationError/PERMANENT", false, false),
        ("E045", "ConfigurationError/PERMANENT", false, false),
        ("E046", "ConfigurationError/PERMANENT", false, false),
        ("E047", "ConfigurationError/PERMANENT", false, false),
        ("E051", "LockError/TRANSIENT", false, false),
        ("E066", "BackendError/UNKNOWN", false, false),
    ];

    #[test]
    fn says_what_was_published_and_marks_what_was_added() {
        let mut expected: Vec<_> = PUBLISHED.iter().map(|row| (*row, false)).collect();
        expected.extend(ADDITIONS.iter().map(|row| (*row, true)));
        expected.sort_unstable();
        assert_eq!(ErrorCode::ALL.len(), expected.len());

        for (&code, ((name, class, retried, trips), added)) in ErrorCode::ALL.iter().zip(expected) {
            // The published table gives a kind to codes of the class BackendError only.
            let with_kind = format!("{}/{}", code.class(), code.kind());
            let shown = if class.contains('/') { with_kind } else { code.class().to_string() };
            assert_eq!(
                (code.as_str(), &*shown, code.is_retryable(), code.trips_breaker(), code.is_addition()),
                (name, class, retried, trips, added)
            );
        }
    }

    #[test]
    fn every_code_reads_back_in_either_case() {
        for &code in ErrorCode::ALL {
            assert_eq!(code.to_string().parse::<ErrorCode>().unwrap(), code);
            assert_eq!(code.as_str().to_lowercase().parse::<ErrorCode>().unwrap(), code);
        }
        for foreign in ["", "E", "E000", "E0010", "E009", " E010", "010", "E999\n"] {
            let error = foreign.parse::<ErrorCode>().unwrap_err();
            assert_eq!(error.code(), ErrorCode::E044, "{foreign:?}");
            assert!(error.to_string().ends_with(&format!("got {foreign:?}")), "{error}");
        }
    }

    #[test]
    fn every_text_is_there_is_whole_and_says_its_own_thing() {
        let mut seen = BTreeMap::new();
        for &code in ErrorCode::ALL {
            let explanation = code.explain();
            assert_eq!(explanation.code, code);
            assert!(!explanation.causes.is_empty() && !explanation.fixes.is_empty(), "{code}");
            let own = [code.title(), explanation.meaning, explanation.avoid];
            let own = own.iter().chain(explanation.causes).chain(explanation.fixes);
            for text in own.clone() {
                let before = seen.insert(*text, code);
                assert_eq!(before, None, "{code} repeats {text:?}");
            }
            for text in own.chain([&explanation.meanwhile]) {
                assert!(text.len() > 15 && text.ends_with(['.', ')']), "{code}: {text:?}");
                assert!(!text.contains(['\n', '\r', '\t']) && !text.contains("  "), "{code}: {text:?}");
                assert_eq!(text.matches('`').count() % 2, 0, "{code} leaves a backtick open: {text:?}");
            }
        }
    }

    /// Names that nobody reads would send people the wrong way.
    #[test]
    fn names_only_variables_that_exist() {
        let exist = BTreeSet::from([
            "CACHEKIT_", // the bare prefix, in sentences about it
            "CACHEKIT_API_KEY",
            "CACHEKIT_API_URL",
            "CACHEKIT_CONNECTION_POOL_SIZE",
            "CACHEKIT_ENCRYPTION_FAIL_CLOSED",
            "CACHEKIT_MASTER_KEY",
            "CACHEKIT_MAX_VALUE_SIZE",
            "CACHEKIT_PREVIOUS_MASTER_KEYS",
            "CACHEKIT_REDIS_URL",
            "CACHEKIT_SOCKET_CONNECT_TIMEOUT",
            "CACHEKIT_SOCKET_TIMEOUT",
            "CACHEKIT_TIMEOUT",
        ]);
        let page = ErrorCode::reference();
        let named: BTreeSet<_> = page
            .split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
            .filter(|word| word.starts_with("CACHEKIT_"))
            .collect();
        assert_eq!(named, exist);
    }

    #[test]
    fn the_open_breaker_names_the_codes_that_open_it() {
        let opening = ErrorCode::E030.explain().causes[0];
        let named: Vec<_> = opening
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter_map(|word| word.parse::<ErrorCode>().ok())
            .collect();
        let tripping: Vec<_> = ErrorCode::ALL.iter().copied().filter(|code| code.trips_breaker()).collect();
        assert_eq!(named, tripping);
    }

    #[test]
    fn a_fault_of_a_backend_has_its_code() {
        let codes = [
            (BackendFault::Authentication, ErrorCode::E060),
            (BackendFault::Throttled, ErrorCode::E061),
            (BackendFault::Server, ErrorCode::E062),
            (BackendFault::Permanent, ErrorCode::E063),
            (BackendFault::Timeout, ErrorCode::E064),
            (BackendFault::Unreachable, ErrorCode::E065),
            (BackendFault::Unknown, ErrorCode::E066),
        ];
        for (fault, code) in codes {
            let error = Error::backend("redb", fault, "it did not work");
            assert_eq!((error.code(), error.backend_name(), fault.code()), (code, Some("redb"), code));
        }
    }
}

mod the_texts {
    use super::*;

    #[test]
    fn explain_reads_well_on_a_terminal() {
        let expected = "\
E051 LockError (TRANSIENT, an addition of the Rust implementation)
The distributed lock was lost before the work was done.

The lease ended while the value was being computed, or a later write or delete of the same key
revoked it. The value may be older than what is stored by now, so the store refused it.

How it comes about:
  - The entry was set, deleted or cleared while it was being computed. That is the lock at work.
  - The process was paused for longer than its lease: no processor time, a suspended machine.
  - Redis was not reachable when the lease was to be renewed, or a failover lost the lock.

How to fix it:
  1. If it comes with writes to the same key, do nothing: the newer write won.
  2. Otherwise look for pauses: processor time taken away from the container
     (`cat /sys/fs/cgroup/cpu.stat`), and blocking code on async threads.

How to avoid it:
  Keep async threads free of blocking work, so that leases are renewed in time.

Meanwhile:
  The caller gets its value. It is not stored, and what is stored stays.

Retried: no. Counted by the circuit breaker: no.";
        assert_eq!(ErrorCode::E051.explain().to_string(), expected);
    }

    #[test]
    fn a_command_is_never_broken() {
        for &code in ErrorCode::ALL {
            for line in code.explain().to_string().lines() {
                assert_eq!(line.matches('`').count() % 2, 0, "{code}: {line:?}");
                assert_eq!(line, line.trim_end(), "{code}");

                let content = line.trim_start_matches([' ', '-', '.', '1', '2', '3', '4', '5', '6']);
                let outside_commands: String = content.split('`').step_by(2).collect();
                let can_be_broken = outside_commands.contains(' ');
                assert!(line.chars().count() <= 100 || !can_be_broken, "{code}: {line:?}");
            }
        }
    }

    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
        let page = ErrorCode::reference();
        #[expect(clippy::disallowed_methods, reason = "whether to write is asked of whoever runs the test")]
        let update = std::env::var_os("UPDATE_DOCS").is_some();
        if update {
            std::fs::write(&path, &page).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        let same = stored.lines().zip(page.lines()).take_while(|(stored, made)| stored == made).count();
        assert!(
            stored == page,
            "docs/errors.md differs from the catalogue at line {}; run \
             `UPDATE_DOCS=1 cargo test -p cachekit-core --test errors`",
            same + 1,
        );
    }

    #[test]
    fn the_reference_page_has_a_row_and_an_anchor_for_each_code() {
        let page = ErrorCode::reference();
        for &code in ErrorCode::ALL {
            let link = format!("| [{code}](#{})", code.as_str().to_lowercase());
            assert_eq!(page.lines().filter(|line| line.starts_with(&link)).count(), 1, "{code}");
            assert_eq!(page.lines().filter(|line| *line == format!("## {code}")).count(), 1, "{code}");
        }
        for row in page.lines().filter(|line| line.starts_with("| [")) {
            assert_eq!(row.matches('|').count(), 7, "{row}");
        }
    }
}

mod an_error {
    use super::*;

    #[test]
    fn is_one_pointer_that_threads_can_share() {
        fn promises<T: Send + Sync + Clone + StdError + 'static>() {}
        promises::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    fn full() -> Error {
        Error::backend("cachekitio", BackendFault::Throttled, "HTTP 429 after 31 ms")
            .with_operation(Operation::GetMany)
            .with_key(&Key::new("t:alice-example.com:sessions:token-5f3a").expect("a valid key"))
            .with_retry_after(Duration::from_millis(1_500))
            .with_source(Cause("the connection said so", Some(Box::new(Cause("at the very bottom", None)))))
    }

    #[test]
    fn shows_all_that_it_carries_on_one_line_and_leaves_the_causes_to_the_chain() {
        let error = full();
        assert_eq!(
            error.to_string(),
            "E061 BackendError: HTTP 429 after 31 ms (backend cachekitio, operation get_many, \
             key t:*:sessions:#84e59ca070577949, retry after 1.5s)"
        );
        let chain = std::iter::successors(error.source(), |&cause| cause.source());
        assert_eq!(
            chain.map(ToString::to_string).collect::<Vec<_>>(),
            ["the connection said so", "at the very bottom"]
        );
        assert_eq!(
            (error.class(), error.kind(), error.is_retryable(), error.trips_breaker(), error.retry_after()),
            (ErrorClass::Backend, ErrorKind::Transient, true, true, Some(Duration::from_millis(1_500)))
        );
        assert_eq!(
            (error.message(), error.operation(), error.backend_name()),
            ("HTTP 429 after 31 ms", Some(Operation::GetMany), Some("cachekitio"))
        );
        assert_eq!(Error::new(ErrorCode::E036, "get").to_string(), "E036 ClosedError: get");
    }

    #[test]
    fn debug_shows_causes_by_what_they_display() {
        assert_eq!(
            format!("{:?}", full().not_retryable()),
            "Error { code: E061, message: \"HTTP 429 after 31 ms\", backend: \"cachekitio\", operation: GetMany, \
             key: \"t:*:sessions:#84e59ca070577949\", retry_after: 1.5s, not_retryable: true, \
             causes: [\"the connection said so\", \"at the very bottom\"] }"
        );
    }

    #[test]
    fn shares_its_content_with_its_clones_until_one_is_changed() {
        let error = full();
        let clone = error.clone();
        assert!(std::ptr::eq(error.message(), clone.message()));

        let changed = clone.not_retryable().with_operation(Operation::Set);
        assert!(!changed.is_retryable() && error.is_retryable());
        assert_eq!(error.operation(), Some(Operation::GetMany));
        assert!(changed.source().is_some());
    }

    #[test]
    fn is_retryable_as_its_code_says_unless_it_says_otherwise() {
        for &code in ErrorCode::ALL {
            assert_eq!(Error::new(code, "as it is").is_retryable(), code.is_retryable());
            assert!(!Error::new(code, "for once").not_retryable().is_retryable());
        }
    }

    #[test]
    fn what_was_not_sent_may_be_stored_again() {
        let refused_here = [ErrorCode::E012, ErrorCode::E030, ErrorCode::E031, ErrorCode::E032];
        for &code in ErrorCode::ALL {
            let error = Error::new(code, "for once");
            assert_eq!(error.is_unsent(), refused_here.contains(&code), "{code}");
            assert!(error.unsent().is_unsent(), "{code}");
        }
        assert!(Operation::Acquire.is_repeatable() && Operation::Delete.is_repeatable());
        assert!(!Operation::Set.is_repeatable() && !Operation::SetMany.is_repeatable());
    }

    #[test]
    fn stays_one_plain_line_whatever_a_server_says() {
        let hostile = "two\r\nlines\0\u{1b}[31m\tred\u{85}\u{2028}\u{202e}desrever\u{2069}\u{7f} é ✓ \"quoted\" \\";
        let error = Error::new(ErrorCode::E066, hostile).with_backend("bad\nname");
        assert_eq!(
            error.to_string(),
            "E066 BackendError: two\\r\\nlines\\u{0}\\u{1b}[31m\\tred\\u{85}\\u{2028}\\u{202e}desrever\\u{2069}\\u{7f} \
             é ✓ \"quoted\" \\ (backend bad\\nname)"
        );
        for text in [error.to_string(), format!("{error:?}"), error.message().to_owned()] {
            assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }

    #[test]
    fn keeps_a_bounded_part_of_a_long_message() {
        let fits = "x".repeat(Error::MAX_MESSAGE);
        assert_eq!(Error::new(ErrorCode::E062, fits.clone()).message(), fits);

        let error = Error::new(ErrorCode::E062, "é".repeat(1 << 20));
        assert_eq!(error.message(), format!("{}.. (2096128 bytes more)", "é".repeat(512)));
    }

    #[test]
    fn of_an_impossible_value_names_it_with_what_was_expected_and_what_came() {
        let got = format_args!("{:?}", "a\nb");
        let error = Error::invalid(ErrorCode::E041, "CACHEKIT_TIMEOUT", "seconds above zero", got);
        assert_eq!(error.code(), ErrorCode::E041);
        assert_eq!(error.message(), r#"CACHEKIT_TIMEOUT: expected seconds above zero, got "a\nb""#);
    }

    /// A driver's error whose `Debug` tells more than its `Display`.
    struct Cause(&'static str, Option<Box<Cause>>);

    impl fmt::Debug for Cause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("redis://user:password@host")
        }
    }

    impl fmt::Display for Cause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Cause {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }
}

mod a_key {
    use super::*;

    #[test]
    fn is_shown_by_its_namespace_and_a_digest() {
        let cases = [
            ("users:alice", "users:#"),
            ("users:bob", "users:#"),
            ("users:", "users:#"),
            ("users:alice:2024", "users:#"),
            ("t:alice:users:42", "t:*:users:#"),
            ("t:alice:users:", "t:*:users:#"),
            // Not of the shape that namespaces make: nothing says that a part is harmless.
            ("alice", "#"),
            ("t:alice", "#"),
            ("t:alice:bob", "#"),
            (":alice", ":#"),
        ];
        let mut digests = BTreeSet::new();
        for (key, start) in cases {
            let key = Key::new(key).unwrap();
            let shown = key.redacted();
            let digest = shown.strip_prefix(start).unwrap_or_else(|| panic!("{shown} does not start with {start}"));
            assert!(digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{shown}");
            assert!(digests.insert(digest.to_owned()), "{shown} is another key's too");
            assert_eq!(format!("{key:?}"), format!("Key({shown})"));
        }
    }

    /// Two log lines can be matched whatever process and version wrote them.
    #[test]
    fn has_the_same_digest_everywhere() {
        assert_eq!(Key::new("foobar").unwrap().redacted(), "#85944171f73967e8");
    }
}
