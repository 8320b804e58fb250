//! `#[cache]`: what is cached, under which key, and what becomes of errors and panics.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit::{Cache, Invalidation, cache};
use cachekit_core::{Acquired, Backend, Error, ErrorCode, FenceToken, Key, ManualClock, MemoryBackend, Namespace, Ttl};
use tokio::sync::Semaphore;

/// How often a function ran.
#[derive(Debug, Default)]
struct Runs(AtomicUsize);

impl Runs {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn memory() -> Cache {
    Cache::builder().build().unwrap()
}

/// Runs a test with a cache of its own.
async fn scoped<F: Future>(test: F) -> F::Output {
    cachekit::scope(memory(), test).await
}

/// What a function has stored under a namespace of this name.
fn open<T>(cache: &Cache, name: &str) -> Namespace<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    cache.namespace(name).open().unwrap()
}

mod shapes {
    use super::*;

    static RUNS: Runs = Runs::new();

    #[cache]
    async fn owned(id: u64) -> String {
        format!("{id} {}", RUNS.next())
    }

    #[cache]
    async fn shared(id: u64) -> Arc<String> {
        Arc::new(format!("{id} {}", RUNS.next()))
    }

    #[cache]
    async fn optional(id: u64) -> Option<String> {
        let run = RUNS.next();
        (id > 0).then(|| format!("{id} {run}"))
    }

    #[cache]
    async fn optional_shared(id: u64) -> Option<Arc<String>> {
        let run = RUNS.next();
        (id > 0).then(|| Arc::new(format!("{id} {run}")))
    }

    #[cache]
    async fn fallible(id: u64) -> Result<String, String> {
        let run = RUNS.next();
        let id = u32::try_from(id).map_err(|error| format!("{error} {run}"))?;
        Ok(format!("{id} {run}"))
    }

    #[cache]
    async fn fallible_optional(id: u64) -> Result<Option<Arc<String>>, String> {
        let run = RUNS.next();
        if id == 0 {
            return Ok(None);
        }
        Ok(Some(Arc::new(format!("{id} {run}"))))
    }

    #[cache]
    async fn aliased(id: u64) -> io::Result<String> {
        Ok(format!("{id} {}", RUNS.next()))
    }

    type Result<T = String, E = String> = std::result::Result<T, E>;

    #[cache]
    async fn hidden(id: u64) -> Result {
        Ok(format!("{id} {}", RUNS.next()))
    }

    #[cache]
    async fn unit(_id: u64) -> Result<(), String> {
        RUNS.next();
        Ok(())
    }

    #[tokio::test]
    async fn each_shape_is_cached() {
        scoped(async {
            macro_rules! once {
                ($function:ident, $id:expr) => {{
                    let before = RUNS.count();
                    let first = $function($id).await;
                    assert_eq!(RUNS.count(), before + 1, "the body ran");
                    assert_eq!($function($id).await, first);
                    assert_eq!(RUNS.count(), before + 1, "the body ran once");
                    assert_ne!(format!("{:?}", $function($id + 1).await), "");
                    assert_eq!(RUNS.count(), before + 2, "another key is another entry");
                }};
            }
            once!(owned, 1);
            once!(shared, 1);
            once!(optional, 11);
            once!(optional, 0);
            once!(optional_shared, 3);
            once!(optional_shared, 0);
            once!(fallible, 1);
            once!(fallible_optional, 1);
            once!(hidden, 1);
            once!(unit, 1);
            let before = RUNS.count();
            assert_eq!(aliased(1).await.unwrap(), aliased(1).await.unwrap());
            assert_eq!(RUNS.count(), before + 1);
        })
        .await;
    }

    #[tokio::test]
    async fn an_arc_is_not_copied() {
        #[cache]
        async fn shared(id: u64) -> Arc<u64> {
            Arc::new(id)
        }
        #[cache]
        async fn optional(id: u64) -> Result<Option<Arc<u64>>, String> {
            Ok(Some(Arc::new(id)))
        }
        scoped(async {
            assert!(Arc::ptr_eq(&shared(9).await, &shared(9).await));
            let (one, other) = (optional(9).await.unwrap().unwrap(), optional(9).await.unwrap().unwrap());
            assert!(Arc::ptr_eq(&one, &other));
        })
        .await;
    }

    #[tokio::test]
    async fn an_error_is_never_cached() {
        #[cache(skip(runs))]
        async fn find(runs: &Runs) -> Result<u64, usize> {
            Err(runs.next())
        }
        scoped(async {
            let runs = Runs::new();
            assert_eq!(find(&runs).await, Err(1));
            assert_eq!(find(&runs).await, Err(2));
        })
        .await;
    }
}

mod keys {
    use super::*;

