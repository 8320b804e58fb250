//! Rules about when an entry ends.

use std::time::Duration;

use cachekit_core::{SetOptions, Ttl};

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, ensure, equal, holds, nothing};

pub(crate) async fn backend_2_an_ended_entry_is_missing(case: &Case) -> Outcome {
    let key = case.key("k");
    case.backend().set(&key, case.value(), &case.short()).await?;
    case.outlive(case.life()).await?;
    nothing("get after the end of the entry", case.backend().get(&key).await?.as_ref())?;
    equal("exists after the end of the entry", &case.backend().exists(&key).await?, &false)?;
    for found in case.backend().get_many(std::slice::from_ref(&key)).await {
        nothing("get_many after the end of the entry", found?.as_ref())?;
    }
    nothing("get through another handle after the end of the entry", case.other().get(&key).await?.as_ref())
}

pub(crate) async fn backend_2_a_life_is_not_cut_short(case: &Case) -> Outcome {
    // A clock that ticks cuts lives short by what has passed since its last tick: so entries begin at four moments of one.
    if case.time_stands_still() {
        for n in 0..4 {
            case.pass(case.resolution() / 4).await?;
            is_seen_to_its_end(case, n).await?;
        }
        return Ok(());
    }
    let begun_later = async |n: u32| {
        case.pass(case.resolution() / 4 * n).await?;
        is_seen_to_its_end(case, n).await
    };
    let (first, second, third, last) = tokio::join!(begun_later(0), begun_later(1), begun_later(2), begun_later(3));
    first.and(second).and(third).and(last)
}

async fn is_seen_to_its_end(case: &Case, n: u32) -> Outcome {
    let key = case.key(&n.to_string());
    // Not in whole units of the resolution: so rounding shows.
    let life = case.life() + case.resolution() / 2;
    for _ in 0..ATTEMPTS {
        let value = case.value();
        // From before the set: an entry may live from any moment between the call and its acknowledgement.
        let began = case.now();
        case.backend().set(&key, value.clone(), &case.options(life)).await?;
        let mut seen_until = Duration::ZERO;
        // First in the middle of its life, then each time half of what is left nearer to the end, and at last just before.
        for look in 1..=LOOKS {
            let at = if look == LOOKS && case.time_stands_still() {
                life - Duration::from_nanos(1)
            } else {
                life - life / 2_u32.pow(look)
            };
            case.pass(at.saturating_sub(case.now().since(began))).await?;
            let found = case.backend().get(&key).await?;
            // Whatever the machine did meanwhile: after its life an entry may be gone.
            let asked_until = case.now().since(began);
            if asked_until >= life {
                break;
            }
            holds(format_args!("get after {asked_until:?} of a life of {life:?}"), found.as_ref(), &value)?;
            seen_until = asked_until;
        }
        if seen_until >= life / 8 * 7 {
            return Ok(());
        }
    }
    Err(Unmet::skipped("this machine is too slow to look at an entry shortly before its end"))
}

pub(crate) async fn backend_2_the_shortest_life_is_rounded_up(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.options(Duration::from_nanos(1))).await?;
    if case.time_stands_still() {
        holds("get before any time has passed", case.backend().get(&key).await?.as_ref(), &value)?;
    }
    case.outlive(Duration::from_nanos(1)).await?;
    nothing("get after a nanosecond's life, rounded up", case.backend().get(&key).await?.as_ref())
}

pub(crate) async fn backend_2_never_does_not_end(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &SetOptions::new(Ttl::Never)).await?;
    case.pass(if case.time_stands_still() { TEN_YEARS } else { case.life() }).await?;
    holds("get of an entry that never ends", case.backend().get(&key).await?.as_ref(), &value)
}

pub(crate) async fn backend_2_the_longest_life_is_taken(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    let longest = case.backend().limits().max_ttl.unwrap_or(Duration::MAX);
    case.backend().set(&key, value.clone(), &case.options(longest)).await?;
    holds("get of an entry with the longest life", case.backend().get(&key).await?.as_ref(), &value)
}

pub(crate) async fn backend_2_an_overwrite_replaces_the_life(case: &Case) -> Outcome {
    let (ends, stays, value) = (case.key("ends"), case.key("stays"), case.value());
    case.backend().set(&ends, case.value(), &SetOptions::new(Ttl::Never)).await?;
    case.backend().set(&stays, case.value(), &case.short()).await?;
    case.backend().set(&ends, value.clone(), &case.short()).await?;
    case.backend().set(&stays, value.clone(), &SetOptions::new(Ttl::Never)).await?;
    case.outlive(case.life()).await?;
    nothing("get after the end of the life that an overwrite gave", case.backend().get(&ends).await?.as_ref())?;
    let stayed = case.backend().get(&stays).await?;
    holds("get of an entry that an overwrite made to stay", stayed.as_ref(), &value)
}

pub(crate) async fn backend_2_an_ended_entry_can_be_set_again(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    case.backend().set(&key, case.value(), &case.short()).await?;
    case.outlive(case.life()).await?;
    case.backend().delete(&key).await?;
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    holds("get after a set that followed the end", case.backend().get(&key).await?.as_ref(), &value)
}

pub(crate) async fn backend_2_entries_end_each_in_its_time(case: &Case) -> Outcome {
    let (keys, value) = (case.keys(20), case.value());
    for (n, key) in keys.iter().enumerate() {
        let options = if n % 2 == 0 { case.short() } else { case.kept() };
        case.backend().set(key, value.clone(), &options).await?;
    }
    case.outlive(case.life()).await?;
    let left = case.backend().get_many(&keys).await;
    ensure(left.len() == keys.len(), format_args!("{} answers", keys.len()), || left.len().to_string())?;
    for (n, found) in left.into_iter().enumerate() {
        match n % 2 {
            0 => nothing("get_many of an entry that has ended", found?.as_ref())?,
            _ => holds("get_many of an entry between ended ones", found?.as_ref(), &value)?,
        }
    }
    Ok(())
}

/// Enough for a machine that is merely busy.
const ATTEMPTS: usize = 10;
/// The last look is a thirty-second of the life before its end.
const LOOKS: u32 = 5;
const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
