//! Rules about batches: they are what single calls are, element by element.

use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Error, Key, Write};

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, ensure, holds, nothing};

pub(crate) async fn backend_7_get_many_answers_in_order(case: &Case) -> Outcome {
    let keys = case.keys(6);
    let values: Vec<_> = keys.iter().map(|_| case.value()).collect();
    for (key, value) in keys.iter().zip(&values).skip(1) {
        case.backend().set(key, value.clone(), &case.kept()).await?;
    }
    // The first key is missing; the order is not that of the keys; some come again.
    let asked = [4, 0, 2, 4, 5, 0, 1, 3, 2, 2];
    let answers = case.backend().get_many(&asked.map(|n| keys[n].clone())).await;
    as_many(asked.len(), answers.len())?;
    for (place, (n, found)) in asked.into_iter().zip(answers).enumerate() {
        match n {
            0 => nothing(format_args!("get_many, element {place}, a miss"), found?.as_ref())?,
            n => holds(format_args!("get_many, element {place}"), found?.as_ref(), &values[n])?,
        }
    }
    Ok(())
}

pub(crate) async fn backend_7_of_two_writes_to_one_key_the_later_stays(case: &Case) -> Outcome {
    let (keys, values) = (case.keys(2), [case.value(), case.value(), case.value()]);
    let write = |key: &Key, value: &Bytes| Write::new(key.clone(), value.clone(), case.kept());
    let writes = [write(&keys[0], &values[0]), write(&keys[1], &values[1]), write(&keys[0], &values[2])];
    all_succeed("set_many", writes.len(), case.backend().set_many(&writes).await)?;
    holds("get after set_many wrote it twice", case.backend().get(&keys[0]).await?.as_ref(), &values[2])?;
    holds("get after set_many wrote it once", case.backend().get(&keys[1]).await?.as_ref(), &values[1])
}

pub(crate) async fn backend_7_set_many_gives_each_its_life(case: &Case) -> Outcome {
    let (keys, value) = (case.keys(2), case.value());
    let writes = [
        Write::new(keys[0].clone(), value.clone(), case.short()),
        Write::new(keys[1].clone(), value.clone(), case.kept()),
    ];
    all_succeed("set_many", writes.len(), case.backend().set_many(&writes).await)?;
    case.outlive(case.life()).await?;
    nothing("get after the end that set_many gave", case.backend().get(&keys[0]).await?.as_ref())?;
    holds("get before the end that set_many gave", case.backend().get(&keys[1]).await?.as_ref(), &value)
}

pub(crate) async fn backend_7_delete_many_takes_duplicates_and_misses(case: &Case) -> Outcome {
    let (keys, value) = (case.keys(3), case.value());
    for key in &keys {
        case.backend().set(key, value.clone(), &case.kept()).await?;
    }
    let gone = [keys[0].clone(), case.key("missing"), keys[0].clone(), keys[2].clone()];
    all_succeed("delete_many", gone.len(), case.backend().delete_many(&gone).await)?;
    nothing("get after delete_many", case.backend().get(&keys[0]).await?.as_ref())?;
    nothing("get after delete_many", case.backend().get(&keys[2]).await?.as_ref())?;
    holds("get of what delete_many was not given", case.backend().get(&keys[1]).await?.as_ref(), &value)
}

pub(crate) async fn backend_7_empty_batches_are_answered(case: &Case) -> Outcome {
    as_many(0, case.backend().get_many(&[]).await.len())?;
    as_many(0, case.backend().set_many(&[]).await.len())?;
    as_many(0, case.backend().delete_many(&[]).await.len())
}

pub(crate) async fn backend_7_large_batches_are_answered_whole(case: &Case) -> Outcome {
    let keys = case.keys(1_500);
    let value = |n: usize| Bytes::from(format!("value {n}"));
    let writes: Vec<_> =
        keys.iter().enumerate().map(|(n, key)| Write::new(key.clone(), value(n), case.kept())).collect();
    all_succeed("set_many", keys.len(), case.backend().set_many(&writes).await)?;
    let answers = case.backend().get_many(&keys).await;
    as_many(keys.len(), answers.len())?;
    for (n, found) in answers.into_iter().enumerate() {
        holds(format_args!("get_many of {}, element {n}", keys.len()), found?.as_ref(), &value(n))?;
    }
    all_succeed("delete_many", keys.len(), case.backend().delete_many(&keys).await)?;
    for found in case.backend().get_many(&keys).await {
        nothing("get_many after delete_many", found?.as_ref())?;
    }
    Ok(())
}

pub(crate) async fn backend_7_one_bad_element_does_not_spoil_the_rest(case: &Case) -> Outcome {
    let (keys, value) = (case.keys(3), case.value());
    let limits = case.backend().limits();
    let bad = match (limits.max_value, limits.max_ttl) {
        (Some(most), _) if most <= LARGEST_REFUSED => {
            Write::new(keys[1].clone(), vec![0; most + 1].into(), case.kept())
        }
        (_, Some(longest)) if longest < Duration::MAX => {
            Write::new(keys[1].clone(), value.clone(), case.options(longest + Duration::from_nanos(1)))
        }
        _ => return Err(Unmet::skipped("the backend takes every value for every time: no element can be bad")),
    };
    let good = |key: &Key| Write::new(key.clone(), value.clone(), case.kept());
    let answers = case.backend().set_many(&[good(&keys[0]), bad, good(&keys[2])]).await;
    as_many(3, answers.len())?;
    let failed: Vec<bool> = answers.iter().map(Result::is_err).collect();
    ensure(failed == [false, true, false], "set_many with a bad element in the middle: only that one fails", || {
        let answers = answers.iter().map(|answer| answer.as_ref().err().map_or("ok".into(), Error::to_string));
        answers.collect::<Vec<_>>().join(", ")
    })?;
    holds("get of the element before the bad one", case.backend().get(&keys[0]).await?.as_ref(), &value)?;
    nothing("get of the bad element", case.backend().get(&keys[1]).await?.as_ref())?;
    holds("get of the element after the bad one", case.backend().get(&keys[2]).await?.as_ref(), &value)
}

fn as_many(expected: usize, got: usize) -> Outcome {
    ensure(expected == got, format_args!("an answer for each of {expected} elements"), || format!("{got} answers"))
}

fn all_succeed(what: &str, expected: usize, answers: Vec<cachekit_core::Result<()>>) -> Outcome {
    as_many(expected, answers.len())?;
    answers.into_iter().enumerate().try_for_each(|(n, answer)| {
        answer.map_err(|error| Unmet::deviates(format_args!("{what}, element {n}: success"), error))
    })
}

/// A value that is only to be refused is never touched, so that it costs address space and no memory.
pub(crate) const LARGEST_REFUSED: usize = 1 << 30;