    /// The function's value is found under this name and key, and nowhere else.
    macro_rules! stored {
        ($call:expr, $namespace:expr, $key:expr) => {{
            let cache = memory();
            let value = cachekit::scope(cache.clone(), $call).await;
            let namespace = open(&cache, $namespace);
            assert_eq!(namespace.get($key).await.unwrap().as_deref(), Some(&value), "{}", $namespace);
            assert_eq!(cache.status().namespaces, 1);
        }};
    }

    #[cache]
    async fn plain(id: u64, name: &str, maybe: Option<u8>) -> String {
        format!("{id} {name} {maybe:?}")
    }

    #[cache]
    async fn nothing() -> String {
        "one".to_owned()
    }

    #[cache(skip(db, trace))]
    async fn skipping(db: &Runs, id: u64, trace: f64) -> String {
        format!("{id} {} {trace}", db.next())
    }

    #[cache(namespace = "users")]
    async fn in_namespace(id: u64) -> String {
        id.to_string()
    }

    #[cache(namespace = "users", name = "by-id")]
    async fn in_namespace_named(id: u64) -> String {
        id.to_string()
    }

    #[cache(name = "Users::find")]
    async fn named(id: u64) -> String {
        id.to_string()
    }

    #[cache(namespace = "users", key = "{id}")]
    async fn keyed(id: u64, _trace: f64) -> String {
        id.to_string()
    }

    struct User {
        id: u64,
        names: (String, String),
    }

    #[cache(key = "user:{user.id}:{user.names.1}{{x}}:{lang}")]
    async fn fields(user: &User, lang: &str) -> String {
        format!("{} {lang}", user.names.0)
    }

    #[cache(key = "all")]
    async fn constant(_id: u64) -> String {
        "all".to_owned()
    }

    #[cache(key = "{a}:{b}")]
    async fn patterns((a, b): (u8, u8), [_first, ..]: [f32; 2]) -> String {
        format!("{a} {b}")
    }

    #[cache]
    async fn mutable(mut id: u64) -> String {
        id += 1;
        id.to_string()
    }

