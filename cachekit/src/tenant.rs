//! [`tenant_scope`]: whose request it is that runs.

use std::future::Future;
use std::sync::Arc;

/// Runs `work` for `tenant`: cached functions that say `per_tenant` see that tenant's entries alone there, and store
/// nothing that another would see.
///
/// It holds for what runs inside `work`; a task that is spawned there is not inside. A scope within a scope replaces it.
/// Outside of any scope such functions run uncached, and an error event (E007) says so: there is no shared key to fall back
/// to.
///
/// ```
/// use cachekit::prelude::*;
///
/// #[cache(per_tenant)]
/// async fn plan() -> String {
///     "basic".to_owned() // imagine a look-up of the tenant's plan here
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cachekit::Result<()> {
/// # let cache = Cache::builder().build()?;
/// # cachekit::scope(cache, async {
/// assert_eq!(cachekit::tenant_scope("acme", plan()).await, "basic");
/// # }).await;
/// # Ok(())
/// # }
/// ```
pub fn tenant_scope<F: Future>(tenant: impl Into<Arc<str>>, work: F) -> impl Future<Output = F::Output> {
    TENANT.scope(tenant.into(), work)
}

/// Shows `look` the tenant of the scope around the call, if there is one.
pub(crate) fn with_tenant<R>(look: impl FnOnce(Option<&str>) -> R) -> R {
    let mut look = Some(look);
    let seen = TENANT.try_with(|tenant| look.take().map(|look| look(Some(tenant))));
    match (seen, look) {
        (Ok(Some(seen)), _) => seen,
        (_, Some(look)) => look(None),
        _ => unreachable!("`look` is taken only where its answer is handed on"),
    }
}

tokio::task_local! {
    static TENANT: Arc<str>;
}
