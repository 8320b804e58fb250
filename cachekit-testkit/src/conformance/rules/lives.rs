//! Rules about what is told of an entry's remaining life, and about renewing it.

use std::fmt::Display;
use std::time::Duration;

use cachekit_core::{Entry, Moment, Remaining, SetOptions, Ttl};

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, ensure, equal, holds, nothing};

pub(crate) async fn backend_6_the_remaining_life_is_true(case: &Case) -> Outcome {
    let key = case.key("k");
    let life = Duration::from_secs(3_600);
    let began = case.now();
    case.backend().set(&key, case.value(), &case.options(life)).await?;
    let given = Given::since(case, life, began);
    for _ in 0..2 {
        let asked = case.now();
        given.check_entry(case, "get", case.backend().get(&key).await?.as_ref(), asked)?;
        let asked = case.now();
        for found in case.backend().get_many(std::slice::from_ref(&key)).await {
            given.check_entry(case, "get_many", found?.as_ref(), asked)?;
        }
        if case.time_stands_still() {
            case.pass(life / 3).await?;
        }
    }
    Ok(())
}

pub(crate) async fn backend_6_an_entry_without_an_end_has_none(case: &Case) -> Outcome {
    let key = case.key("k");
    case.backend().set(&key, case.value(), &SetOptions::new(Ttl::Never)).await?;
    let remaining = found(case, &key).await?;
    let honest = matches!(remaining, Remaining::Never | Remaining::Unknown);
    ensure(honest, "get of an entry that never ends: Never or Unknown", || format!("{remaining:?}"))
}

async fn found(case: &Case, key: &cachekit_core::Key) -> Outcome<Remaining> {
    let entry = case.backend().get(key).await?;
    entry.map(|entry| entry.remaining).ok_or_else(|| Unmet::deviates("get after set: an entry", "nothing"))
}

pub(crate) async fn expiring_1_missing_is_none(case: &Case) -> Outcome {
    let (expiring, key) = (case.expiring()?, case.key("k"));
    equal("remaining of a key that was never set", &expiring.remaining(&key).await?, &None)?;
    case.backend().set(&key, case.value(), &case.kept()).await?;
    case.backend().delete(&key).await?;
    equal("remaining after a delete", &expiring.remaining(&key).await?, &None)
}

pub(crate) async fn expiring_1_ended_is_none(case: &Case) -> Outcome {
    let (expiring, key) = (case.expiring()?, case.key("k"));
    case.backend().set(&key, case.value(), &case.short()).await?;
    case.outlive(case.life()).await?;
    equal("remaining after the end of the entry", &expiring.remaining(&key).await?, &None)
}

pub(crate) async fn expiring_1_the_remaining_life_is_true(case: &Case) -> Outcome {
    let (expiring, key) = (case.expiring()?, case.key("k"));
    let life = Duration::from_secs(3_600);
    let began = case.now();
    case.backend().set(&key, case.value(), &case.options(life)).await?;
    let given = Given::since(case, life, began);
    for _ in 0..2 {
        let asked = case.now();
        given.check(case, "remaining", expiring.remaining(&key).await?, asked)?;
        if case.time_stands_still() {
            case.pass(life / 3).await?;
        }
    }
    Ok(())
}

pub(crate) async fn expiring_1_an_entry_without_an_end_has_none(case: &Case) -> Outcome {
    let (expiring, key) = (case.expiring()?, case.key("k"));
    case.backend().set(&key, case.value(), &SetOptions::new(Ttl::Never)).await?;
    equal("remaining of an entry that never ends", &expiring.remaining(&key).await?, &Some(Remaining::Never))
}