    #[cache]
    async fn r#type(r#as: &str) -> String {
        r#as.to_owned()
    }

    #[cache(key = "{N}:{id}")]
    async fn constant_parameter<const N: usize>(id: u64) -> String {
        format!("{N} {id}")
    }

    #[tokio::test]
    async fn keys_are_what_they_are_told_to_be() {
        stored!(plain(7, "a:b", None), "macros.keys.plain", (7, "a:b", None::<u8>));
        stored!(nothing(), "macros.keys.nothing", ());
        stored!(skipping(&Runs::new(), 7, 0.5), "macros.keys.skipping", 7);
        stored!(in_namespace(7), "users", ("macros.keys.in_namespace", 7));
        stored!(in_namespace_named(7), "users", ("by-id", 7));
        stored!(named(7), "Users.find", 7);
        stored!(keyed(7, 0.1), "users", 7);
        let user = User { id: 7, names: ("Ada".to_owned(), "L.".to_owned()) };
        stored!(fields(&user, "en"), "macros.keys.fields", ("user", 7, "L.", "{x}", "en"));
        stored!(constant(7), "macros.keys.constant", "all");
        stored!(patterns((1, 2), [0.0; 2]), "macros.keys.patterns", (1, 2));
        stored!(mutable(7), "macros.keys.mutable", 7);
        stored!(r#type("x"), "macros.keys.type", "x");
        stored!(constant_parameter::<3>(7), "macros.keys.constant_parameter", (3, 7));
    }

    #[tokio::test]
    async fn functions_share_entries_only_where_they_are_told_to() {
        #[cache(namespace = "shared", key = "{id}")]
        async fn one(id: u64, runs: &Runs) -> u64 {
            runs.next();
            id
        }
        #[cache(namespace = "shared", key = "{user}")]
        async fn other(user: u64, runs: &Runs) -> u64 {
            runs.next();
            user
        }
        #[cache(namespace = "shared", skip(runs))]
        async fn apart(id: u64, runs: &Runs) -> u64 {
            runs.next();
            id
        }
        scoped(async {
            let runs = Runs::new();
            one(1, &runs).await;
            other(1, &runs).await;
            assert_eq!(runs.count(), 1);
            apart(1, &runs).await;
            assert_eq!(runs.count(), 2);
        })
        .await;
    }

    #[tokio::test]
    async fn one_that_finds_none_where_it_returns_no_option_computes() {
        #[cache(namespace = "mixed", key = "{id}")]
        async fn maybe(id: u64) -> Option<u64> {
            (id > 9).then_some(id)
        }
        #[cache(namespace = "mixed", key = "{id}")]
        async fn surely(id: u64) -> u64 {
            id
        }
        #[cache(namespace = "mixed", key = "{id}")]
        async fn hopefully(id: u64) -> Result<u64, String> {
            Ok(id)
        }
        scoped(async {
            assert_eq!(maybe(1).await, None);
            assert_eq!(surely(1).await, 1);
            assert_eq!(hopefully(1).await, Ok(1));
        })
        .await;
    }

    #[tokio::test]
    async fn two_functions_of_one_name_do_not_meet() {
        macro_rules! both {
            ($($module:ident)+) => {$(
                mod $module {
                    #[cachekit::cache(name = "one-name")]
                    pub(super) async fn find(id: u64) -> String {
                        format!("{} {id}", stringify!($module))
                    }

                    #[cachekit::cache(namespace = "one-namespace", name = "one-name")]
                    pub(super) async fn find_there(id: u64) -> String {
                        format!("{} {id}", stringify!($module))
                    }
                }
            )+};
        }
        both!(first second);
        scoped(async {
            for _ in 0..2 {
                assert_eq!((first::find(1).await, second::find(1).await), ("first 1".into(), "second 1".into()));
                assert_eq!(first::find_there(1).await, "first 1");
                assert_eq!(second::find_there(1).await, "second 1");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn two_functions_of_one_path_do_not_meet() {
        async fn first(id: u64) -> String {
            #[cache]
            async fn twice(id: u64) -> String {
                format!("first {id}")
            }
            twice(id).await
        }
        let second = {
            #[cache]
            async fn twice(id: u64) -> String {
                format!("second {id}")
            }
            twice
        };
        let third = {
            #[cache]
            async fn twice(id: u64) -> String {
                format!("third {id}")
            }
            twice
        };
        scoped(async {
            for _ in 0..2 {
                assert_eq!(first(1).await, "first 1");
                assert_eq!(second(1).await, "second 1");
                assert_eq!(third(1).await, "third 1");
            }
        })
        .await;
    }
}

mod renamed {
    /// The crate under another name, as where a library re-exports it.
    pub(crate) mod inner {
        pub(crate) use ::cachekit as cache;
    }

    #[derive(inner::cache::IntoKey)]
    #[cachekit(crate = "inner::cache")]
    struct Id(u64);

    #[inner::cache::cache(crate = "inner::cache")]
    async fn find(id: Id) -> u64 {
        id.0
    }

    #[tokio::test]
    async fn the_crate_can_be_named() {
        super::scoped(async { assert_eq!(find(Id(7)).await, 7) }).await;
    }
}

mod methods {
    use super::*;

    #[derive(Default)]
    struct Users<D> {
        prefix: String,
        runs: Runs,
        _database: D,
    }

    impl<D: Send + Sync> Users<D> {
        #[cache(name = "Users::get", invalidate = forget)]
        async fn get(&self, id: u64) -> String {
            format!("{} {id} {}", self.prefix, self.runs.next())
        }

        #[cache(key = "{self.prefix}:{id}")]
        pub(crate) async fn keyed(&self, id: u64) -> Result<String, String> {
            Ok(format!("{} {id} {}", self.prefix, self.runs.next()))
        }

        #[cache]
        async fn associated(id: u64) -> String {
            id.to_string()
        }
    }

    struct Others;

    impl Others {
        #[cache(key = "{id}")]
        async fn keyed(&self, id: u64) -> Result<String, String> {
            Ok(format!("other {id}"))
        }

        #[cache]
        async fn associated(id: u64) -> String {
            format!("other {id}")
        }
    }

    #[async_trait::async_trait]
    trait Repository {
        async fn find(&self, id: u64, name: &str) -> Result<String, String>;
        async fn pair(&self, pair: (u8, u8)) -> String;
    }

    #[async_trait::async_trait]
    impl<D: Send + Sync> Repository for Users<D> {
        #[cache(ttl = "1m", key = "{id}:{name}", lock_timeout = 1, timeout = "1s")]
        async fn find(&self, id: u64, name: &str) -> Result<String, String> {
            let run = self.runs.next();
            if id == 0 {
                return Err(name.to_owned());
            }
            let id = u8::try_from(id).map_err(|error| error.to_string())?;
            Ok(format!("{} {id} {name} {run}", self.prefix))
        }

        #[cache(name = "Repository::pair")]
        async fn pair(&self, pair: (u8, u8)) -> String {
            let (a, b) = pair;
            format!("{a} {b} {}", self.runs.next())
        }
    }

    trait Native {
        async fn native(&self, id: u64) -> String;
    }

    impl<D> Native for Users<D> {
        #[cache(name = "native")]
        async fn native(&self, id: u64) -> String {
            format!("{id} {}", self.runs.next())
        }
    }

    fn users(prefix: &str) -> Users<Rc<()>> {
        Users { prefix: prefix.to_owned(), runs: Runs::new(), _database: Rc::new(()) }
    }

    fn sendable(prefix: &str) -> Users<u8> {
        Users { prefix: prefix.to_owned(), ..Users::default() }
    }

    #[tokio::test]
    async fn self_is_no_part_of_the_key_unless_it_is_named() {
        scoped(async {
            let (one, other) = (sendable("one"), sendable("other"));
            assert_eq!(one.get(1).await, "one 1 1");
            assert_eq!(other.get(1).await, "one 1 1");
            assert_eq!(one.keyed(1).await.unwrap(), "one 1 2");
            assert_eq!(other.keyed(1).await.unwrap(), "other 1 1");
            assert_eq!(other.keyed(1).await.unwrap(), "other 1 1");
        })
        .await;
    }

    #[tokio::test]
    async fn types_with_methods_of_one_name_are_apart() {
        scoped(async {
            assert_eq!(sendable("1").keyed(1).await.unwrap(), "1 1 1");
            assert_eq!(Others.keyed(1).await.unwrap(), "other 1");
            assert_eq!(Users::<u8>::associated(1).await, "1");
            assert_eq!(Others::associated(1).await, "other 1");
        })
        .await;
    }

    #[tokio::test]
    async fn a_method_of_an_async_trait_is_cached() {
        let users: Arc<dyn Repository + Send + Sync> = Arc::new(sendable("x"));
        let task = scoped(async move {
            assert_eq!(users.find(1, "a").await.unwrap(), "x 1 a 1");
            assert_eq!(users.find(1, "a").await.unwrap(), "x 1 a 1");
            assert_eq!(users.find(1, "b").await.unwrap(), "x 1 b 2");
            assert_eq!(users.find(0, "none").await.unwrap_err(), "none");
            assert!(users.find(999, "none").await.is_err());
            assert_eq!(users.pair((1, 2)).await, "1 2 5");
            assert_eq!(users.pair((1, 2)).await, "1 2 5");
        });
        tokio::spawn(task).await.unwrap();
    }

    #[tokio::test]
    async fn a_method_of_a_trait_is_cached() {
        scoped(async {
            let users = users("x");
            assert_eq!(users.native(1).await, "1 1");
            assert_eq!(users.native(1).await, "1 1");
        })
        .await;
    }

    fn boxed_by_hand(runs: &Runs, id: u64) -> Pin<Box<dyn Future<Output = u64> + '_>> {
        #[cache(skip(runs))]
        fn inner<'a>(runs: &'a Runs, id: u64) -> Pin<Box<dyn Future<Output = u64> + 'a>> {
            if id == 0 {
                return Box::pin(std::future::ready(0));
            }
            Box::pin(async move { id + runs.next() as u64 })
        }
        inner(runs, id)
    }

    #[tokio::test]
    async fn a_boxed_future_is_cached() {
        scoped(async {
            let runs = Runs::new();
            assert_eq!(boxed_by_hand(&runs, 10).await, 11);
            assert_eq!(boxed_by_hand(&runs, 10).await, 11);
            assert_eq!(boxed_by_hand(&runs, 0).await, 0);
        })
        .await;
    }

    #[tokio::test]
    async fn the_twin_of_a_method_invalidates() {
        scoped(async {
            let users = sendable("x");
            assert_eq!(users.get(1).await, "x 1 1");
            assert!(matches!(users.forget(2).await, Invalidation::Confirmed));
            assert_eq!(users.get(1).await, "x 1 1");
            assert!(matches!(users.forget(1).await, Invalidation::Confirmed));
            assert_eq!(users.get(1).await, "x 1 2");
        })
        .await;
    }
}

mod twins {
    use super::*;

    #[cache(invalidate = forget, skip(runs))]
    async fn find<D>(runs: &D, mut id: u64, name: String) -> String
    where
        D: AsRef<Runs> + Sync + ?Sized,
    {
        id += runs.as_ref().next() as u64;
        format!("{name} {id}")
    }

    #[cache(invalidate = forget_in, cache = cache, skip(cache, runs), namespace = "twins")]
    async fn find_in(cache: &Cache, runs: &Runs, id: u64) -> u64 {
        id + runs.next() as u64
    }

    impl AsRef<Runs> for Runs {
        fn as_ref(&self) -> &Runs {
            self
        }
    }

    #[tokio::test]
    async fn a_twin_takes_what_is_not_skipped() {
        scoped(async {
            let runs = Runs::new();
            assert_eq!(find(&runs, 0, "a".to_owned()).await, "a 1");
            assert!(matches!(forget(0, "b".to_owned()).await, Invalidation::Confirmed));
            assert_eq!(find(&runs, 0, "a".to_owned()).await, "a 1");
            assert!(matches!(forget(0, "a".to_owned()).await, Invalidation::Confirmed));
            assert_eq!(find(&runs, 0, "a".to_owned()).await, "a 2");
        })
        .await;
    }

    #[tokio::test]
    async fn a_twin_takes_the_cache_that_is_named() {
        let (cache, runs) = (memory(), Runs::new());
        assert_eq!(find_in(&cache, &runs, 0).await, 1);
        assert_eq!(find_in(&cache, &runs, 0).await, 1);
        assert!(matches!(forget_in(&cache, 0).await, Invalidation::Confirmed));
        assert_eq!(find_in(&cache, &runs, 0).await, 2);
    }
}

mod caches {
    use super::*;

    struct Service {
        cache: Arc<Cache>,
        runs: Runs,
    }

    impl Service {
        #[cache(cache = self.cache, name = "Service::get")]
        async fn get(&self, id: u64) -> u64 {
            id + self.runs.next() as u64
        }
    }

    #[tokio::test]
    async fn the_cache_that_is_named_is_used_each_time() {
        let service = |cache| Service { cache: Arc::new(cache), runs: Runs::new() };
        let (one, other) = (service(memory()), service(memory()));
        for _ in 0..2 {
            assert_eq!(one.get(0).await, 1);
            assert_eq!(other.get(0).await, 1);
        }
        assert_eq!((one.runs.count(), other.runs.count()), (1, 1));
    }

    #[cache(skip(runs), invalidate = forget_current)]
    async fn current(runs: &Runs, id: u64) -> u64 {
        id + runs.next() as u64
    }

    #[tokio::test]
    async fn outside_a_scope_the_cache_of_the_process_is_used() {
        let _ = cachekit::install(memory());
        let runs = Runs::new();
        assert_eq!(current(&runs, 7_000).await, 7_001);
        assert_eq!(current(&runs, 7_000).await, 7_001);
        assert_eq!(scoped(current(&runs, 7_000)).await, 7_002);
        assert_eq!(current(&runs, 7_000).await, 7_001);
    }

    /// In a process of its own, whose environment selects two backends.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "asks whether it is the process of its own")]
    fn where_no_cache_can_be_made_the_function_runs() {
        if std::env::var_os("CACHEKIT_TEST_CHILD").is_none() {
            let name = "caches::where_no_cache_can_be_made_the_function_runs";
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", name]).env("CACHEKIT_TEST_CHILD", "1");
            child.env("CACHEKIT_API_KEY", "ck_test").env("CACHEKIT_REDIS_URL", "redis://localhost");
            let output = child.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let runs = Runs::new();
            assert_eq!(current(&runs, 0).await, 1);
            assert_eq!(current(&runs, 0).await, 2);
            assert!(matches!(forget_current(0).await, Invalidation::Failed(_)));
        });
    }

    #[tokio::test]
    async fn on_a_disabled_cache_the_function_runs() {
        let (cache, runs) = (memory(), Runs::new());
        cachekit::scope(cache.clone(), async {
            assert_eq!(current(&runs, 0).await, 1);
            cache.disable();
            assert_eq!(current(&runs, 0).await, 2);
            cache.enable();
            assert_eq!(current(&runs, 0).await, 3);
            assert_eq!(current(&runs, 0).await, 3);
        })
        .await;
    }

    /// Counts the error events of this thread.
    struct Errors(Arc<Runs>);

    impl tracing::Subscriber for Errors {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::ERROR
        }

        fn event(&self, _: &tracing::Event<'_>) {
            self.0.next();
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[tokio::test]
    async fn where_the_namespace_is_of_another_type_the_function_runs_and_says_so_once() {
        #[cache(namespace = "typed", skip(runs))]
        async fn number(runs: &Runs) -> u64 {
            runs.next() as u64
        }
        let errors = Arc::new(Runs::new());
        let _events = tracing::subscriber::set_default(Errors(Arc::clone(&errors)));
        let (cache, runs) = (memory(), Runs::new());
        let _texts: Namespace<String> = open(&cache, "typed");
        cachekit::scope(cache, async {
            assert_eq!(number(&runs).await, 1);
            assert_eq!(number(&runs).await, 2);
        })
        .await;
        assert_eq!(errors.count(), 1);
    }

    #[tokio::test]
    async fn through_a_backend_processes_share() {
        let backend = MemoryBackend::new();
        let process = || Cache::builder().backend(backend.clone()).build().unwrap();
        let runs = Runs::new();
        assert_eq!(cachekit::scope(process(), current(&runs, 0)).await, 1);
        assert_eq!(cachekit::scope(process(), current(&runs, 0)).await, 1);
    }
}

mod lives {
    use super::*;

    #[cache(ttl = "10s", none_ttl = "2s", skip(runs))]
    async fn find(runs: &Runs, id: u64) -> Option<u64> {
        let run = runs.next() as u64;
        (id > 0).then_some(run)
    }

    #[cache(skip(runs))]
    async fn default(runs: &Runs) -> u64 {
        runs.next() as u64
    }

    #[cache(ttl = "never", skip(runs))]
    async fn never(runs: &Runs) -> u64 {
        runs.next() as u64
    }

    #[tokio::test]
    async fn entries_end_when_they_are_told_to() {
        let clock = ManualClock::new();
        let cache: Cache = Cache::builder().clock(clock.clone()).build().unwrap();
        cachekit::scope(cache, async {
            let runs = Runs::new();
            assert_eq!((find(&runs, 1).await, find(&runs, 0).await), (Some(1), None));
            clock.advance(Duration::from_secs(1));
            assert_eq!((find(&runs, 1).await, find(&runs, 0).await), (Some(1), None));
            assert_eq!(runs.count(), 2);
            clock.advance(Duration::from_secs(2));
            assert_eq!((find(&runs, 1).await, find(&runs, 0).await), (Some(1), None));
            assert_eq!(runs.count(), 3, "none is forgotten earlier");
            clock.advance(Duration::from_secs(8));
            assert_eq!(find(&runs, 1).await, Some(4));

            assert_eq!((default(&runs).await, never(&runs).await), (5, 6));
            clock.advance(Duration::from_secs(299));
            assert_eq!((default(&runs).await, never(&runs).await), (5, 6));
            clock.advance(Duration::from_secs(2));
            assert_eq!((default(&runs).await, never(&runs).await), (7, 6));
        })
        .await;
    }
}

/// Holds a load up until all who are to wait for it do.
struct Gate {
    opened: Semaphore,
    runs: Runs,
}

impl Gate {
    const fn new() -> Self {
        Self { opened: Semaphore::const_new(0), runs: Runs::new() }
    }

    async fn pass(&self) -> usize {
        let run = self.runs.next();
        let closed = self.opened.acquire().await;
        assert!(closed.is_err());
        run
    }

    fn open(&self) {
        self.opened.close();
    }
}

/// Three calls of one key at once: the second and third wait for the first.
macro_rules! together {
    ($gate:expr, $call:expr) => {{
        let gate = &$gate;
        let (one, two, three, ()) = cachekit::scope(memory(), async {
            tokio::join!(biased; $call, $call, $call, async { gate.open() })
        })
        .await;
        [one, two, three]
    }};
}

mod errors {
    use super::*;

    #[tokio::test]
    async fn many_callers_are_one_run() {
        #[cache(skip(gate))]
        async fn find(gate: &Gate, id: u64) -> u64 {
            id + gate.pass().await as u64
        }
        let gate = Gate::new();
        assert_eq!(together!(gate, find(&gate, 0)), [1, 1, 1]);
        assert_eq!(gate.runs.count(), 1);
    }

    #[tokio::test]
    async fn an_error_that_is_clone_is_shared() {
        #[derive(Clone, Debug, PartialEq)]
        struct Failed(usize);

        #[cache(skip(gate))]
        async fn find(gate: &Gate) -> Result<u64, Failed> {
            Err(Failed(gate.pass().await))
        }
        let gate = Gate::new();
        assert_eq!(together!(gate, find(&gate)).map(Result::unwrap_err), [Failed(1), Failed(1), Failed(1)]);
        assert_eq!(gate.runs.count(), 1);
    }

    #[tokio::test]
    async fn an_io_error_is_shared_with_kind_text_and_causes() {
        #[derive(Debug)]
        struct Outer;
        impl std::fmt::Display for Outer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("outer")
            }
        }
        impl StdError for Outer {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&std::fmt::Error)
            }
        }

        #[cache(skip(gate))]
        async fn find(gate: &Gate, how: u8) -> io::Result<u64> {
            gate.pass().await;
            Err(match how {
                0 => io::Error::from_raw_os_error(2),
                1 => io::ErrorKind::TimedOut.into(),
                _ => io::Error::new(io::ErrorKind::InvalidData, Outer),
            })
        }
        for (how, kind, os) in [
            (0, io::ErrorKind::NotFound, Some(2)),
            (1, io::ErrorKind::TimedOut, None),
            (2, io::ErrorKind::InvalidData, None),
        ] {
            let gate = Gate::new();
            let errors = together!(gate, find(&gate, how)).map(Result::unwrap_err);
            assert_eq!(gate.runs.count(), 1);
            let texts = errors.each_ref().map(|error| format!("{error} {error:?}"));
            assert!(texts[0] == texts[1] || how == 2, "{texts:?}");
            for error in errors {
                assert_eq!((error.kind(), error.raw_os_error()), (kind, os));
                if how == 2 {
                    assert_eq!(error.to_string(), "outer");
                    assert_eq!(error.source().map(ToString::to_string), Some(std::fmt::Error.to_string()));
                }
            }
        }
    }

    #[tokio::test]
    async fn a_boxed_error_is_shared() {
        type Error = Box<dyn StdError + Send + Sync>;

        #[cache(skip(gate))]
        async fn find(gate: &Gate) -> Result<u64, Error> {
            Err(format!("run {}", gate.pass().await))?
        }
        let gate = Gate::new();
        let errors = together!(gate, find(&gate)).map(|result| result.unwrap_err().to_string());
        assert_eq!(errors, ["run 1", "run 1", "run 1"]);
    }

    #[cfg(feature = "anyhow")]
    #[tokio::test]
    async fn an_anyhow_error_is_shared_with_its_chain() {
        use anyhow::Context;

        #[cache(skip(gate))]
        async fn find(gate: &Gate) -> anyhow::Result<u64> {
            let run = gate.pass().await;
            Err(io::Error::other("disk")).context(format!("run {run}"))
        }
        let gate = Gate::new();
        let errors = together!(gate, find(&gate)).map(|result| format!("{:#}", result.unwrap_err()));
        assert_eq!(errors, ["run 1: disk", "run 1: disk", "run 1: disk"]);
    }

    /// An error that cannot be copied.
    #[derive(Debug, PartialEq)]
    struct Own(usize);

    #[tokio::test]
    async fn an_error_that_cannot_be_copied_is_everybodys_own() {
        #[cache(skip(gate))]
        async fn find(gate: &Gate) -> Result<u64, Own> {
            Err(Own(gate.pass().await))
        }
        let gate = Gate::new();
        let mut errors = together!(gate, find(&gate)).map(|result| result.unwrap_err().0);
        errors.sort_unstable();
        assert_eq!(errors, [1, 2, 3]);
    }

    #[tokio::test]
    async fn an_error_that_stays_on_its_thread_is_everybodys_own() {
        #[cache(skip(gate))]
        async fn find(gate: &Gate) -> Result<u64, Rc<str>> {
            Err(gate.pass().await.to_string().into())
        }
        #[cache(skip(gate))]
        async fn boxed(gate: &Gate) -> Result<u64, Box<dyn StdError>> {
            Err(gate.pass().await.to_string().into())
        }
        let gate = Gate::new();
        let mut errors = together!(gate, find(&gate)).map(|result| result.unwrap_err().to_string());
        errors.sort_unstable();
        assert_eq!(errors, ["1", "2", "3"]);
        let gate = Gate::new();
        let mut errors = together!(gate, boxed(&gate)).map(|result| result.unwrap_err().to_string());
        errors.sort_unstable();
        assert_eq!(errors, ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn an_error_that_borrows_is_everybodys_own() {
        #[derive(Clone, Debug)]
        struct Borrowed<'a>(&'a str, usize);

        #[cache(skip(gate), key = "{text}")]
        async fn find<'a>(gate: &Gate, text: &'a str) -> Result<u64, Borrowed<'a>> {
            Err(Borrowed(text, gate.pass().await))
        }
        let (gate, text) = (Gate::new(), String::from("text"));
        let mut errors = together!(gate, find(&gate, &text)).map(|result| {
            let Borrowed(text, run) = result.unwrap_err();
            assert_eq!(text, "text");
            run
        });
        errors.sort_unstable();
        assert_eq!(errors, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_function_can_say_how_its_error_is_shared() {
        fn share(error: &Arc<Own>) -> Own {
            Own(error.0 + 10)
        }
        #[cache(skip(gate), shared_error = share)]
        async fn find(gate: &Gate) -> Result<u64, Own> {
            Err(Own(gate.pass().await))
        }
        let gate = Gate::new();
        let errors = together!(gate, find(&gate)).map(|result| result.unwrap_err().0);
        assert_eq!(gate.runs.count(), 1);
        assert!(errors.iter().all(|error| [1, 11].contains(error)) && errors.contains(&11), "{errors:?}");
    }

    #[tokio::test]
    async fn a_generic_error_is_shared_where_its_bounds_allow() {
        trait Make {
            fn make(run: usize) -> Self;
        }
        impl Make for String {
            fn make(run: usize) -> Self {
                run.to_string()
            }
        }
        #[cache(skip(gate, _error))]
        async fn shared<E: Make + Clone + Send + Sync + 'static>(gate: &Gate, _error: Option<E>) -> Result<u64, E> {
            Err(E::make(gate.pass().await))
        }
        #[cache(skip(gate, _error))]
        async fn own<E: Make>(gate: &Gate, _error: Option<E>) -> Result<u64, E> {
            Err(E::make(gate.pass().await))
        }
        let gate = Gate::new();
        assert_eq!(together!(gate, shared::<String>(&gate, None)).map(Result::unwrap_err), ["1", "1", "1"]);
        let gate = Gate::new();
        let _ = together!(gate, own::<String>(&gate, None));
        assert_eq!(gate.runs.count(), 3);
    }
}

