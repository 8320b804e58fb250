//! What the environment says, and what a cache is made of it.
#![cfg(feature = "msgpack")]

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use cachekit::{Cache, CacheExt, Environment, ErrorCode, Result};

fn from_env(variables: &[(&str, &str)]) -> impl Future<Output = Result<Cache>> {
    let environment: Environment = variables.iter().copied().collect();
    IntoFuture::into_future(Cache::from_env().environment(environment))
}

async fn refused(variables: &[(&str, &str)], code: ErrorCode, message: &str) {
    let error = from_env(variables).await.expect_err("refused");
    assert_eq!((error.code(), error.message()), (code, message), "{variables:?}");
}

#[tokio::test]
async fn an_empty_environment_means_memory_alone() {
    let status = from_env(&[]).await.unwrap().status();
    assert_eq!(status.backend, None);
    assert_eq!(status.l1_capacity, 100 << 20);
}

#[tokio::test]
async fn sizes_are_read() {
    let cache = from_env(&[("CACHEKIT_L1_MAX_SIZE_MB", "7"), ("CACHEKIT_MAX_VALUE_SIZE", "64")]).await.unwrap();
    assert_eq!(cache.status().l1_capacity, 7 << 20);
    let texts = cache.namespace::<String>("texts").open().unwrap();
    texts.set(1, "x".repeat(50)).await.unwrap();
    assert_eq!(texts.set(1, "x".repeat(65)).await.unwrap_err().code(), ErrorCode::E022);
}

#[tokio::test]
async fn numbers_that_cannot_be_are_refused_by_name() {
    for value in ["", " ", "0", "-1", "many", "1.5", "0x10", "1048577", "99999999999999999999999"] {
        let message = format!("CACHEKIT_L1_MAX_SIZE_MB: expected a whole number from 1 to 1048576, got {value:?}");
        refused(&[("CACHEKIT_L1_MAX_SIZE_MB", value)], ErrorCode::E041, &message).await;
        if value != "1048577" {
            let error = from_env(&[("CACHEKIT_MAX_VALUE_SIZE", value)]).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::E041, "{value:?}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn bytes_that_are_no_text_are_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    for name in ["CACHEKIT_L1_MAX_SIZE_MB", "CACHEKIT_REDIS_URL", "CACHEKIT_MASTER_KEY", "CACHEKIT_API_KEY"] {
        let environment: Environment =
            [(OsString::from(name), OsString::from_vec(vec![0x66, 0xff]))].into_iter().collect();
        let error = Cache::from_env().environment(environment).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::E041, "{name}");
        assert!(error.message().starts_with(name), "{error}");
    }
}

#[tokio::test]
async fn blank_keys_and_urls_are_as_if_unset() {
    let blank =
        [("CACHEKIT_REDIS_URL", " "), ("REDIS_URL", ""), ("CACHEKIT_API_KEY", ""), ("CACHEKIT_MASTER_KEY", "  ")];
    assert_eq!(from_env(&blank).await.unwrap().status().backend, None);
}

#[tokio::test]
async fn two_selectors_are_one_too_many() {
    let both = [("CACHEKIT_API_KEY", "ck_live_secret"), ("CACHEKIT_REDIS_URL", "redis://:hunter2@localhost")];
    let message = "CACHEKIT_API_KEY and CACHEKIT_REDIS_URL: expected one of them to be set, got both";
    refused(&both, ErrorCode::E045, message).await;
}

#[tokio::test]
async fn a_backend_that_is_not_built_is_said_to_be_so() {
    let message = "CACHEKIT_API_KEY chooses the CachekitIO backend: it is not in this build";
    refused(&[("CACHEKIT_API_KEY", "ck_live_secret")], ErrorCode::E044, message).await;
}

#[tokio::test]
async fn a_master_key_without_intent_is_never_silent_plaintext() {
    let key = "ab".repeat(32);
    let error = from_env(&[("CACHEKIT_MASTER_KEY", &key)]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E004);
    let message = "CACHEKIT_MASTER_KEY is set: expected encryption or plaintext to be chosen, got neither";
    let rest = error.message().strip_prefix(message).unwrap();
    assert_eq!(rest.contains("the feature `crypto` of `cachekit`, which is off"), cfg!(not(feature = "crypto")));
    assert!(!format!("{error:?}").contains(&key));
    let environment = Environment::from_iter([("CACHEKIT_MASTER_KEY", &key)]);
    assert!(Cache::from_env().environment(environment).plaintext().await.is_ok());
}

