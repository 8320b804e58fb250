//! Rules about what a backend says of itself, and about closing it.

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, ensure, equal, holds};

pub(crate) async fn backend_name_is_short(case: &Case) -> Outcome {
    let name = case.backend().name();
    let short = (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    ensure(short, "a name of 1 to 32 characters of a-z 0-9 - _", || format!("{name:?}"))
}

pub(crate) async fn backend_health_is_well_and_changes_nothing(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    case.backend().health().await?;
    case.other().health().await?;
    holds("get after health", case.backend().get(&key).await?.as_ref(), &value)
}

pub(crate) async fn backend_limits_stay_the_same(case: &Case) -> Outcome {
    let limits = case.backend().limits();
    ensure(!limits.resolution.is_zero(), "a resolution above zero", || "zero".to_owned())?;
    case.backend().set(&case.key("k"), case.value(), &case.kept()).await?;
    equal("the limits when asked again", &case.backend().limits(), &limits)?;
    equal("the limits of another handle", &case.other().limits(), &limits)
}

pub(crate) async fn backend_abilities_stay_the_same(case: &Case) -> Outcome {
    let names = case.backend().abilities().names();
    case.backend().set(&case.key("k"), case.value(), &case.kept()).await?;
    equal("the abilities when asked again", &case.backend().abilities().names(), &names)?;
    equal("the abilities of another handle", &case.other().abilities().names(), &names)
}

pub(crate) async fn backend_abilities_are_those_declared(case: &Case) -> Outcome {
    let Some(mut declared) = case.declared() else {
        return Err(Unmet::skipped("the fixture does not say which abilities there should be"));
    };
    let mut offered = case.backend().abilities().names();
    declared.sort_unstable();
    offered.sort_unstable();
    equal("the abilities", &offered, &declared)
}

pub(crate) async fn backend_close_may_be_called_twice(case: &Case) -> Outcome {
    let (handle, key) = (case.reopen().await, case.key("k"));
    handle.set(&key, case.value(), &case.kept()).await?;
    case.in_time("close to end", handle.close()).await?;
    case.in_time("the second close to end", handle.close()).await?;
    // It may fail or not; it must not hang.
    case.in_time("a call after close to end", handle.get(&key)).await?.map_or_else(
        |error| {
            let name = handle.name().to_owned();
            ensure(
                error.backend_name() == Some(&name),
                format_args!("an error that names the backend {name:?}"),
                || error.to_string(),
            )
        },
        |_| Ok(()),
    )
}