mod panics {
    use super::*;

    /// What the call returned or panicked with.
    async fn caught<T>(call: impl Future<Output = T>) -> Result<T, String> {
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|context| {
            let polled = std::panic::catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)));
            match polled {
                Ok(polled) => polled.map(Ok),
                Err(payload) => std::task::Poll::Ready(Err(match payload.downcast::<String>() {
                    Ok(text) => *text,
                    Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
                })),
            }
        })
        .await
    }

    #[cache(skip(gate))]
    async fn plain(gate: &Gate) -> u64 {
        gate.pass().await;
        panic!("no value")
    }

    #[cache(skip(gate))]
    async fn own_error(gate: &Gate) -> Result<u64, String> {
        gate.pass().await;
        panic!("no value")
    }

    #[cache(skip(gate))]
    async fn cache_error(gate: &Gate) -> Result<u64, Error> {
        gate.pass().await;
        panic!("no value")
    }

    #[tokio::test]
    async fn a_panic_reaches_all() {
        let gate = Gate::new();
        let waited = "the call of `plain` that this one waited for panicked".to_owned();
        let expected = [Err("no value".to_owned()), Err(waited.clone()), Err(waited)];
        assert_eq!(together!(gate, caught(plain(&gate))), expected);
        assert_eq!(gate.runs.count(), 1);

        let gate = Gate::new();
        let waited = "the call of `own_error` that this one waited for panicked".to_owned();
        let expected = [Err("no value".to_owned()), Err(waited.clone()), Err(waited)];
        assert_eq!(together!(gate, caught(own_error(&gate))), expected);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_to_those_who_waited_where_it_can_be_one() {
        let gate = Gate::new();
        let [own, two, three] = together!(gate, caught(cache_error(&gate)));
        assert_eq!(own.unwrap_err(), "no value");
        for waited in [two, three] {
            assert_eq!(waited.unwrap().unwrap_err().code(), ErrorCode::E035);
        }
    }
}