#[tokio::test]
async fn whether_loads_fail_closed_is_a_word_for_yes_or_no() {
    let closed = async |value: &str| {
        let cache = from_env(&[("CACHEKIT_ENCRYPTION_FAIL_CLOSED", value)]).await?;
        Ok::<_, cachekit::Error>(format!("{:?}", cache.namespace::<String>("texts").open()?))
    };
    for yes in ["1", "true", "yes", "on", "t", "y", "TRUE", " Yes "] {
        assert!(closed(yes).await.unwrap().contains("encryption_fail_closed: true"), "{yes}");
    }
    for no in ["0", "false", "no", "off", "f", "n", "Off"] {
        assert!(closed(no).await.unwrap().contains("encryption_fail_closed: false"), "{no}");
    }
    for neither in ["", " ", "2", "tru", "closed"] {
        let message = format!(
            "CACHEKIT_ENCRYPTION_FAIL_CLOSED: expected one of 1 0 true false yes no on off t f y n, got {neither:?}"
        );
        refused(&[("CACHEKIT_ENCRYPTION_FAIL_CLOSED", neither)], ErrorCode::E041, &message).await;
    }
}

#[cfg(feature = "crypto")]
#[expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
mod crypto {
    use cachekit::FromEnv;
    use cachekit_core::{Backend, Key, MemoryBackend};

    use super::*;

    fn with(variables: &[(&str, &str)]) -> FromEnv {
        Cache::from_env().environment(variables.iter().copied().collect())
    }

    #[tokio::test]
    async fn encryption_without_a_key_is_refused_before_any_io() {
        for variables in [&[][..], &[("CACHEKIT_MASTER_KEY", " ")], &[("CACHEKIT_REDIS_URL", "redis://localhost:1")]] {
            for from_env in [with(variables).encrypted(), with(variables).encrypted_where_asked()] {
                assert_eq!(from_env.await.unwrap_err().code(), ErrorCode::E001, "{variables:?}");
            }
        }
        let cache = with(&[]).await.unwrap();
        assert_eq!(cache.namespace::<String>("texts").secure().open().unwrap_err().code(), ErrorCode::E001);
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused_and_not_shown() {
        let good = "5a".repeat(32);
        let bad = "hunter2".repeat(10);
        for variables in [
            &[("CACHEKIT_MASTER_KEY", &bad[..])][..],
            &[("CACHEKIT_MASTER_KEY", &good[..62])],
            &[("CACHEKIT_MASTER_KEY", &good), ("CACHEKIT_PREVIOUS_MASTER_KEYS", &bad)],
            &[("CACHEKIT_MASTER_KEY", &good), ("CACHEKIT_PREVIOUS_MASTER_KEYS", &good)],
        ] {
            let error = with(variables).encrypted().await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::E002);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("5a5a"), "{shown}");
        }
    }

    /// Whether the namespaces that say nothing, and that say `secure`, are encrypted.
    async fn encrypted(from_env: FromEnv) -> [bool; 2] {
        let cache = from_env.await.unwrap();
        [cache.namespace::<String>("unsaid"), cache.namespace::<String>("secure").secure()]
            .map(|builder| format!("{:?}", builder.open().unwrap()).contains("Encryption"))
    }

    #[tokio::test]
    async fn what_is_asked_for_is_encrypted() {
        let key = [("CACHEKIT_MASTER_KEY", &*"5a".repeat(32))];
        assert_eq!(encrypted(with(&key).encrypted()).await, [true, true]);
        assert_eq!(encrypted(with(&key).encrypted_where_asked()).await, [false, true]);
        let cache = with(&key).plaintext().await.unwrap();
        assert_eq!(cache.namespace::<String>("texts").secure().open().unwrap_err().code(), ErrorCode::E001);
        let shown = format!("{:?} {cache:?}", with(&key).encrypted());
        assert!(!shown.contains("5a5a"), "{shown}");
    }

    #[tokio::test]
    async fn earlier_keys_of_the_environment_go_on_opening() {
        use cachekit::crypto::{EnvironmentKeys, Keys};
        let store = MemoryBackend::new();
        let open = async |current: &str, previous: &str| {
            let variables = [("CACHEKIT_MASTER_KEY", current), ("CACHEKIT_PREVIOUS_MASTER_KEYS", previous)];
            let environment: Environment = variables.into_iter().collect();
            let keys = EnvironmentKeys::new(move |name| environment.get(name).map(std::ffi::OsStr::to_os_string));
            let keys = Keys::new(keys).await.unwrap();
            let cache = Cache::builder().backend(store.clone()).encrypt(keys.encryption()).build().unwrap();
            (keys, cache.namespace::<String>("texts").open().unwrap())
        };
        let [old, new] = ["11".repeat(32), "22".repeat(32)];
        let (_, before) = open(&old, "").await;
        before.set(1, "Ada".to_owned()).await.unwrap();
        let stored = store.get(&Key::new("texts:1").unwrap()).await.unwrap().unwrap().value;
        assert!(!stored.windows(3).any(|part| part == b"Ada"));
        let (keys, rotated) = open(&new, &old).await;
        assert_eq!(rotated.get(1).await.unwrap().unwrap().as_str(), "Ada");
        assert_eq!(keys.uses()[1].opened, 1);
        let (_, forgetful) = open(&new, "").await;
        assert_eq!(forgetful.get(1).await.unwrap(), None);
    }
}

