//! `#[cache]` and `#[derive(IntoKey)]`: use them as `cachekit::cache` and `cachekit::IntoKey`.

use proc_macro::TokenStream;

mod cache;
mod derive;
mod interop_arg;

/// Makes a struct or an enum a key: see `cachekit::IntoKey`.
///
/// - A struct writes its fields in order, be they named or not; one without fields writes nothing.
/// - An enum writes the name of its variant, then the fields. Renaming a variant is therefore another key.
/// - Every type parameter is bounded by `IntoKey`.
///
/// All fields count. Where one does not belong to the identity, write the trait by hand.
///
/// `#[cachekit(crate = "path")]` names the crate where it is not `::cachekit`.
///
/// ```
/// use cachekit::{IntoKey, KeyWriter};
///
/// #[derive(IntoKey)]
/// enum Page {
///     Home,
///     Article { id: u64, language: Option<String> },
/// }
///
/// let mut writer = KeyWriter::new(b"pages:");
/// Page::Article { id: 7, language: None }.write_key(&mut writer);
/// assert_eq!(writer.as_bytes(), b"pages:Article:7:_n");
/// # let _ = Page::Home;
/// ```
#[proc_macro_derive(IntoKey, attributes(cachekit))]
pub fn derive_into_key(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::into_key(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or an enum an argument of interop keys: see `cachekit::interop::InteropArg`.
///
/// - A struct with named fields is a map from their names to their values, as a `dict` is in Python.
///   `#[interop(rename = "name")]` gives a field another name.
/// - A struct of one field without a name is what it holds; one of several is an array, as a `tuple` is.
/// - An enum, whose variants have no fields, is what Python's `Enum` has as its value: the name of the variant, or what
///   `#[interop(rename = "name")]` says; with `#[interop(integer)]` on the enum, the number of the variant.
/// - Every type parameter is bounded by `InteropArg`.
///
/// All fields count. `#[interop(crate = "path")]` on the type names the crate where it is not `::cachekit`.
///
/// ```
/// # #[cfg(feature = "interop")] // That of `cachekit`.
/// # mod example {
/// use cachekit::interop::{InteropArg, InteropKey};
///
/// #[derive(InteropArg)]
/// struct Line {
///     #[interop(rename = "articleId")]
///     article_id: u64,
///     unit: Unit,
/// }
///
/// #[derive(InteropArg)]
/// enum Unit {
///     #[interop(rename = "kg")]
///     Kilogram,
/// }
/// # }
/// ```
#[proc_macro_derive(InteropArg, attributes(interop))]
pub fn derive_interop_arg(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    interop_arg::interop_arg(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Caches what an async function or method returns.
///
/// ```
/// use std::sync::Arc;
///
/// use cachekit::cache;
/// # #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)] struct User { id: u64 }
/// # struct Database;
/// # impl Database { async fn user(&self, id: u64) -> Result<Option<User>, std::io::Error> { Ok((id > 0).then_some(User { id })) } }
///
/// #[cache(ttl = "10m", none_ttl = "30s", skip(db), invalidate = forget_user)]
/// async fn find_user(db: &Database, id: u64) -> Result<Option<Arc<User>>, std::io::Error> {
///     Ok(db.user(id).await?.map(Arc::new))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cache = cachekit::Cache::builder().build()?;
/// # cachekit::scope(cache, async {
/// let user = find_user(&Database, 7).await?;
/// assert_eq!(user, find_user(&Database, 7).await?); // The second call did not ask the database.
///
/// // After a commit that changed the user:
/// let _ = forget_user(7).await;
/// # Ok::<_, std::io::Error>(()) }).await?;
/// # Ok(())
/// # }
/// ```
///
/// However many callers ask for one key at once, the body runs once. It runs inside its caller, so that it may borrow
/// and sees task-locals and spans, unless `background` is said. Whatever the trouble with the cache, it runs and its value arrives.
///
/// # What is returned
/// `T`, `Arc<T>`, `Option<T>`, `Option<Arc<T>>`, or a `Result` of any of these, decided by how the type is written
/// (`anyhow::Result<T>` and `std::io::Result<T>` are read, too; any other alias of `Result` is refused).
/// - `T` is cloned on a hit; an `Arc<T>` is not. `T` is what the cache's serializer can store.
/// - `None` is cached for `none_ttl`, or as long as a value.
/// - `Err` is never cached.
///
/// # Who gets an error
/// Those who waited for the same load get it, too: an error that is `Clone`, `std::io::Error`, `Box<dyn Error + Send +
/// Sync>`, and `anyhow::Error` with the feature `anyhow` (of the last three a copy that reads the same and cannot be
/// downcast). For other errors say how with `shared_error`; else those who waited run the body themselves, at once.
///
/// A panic goes on in its caller. Those who waited get E035 if the error is `From<cachekit::Error>`, and panic
/// otherwise.
///
/// # The key
/// All arguments that are not skipped, in order, each an `cachekit::IntoKey`. With `key` instead: what its placeholders
/// name (`{id}`, `{user.id}`, `{self.region}`), and the text between them, cut at `:`, as parts of its own. So `key =
/// "user:{id}:{lang}"` makes the parts `user`, the id and the language. Values are escaped and never run into their
/// neighbours: two calls share an entry only if all their values are equal.
///
/// `self` is never part of a key unless a placeholder names it.
///
/// # The namespace
/// The path of the function, as in `my_app.users.find_user`, the type of a method included (what is no plain path, and
/// what is longer than 64 bytes, ends in a digest). So no two functions meet; should two claim one path or `name` all
/// the same, the second runs uncached and says so in an error event. With `namespace` alone, the key begins with that
/// path, or with the `name`. With `namespace` and `key` the entry is exactly what they say: functions that give the
/// same share entries, and `cache.namespace::<T>("users")` reaches them.
///
/// # Options
/// | option | what it says |
/// | --- | --- |
/// | `ttl = "5m"` | How long a value lives: `"250ms"`, `"1h30m"`, a number of seconds, or `"never"`. Five minutes if absent. |
/// | `none_ttl = "30s"` | How long a `None` lives. |
/// | `key = "{id}"` | What identifies a call, instead of all arguments. |
/// | `namespace = "users"` | The namespace, instead of the function's path. |
/// | `name = "Users::get"` | The function's name, instead of its path. Methods without `key` need it. |
/// | `skip(db, span)` | Arguments that do not identify a call. |
/// | `cache = self.cache` | The cache, instead of that of the `cachekit::scope` or the process: an expression of each call. |
/// | `timeout = "1s"` | How long one call of the backend may take. |
/// | `lock_timeout = "5s"` | How long to wait while another process runs the body. |
/// | `load_timeout = "10s"` | How long the body may take: then an older value, if there is one, else E034. The error must be `From<cachekit::Error>`. |
/// | `stale_for = "1h"` | For how long after its life a value is kept, to be served when the body fails, panics or takes too long: see `cachekit::tell_stale`. |
/// | `background` | Runs the body in a task of its own: see below. |
/// | `refresh_after = "1m"` | From what age on a value that is asked for is computed anew in the background. Needs `background`. |
/// | `interop = "find_order"` | Shares entries with CacheKit's other clients under this operation: see below. |
/// | `invalidate = forget` | Makes an async function `forget` of the same arguments, without the skipped ones, that invalidates their entry. |
/// | `shared_error = share` | A `fn(&Arc<E>) -> E` that copies an error for those who waited. |
/// | `crate = "path"` | Where `cachekit` is, if not at `::cachekit`. |
///
/// # In the background
/// With `background` the body runs in a task: it goes on for the others when its caller is dropped, its value arrives
/// before it is stored, and one that exceeds its `load_timeout` goes on and is stored where an older value could be
/// served. So it must own what it uses: arguments that borrow do not compile, and what it returns and awaits is `Send`.
/// The task has neither the caller's task-locals (`cachekit::scope` among them) nor its span.
///
/// ```
/// # use std::sync::Arc;
/// # use cachekit::cache;
/// # #[derive(Debug)] struct Database;
/// # impl Database { async fn price(&self, id: u64) -> Result<u64, std::io::Error> { Ok(id * 3) } }
/// #[cache(ttl = "5m", refresh_after = "1m", stale_for = "1h", background, skip(db))]
/// async fn price(db: Arc<Database>, id: u64) -> Result<u64, std::io::Error> {
///     db.price(id).await
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cache = cachekit::Cache::builder().build()?;
/// # assert_eq!(cachekit::scope(cache, price(Arc::new(Database), 7)).await?, 21);
/// # Ok(())
/// # }
/// ```
///
/// # Shared with other clients
/// With `interop = "op"` and a `namespace` the function's entries are those of the Python client's `@cache(interop="op",
/// namespace=..)`, and of any other client that speaks `interop/v1` (feature `interop`):
/// - All arguments that are not skipped are the arguments of the call, in order, each a `cachekit::interop::InteropArg`.
///   `self` is none of them. Python's side has to declare as many: defaults are written out, `*rest` is one list,
///   `**options` is one map.
/// - Values are written by `cachekit::interop::InteropValues`; a `None` is Python's.
/// - There is no place for `key`, `name`, `stale_for` and `refresh_after`.
/// - A call with an argument outside the model (NaN, an integer beyond 64 bits) runs uncached, and an event says so (E042).
///
/// ```
/// # #[cfg(feature = "interop")] // That of `cachekit`.
/// # mod example {
/// # use cachekit::cache;
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)] pub struct Order { total: f64 }
/// # struct Database;
/// # impl Database { async fn order(&self, id: u64) -> Option<Order> { (id > 0).then_some(Order { total: 12.0 }) } }
/// // In Python: @cache(interop="find_order", namespace="orders", ttl=600, backend=RedisBackend(url))
/// //            def find_order(id: int, with_lines: bool = False) -> dict | None: ..
/// #[cache(interop = "find_order", namespace = "orders", ttl = "10m", skip(db))]
/// async fn find_order(db: &Database, id: u64, with_lines: bool) -> Option<Order> {
///     db.order(id).await
/// }
/// # }
/// ```
///
/// # On methods of traits
/// With `#[async_trait]` put `#[cache]` on the method in the `impl`. Functions that return `Pin<Box<dyn Future<Output =
/// ..>>>` by hand are cached, too.
#[proc_macro_attribute]
pub fn cache(options: TokenStream, item: TokenStream) -> TokenStream {
    cache::expand(options.into(), item.into()).into()
}