mod limits {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_load_that_takes_too_long_is_an_error_to_all() {
        #[cache(skip(runs), load_timeout = "5s")]
        async fn find(runs: &Runs) -> Result<u64, Error> {
            runs.next();
            std::future::pending().await
        }
        let runs = Runs::new();
        let (one, two) = scoped(async { tokio::join!(find(&runs), find(&runs)) }).await;
        assert_eq!([one, two].map(|result| result.unwrap_err().code()), [ErrorCode::E034, ErrorCode::E034]);
        assert_eq!(runs.count(), 1);
    }

    /// A backend whose answer never comes.
    #[derive(Debug)]
    struct Silent;

    #[async_trait::async_trait]
    impl cachekit_core::Backend for Silent {
        fn name(&self) -> &str {
            "silent"
        }

        async fn get(&self, _: &Key) -> cachekit::Result<Option<cachekit_core::Entry>> {
            std::future::pending().await
        }

        async fn set(&self, _: &Key, _: bytes::Bytes, _: &cachekit_core::SetOptions) -> cachekit::Result<()> {
            std::future::pending().await
        }

        async fn delete(&self, _: &Key) -> cachekit::Result<()> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_does_not_answer_holds_a_call_up_for_so_long() {
        #[cache(timeout = "3s")]
        async fn find(id: u64) -> u64 {
            id
        }
        let cache: Cache = Cache::builder().backend(Silent).build().unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(cachekit::scope(cache, find(7)).await, 7);
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_that_loads_holds_a_call_up_for_so_long() {
        #[cache(namespace = "held", key = "{id}", lock_timeout = "7s")]
        async fn find(id: u64) -> u64 {
            id
        }
        let backend = MemoryBackend::new();
        let (key, lease) = (Key::new("held:7").unwrap(), Duration::from_secs(3600));
        let held = backend.abilities().fenced.unwrap().acquire(&key, &FenceToken::from_random(7), lease).await.unwrap();
        assert!(matches!(held, Acquired::Granted { .. }));
        let cache: Cache = Cache::builder().backend(backend).build().unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(cachekit::scope(cache, find(7)).await, 7);
        assert_eq!(began.elapsed().as_secs(), 7);
    }

    #[tokio::test]
    async fn the_loader_sees_what_its_caller_sees() {
        tokio::task_local! {
            static REQUEST: u64;
        }
        #[cache]
        async fn find() -> u64 {
            tokio::task::yield_now().await;
            REQUEST.get()
        }
        assert_eq!(REQUEST.scope(7, scoped(find())).await, 7);
    }

    #[test]
    fn futures_can_be_sent() {
        #[cache]
        async fn find(id: u64) -> Result<String, io::Error> {
            tokio::task::yield_now().await;
            Ok(id.to_string())
        }
        fn is_send(_: &impl Send) {}
        is_send(&find(1));
    }

    /// The macro reads times by itself, for it depends on none of our crates.
    #[test]
    fn times_are_read_as_the_cache_reads_them() {
        macro_rules! check {
            ($($text:literal)+) => {$({
                #[cache(ttl = $text, namespace = "times", key = "one")]
                async fn find() -> u64 {
                    1
                }
                let clock = ManualClock::new();
                let cache: Cache = Cache::builder().clock(clock.clone()).build().unwrap();
                let ttl: Ttl = $text.parse().unwrap();
                let one = Duration::from_nanos(1);
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(cachekit::scope(cache.clone(), async {
                    find().await;
                    let values = open::<u64>(&cache, "times");
                    clock.advance(ttl.as_duration().unwrap() - one);
                    assert!(values.get("one").await.unwrap().is_some(), "{}", $text);
                    clock.advance(one);
                    assert!(values.get("one").await.unwrap().is_none(), "{}", $text);
                }));
            })+};
        }
        check!("1" "300" "250ms" "30s" "5m" "12h" "7d" "1h30m" "1d2h3m4s5ms6us7ns" "0h5m" "007");
    }
}