#[tokio::test]
async fn the_wrong_prefix_is_an_error_where_it_would_be_fatal() {
    for right in ["CACHEKIT_REDIS_URL", "CACHEKIT_MASTER_KEY", "CACHEKIT_API_KEY", "CACHEKIT_API_URL"] {
        let wrong = right.replace("CACHEKIT_", "CACHE_");
        let message = format!("{wrong}: expected the name {right}, got the prefix CACHE_");
        refused(&[(&wrong, "secret")], ErrorCode::E041, &message).await;
    }
}

#[tokio::test]
async fn the_wrong_prefix_beside_the_right_one_is_somebody_elses() {
    let both = [("CACHE_API_URL", "https://elsewhere"), ("CACHEKIT_API_URL", "https://api.cachekit.io")];
    assert!(from_env(&both).await.is_ok());
}

#[tokio::test]
async fn names_that_nobody_reads_are_a_warning_with_the_nearest_right_one() {
    let warned = Warnings::default();
    let variables = [("CACHEKIT_REDIS_ULR", "x"), ("CACHE_SOCKET_TIMEOUT", "1"), ("CACHE_DIR", "/tmp"), ("HOME", "/")];
    let _quiet = tracing::subscriber::set_default(warned.clone());
    from_env(&variables).await.unwrap();
    let warned = warned.0.lock().unwrap().clone();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[1].contains("CACHE_SOCKET_TIMEOUT") && warned[1].contains("CACHEKIT_SOCKET_TIMEOUT"), "{warned:?}");
    assert!(warned[0].contains("CACHEKIT_REDIS_ULR") && warned[0].contains("CACHEKIT_REDIS_URL"), "{warned:?}");
}

#[test]
fn values_are_not_shown() {
    let environment = Environment::from_iter([("CACHEKIT_MASTER_KEY", "hunter2")]);
    let shown = format!("{environment:?} {:?}", Cache::from_env().environment(environment.clone()));
    assert!(shown.contains("CACHEKIT_MASTER_KEY") && !shown.contains("hunter2"), "{shown}");
}

#[cfg(feature = "redis")]
mod redis {
    use super::*;

    #[tokio::test]
    async fn a_url_chooses_redis_and_ours_comes_first() {
        for variables in [
            &[("CACHEKIT_REDIS_URL", "redis://localhost:1")][..],
            &[("REDIS_URL", "redis://localhost:1")],
            &[("CACHEKIT_REDIS_URL", "redis://localhost:1"), ("REDIS_URL", "http://not-ours")],
        ] {
            let cache = from_env(variables).await.expect("no I/O is done yet");
            assert_eq!(cache.status().backend.as_deref(), Some("redis"), "{variables:?}");
        }
    }

    #[tokio::test]
    async fn what_a_url_cannot_be_is_told_without_its_secrets() {
        for url in [
            "http://localhost",
            "redis://:hunter2@localhost:0",
            "redis://:hunter2@localhost/x",
            "redis://:hunter2%zz@h",
        ] {
            let error = from_env(&[("CACHEKIT_REDIS_URL", url)]).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::E041, "{url}");
            assert!(error.message().contains("CACHEKIT_REDIS_URL"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn redis_settings_are_read() {
        for (name, value) in [("CACHEKIT_SOCKET_TIMEOUT", "0"), ("CACHEKIT_CONNECTION_POOL_SIZE", "many")] {
            let error = from_env(&[("CACHEKIT_REDIS_URL", "redis://localhost"), (name, value)]).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::E041);
            assert!(error.message().starts_with(name), "{error}");
        }
    }
}

#[cfg(not(feature = "redis"))]
#[tokio::test]
async fn redis_without_its_feature_is_said_to_be_so() {
    let message = "CACHEKIT_REDIS_URL chooses Redis: the feature `redis` of `cachekit` is off in this build";
    refused(&[("CACHEKIT_REDIS_URL", "redis://localhost")], ErrorCode::E044, message).await;
    assert!(from_env(&[("REDIS_URL", "redis://localhost")]).await.is_ok(), "it may be meant for somebody else");
}

/// Takes down warnings, each as one text.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{field}={value:?} "));
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().expect("no subscriber panicked").push(text.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn who_is_patient_with_redis_is_not_cut_short() {
    for (timeout, shown) in [(None, "timeout: None"), (Some("2"), "timeout: Some(5s)")] {
        let mut variables = vec![("CACHEKIT_REDIS_URL", "redis://localhost")];
        variables.extend(timeout.map(|seconds| ("CACHEKIT_SOCKET_TIMEOUT", seconds)));
        let cache = Cache::from_env().environment(Environment::from_iter(variables)).await.unwrap();
        assert!(cache.status().resilience.unwrap().starts_with("deadline(1s) > "));
        let namespace = cache.namespace::<String>("patient").open().unwrap();
        assert!(format!("{namespace:?}").contains(shown), "{namespace:?}");
    }
}
