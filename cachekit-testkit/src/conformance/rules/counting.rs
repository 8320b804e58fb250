//! Rules about epochs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, ensure, equal};

pub(crate) async fn counting_1_an_epoch_begins_at_zero(case: &Case) -> Outcome {
    let counting = case.counting()?;
    equal("the epoch before the first advance", &counting.epoch(&case.namespace("a")).await?, &0)?;
    counting.advance(&case.namespace("a")).await?;
    equal("the epoch of another prefix", &counting.epoch(&case.namespace("b")).await?, &0)
}

pub(crate) async fn counting_2_an_epoch_only_grows(case: &Case) -> Outcome {
    let (counting, prefix) = (case.counting()?, case.namespace("a"));
    let elsewhere = case.other().abilities().counting.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
    let mut last = counting.epoch(&prefix).await?;
    for n in 0..8 {
        let by = if n % 2 == 0 { counting } else { elsewhere };
        let next = by.advance(&prefix).await?;
        ensure(next > last, format_args!("advance: more than {last}"), || next.to_string())?;
        for reader in [counting, elsewhere] {
            let seen = reader.epoch(&prefix).await?;
            ensure(seen >= next, format_args!("epoch after advance: {next} or more"), || seen.to_string())?;
        }
        last = next;
    }
    Ok(())
}

pub(crate) async fn counting_2_many_advances_are_all_told_apart(case: &Case) -> Outcome {
    case.counting()?;
    let prefix = case.namespace("a");
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let backend = Arc::clone(if n % 2 == 0 { case.backend() } else { case.other() });
        let prefix = prefix.clone();
        tasks.spawn(async move {
            let counting = backend.abilities().counting.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
            Outcome::Ok(counting.advance(&prefix).await?)
        });
    }
    let mut told = BTreeSet::new();
    while let Some(ended) = tasks.join_next().await {
        told.insert(ended.map_err(|panic| Unmet::deviates("an answer", panic))??);
    }
    equal("how many different numbers 64 advances told", &told.len(), &64)
}

pub(crate) async fn counting_3_an_epoch_outlives_entries(case: &Case) -> Outcome {
    let (counting, prefix) = (case.counting()?, case.namespace("a"));
    let key = case.under(&prefix, "k");
    case.backend().set(&key, case.value(), &case.short()).await?;
    let epoch = counting.advance(&prefix).await?;
    case.backend().delete(&key).await?;
    if let Some(clearable) = case.backend().abilities().clearable {
        clearable.clear(&prefix).await?;
    }
    if case.time_stands_still() {
        case.pass(YEARS).await?;
    } else if case.is_full() {
        case.outlive(case.life()).await?;
    }
    let left = counting.epoch(&prefix).await?;
    ensure(left >= epoch, format_args!("epoch after the entries are gone: {epoch} or more"), || left.to_string())
}

pub(crate) async fn counting_3_an_epoch_outlives_eviction(case: &Case) -> Outcome {
    let (counting, prefix) = (case.counting()?, case.namespace("a"));
    let epoch = counting.advance(&prefix).await?;
    case.evict().await?;
    let left = counting.epoch(&prefix).await?;
    ensure(left >= epoch, format_args!("epoch after eviction: {epoch} or more"), || left.to_string())
}

/// Longer than any entry is kept.
const YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