pub(crate) async fn expiring_2_renewing_replaces_the_life(case: &Case) -> Outcome {
    let (expiring, key, value) = (case.expiring()?, case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    // Longer, then shorter than what is left.
    for life in [Duration::from_secs(86_400), Duration::from_secs(600)] {
        let began = case.now();
        equal("renew of an entry that is there", &expiring.renew(&key, case.ttl(life)).await?, &true)?;
        let given = Given::since(case, life, began);
        let asked = case.now();
        given.check(case, "remaining after renew", expiring.remaining(&key).await?, asked)?;
    }
    equal("renew of an entry that is there", &expiring.renew(&key, Ttl::Never).await?, &true)?;
    equal("remaining after renew with never", &expiring.remaining(&key).await?, &Some(Remaining::Never))?;
    equal("renew of an entry that never ends", &expiring.renew(&key, Ttl::secs(600)).await?, &true)?;
    let remaining = expiring.remaining(&key).await?;
    ensure(matches!(remaining, Some(Remaining::For(_))), "remaining after renew: an end", || format!("{remaining:?}"))
}

pub(crate) async fn expiring_2_renewing_leaves_the_value(case: &Case) -> Outcome {
    let (expiring, key, value) = (case.expiring()?, case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    for ttl in [Ttl::secs(600), Ttl::Never] {
        equal("renew of an entry that is there", &expiring.renew(&key, ttl).await?, &true)?;
        holds("get after renew", case.backend().get(&key).await?.as_ref(), &value)?;
    }
    Ok(())
}

pub(crate) async fn expiring_2_a_renewed_entry_ends_when_it_was_told(case: &Case) -> Outcome {
    let (expiring, value) = (case.expiring()?, case.value());
    let (shortened, prolonged) = (case.key("shortened"), case.key("prolonged"));
    case.backend().set(&shortened, value.clone(), &case.kept()).await?;
    case.backend().set(&prolonged, value.clone(), &case.short()).await?;
    let prolonged_in_time = expiring.renew(&prolonged, Ttl::secs(3_600)).await?;
    expiring.renew(&shortened, case.ttl(case.life())).await?;
    case.outlive(case.life()).await?;
    nothing("get after the end that renew gave", case.backend().get(&shortened).await?.as_ref())?;
    match prolonged_in_time {
        true => holds("get of a prolonged entry", case.backend().get(&prolonged).await?.as_ref(), &value),
        false if case.time_stands_still() => Err(Unmet::deviates("renew of an entry that is there: true", "false")),
        false => Err(Unmet::skipped("this machine is too slow to renew an entry before its end")),
    }
}

pub(crate) async fn expiring_2_renewing_what_is_missing_is_false(case: &Case) -> Outcome {
    let (expiring, key) = (case.expiring()?, case.key("k"));
    for ttl in [Ttl::secs(600), Ttl::Never] {
        equal("renew of a key that was never set", &expiring.renew(&key, ttl).await?, &false)?;
        nothing("get after that renew", case.backend().get(&key).await?.as_ref())?;
    }
    Ok(())
}

/// A life, and between which moments it was given.
pub(super) struct Given {
    life: Duration,
    began: Moment,
    ended: Moment,
}

impl Given {
    /// A life that was given between `began` and now.
    pub(super) fn since(case: &Case, life: Duration, began: Moment) -> Self {
        Self { life, began, ended: case.now() }
    }

    /// Fails unless an entry was found, and what it tells of its life can be true or is honestly unknown.
    pub(super) fn check_entry(&self, case: &Case, when: &str, found: Option<&Entry>, asked: Moment) -> Outcome {
        match found.map(|entry| entry.remaining) {
            Some(Remaining::Unknown) => Ok(()),
            told => self.check(case, when, told, asked),
        }
    }

    /// Fails unless `remaining`, told since `asked`, can be true.
    fn check(&self, case: &Case, when: impl Display, remaining: Option<Remaining>, asked: Moment) -> Outcome {
        let least = self.life.saturating_sub(case.now().since(self.began)).saturating_sub(case.resolution());
        let most = (self.life + case.resolution() * 2).saturating_sub(asked.since(self.ended));
        let right = matches!(remaining, Some(Remaining::For(left)) if (least..=most).contains(&left));
        ensure(right, format_args!("{when}: between {least:?} and {most:?}"), || format!("{remaining:?}"))
    }
}
