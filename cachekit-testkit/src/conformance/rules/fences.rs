//! Rules about fences.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Acquired, FenceToken, Fenced, Key, SetOptions, Ttl};
use tokio::task::JoinSet;

use super::concurrency::all;
use super::lives::Given;
use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, ensure, equal, holds, nothing};

pub(crate) async fn fenced_1_a_held_fence_excludes_others(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    equal("acquire by another", &fenced.acquire(&key, &case.token(), LONG).await?, &Acquired::Held)?;
    let elsewhere = case.other().abilities().fenced.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
    let answer = elsewhere.acquire(&key, &case.token(), LONG).await?;
    equal("acquire by another through another handle", &answer, &Acquired::Held)?;
    granted("the fence of another key", fenced.acquire(&case.key("l"), &case.token(), LONG).await?)
}

pub(crate) async fn fenced_1_of_many_one_is_granted(case: &Case) -> Outcome {
    case.fenced()?;
    let key = case.key("k");
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let backend = Arc::clone(if n % 2 == 0 { case.backend() } else { case.other() });
        let (key, token) = (key.clone(), case.token());
        tasks.spawn(async move {
            let fenced = backend.abilities().fenced.ok_or_else(|| Unmet::deviates("the ability", "none"))?;
            Ok(matches!(fenced.acquire(&key, &token, LONG).await?, Acquired::Granted { .. }))
        });
    }
    let mut winners = 0;
    while let Some(ended) = tasks.join_next().await {
        let won: Outcome<bool> = ended.map_err(|panic| Unmet::deviates("an answer", panic))?;
        winners += usize::from(won?);
    }
    equal("how many of 64 are granted the fence", &winners, &1)
}

pub(crate) async fn fenced_1_acquiring_again_renews(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, case.life()).await?)?;
    granted("the fence to its holder", fenced.acquire(&key, &token, LONG).await?)?;
    case.outlive(case.life()).await?;
    let answer = fenced.acquire(&key, &case.token(), LONG).await?;
    equal("acquire by another, beyond the first lease of a fence acquired again", &answer, &Acquired::Held)
}

pub(crate) async fn fenced_2_a_fence_lapses(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, case.life()).await?)?;
    case.outlive(case.life()).await?;
    granted("a fence that has lapsed", fenced.acquire(&key, &case.token(), LONG).await?)?;
    equal("release of a fence that lapsed and was taken", &fenced.release(&key, &token).await?, &false)
}

pub(crate) async fn fenced_2_a_lease_is_not_cut_short(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    let lease = case.life();
    for _ in 0..ATTEMPTS {
        let began = case.now();
        granted("a free fence", fenced.acquire(&key, &token, lease).await?)?;
        let late = if case.time_stands_still() { lease - Duration::from_nanos(1) } else { lease / 8 * 7 };
        case.pass(late.saturating_sub(case.now().since(began))).await?;
        let answer = fenced.acquire(&key, &case.token(), LONG).await?;
        if case.now().since(began) < lease {
            return equal("acquire by another, before the lease has passed", &answer, &Acquired::Held);
        }
        // It may have lapsed, and been taken by that other. Another fence, then.
        fenced.delete_and_revoke(&key).await?;
    }
    Err(Unmet::skipped("this machine is too slow to look at a fence before it lapses"))
}

pub(crate) async fn fenced_2_a_renewed_fence_is_held_on(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, case.life()).await?)?;
    if !fenced.renew(&key, &token, LONG).await? {
        return match case.time_stands_still() {
            true => Err(Unmet::deviates("renew by the holder: true", "false")),
            false => Err(Unmet::skipped("this machine is too slow to renew a fence before it lapses")),
        };
    }
    case.outlive(case.life()).await?;
    let answer = fenced.acquire(&key, &case.token(), LONG).await?;
    equal("acquire by another, beyond the first lease of a renewed fence", &answer, &Acquired::Held)
}

pub(crate) async fn fenced_3_a_stranger_changes_nothing(case: &Case) -> Outcome {
    let (fenced, key, token, stranger) = (case.fenced()?, case.key("k"), case.token(), case.token());
    equal("renew of a fence that nobody holds", &fenced.renew(&key, &stranger, LONG).await?, &false)?;
    equal("release of a fence that nobody holds", &fenced.release(&key, &stranger).await?, &false)?;
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    equal("renew by another", &fenced.renew(&key, &stranger, LONG).await?, &false)?;
    equal("release by another", &fenced.release(&key, &stranger).await?, &false)?;
    let answer = fenced.acquire(&key, &case.token(), LONG).await?;
    equal("acquire after another tried to release", &answer, &Acquired::Held)?;
    equal("renew by the holder after that", &fenced.renew(&key, &token, LONG).await?, &true)
}

pub(crate) async fn fenced_3_a_lapsed_fence_is_not_renewed(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, case.life()).await?)?;
    case.outlive(case.life()).await?;
    equal("renew of a fence that has lapsed", &fenced.renew(&key, &token, LONG).await?, &false)?;
    equal("release of a fence that has lapsed", &fenced.release(&key, &token).await?, &false)
}

pub(crate) async fn fenced_3_the_holder_frees_it_once(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    equal("release by the holder", &fenced.release(&key, &token).await?, &true)?;
    equal("the second release", &fenced.release(&key, &token).await?, &false)?;
    granted("a fence that was released", fenced.acquire(&key, &case.token(), LONG).await?)
}

pub(crate) async fn fenced_4_the_holder_stores_and_ends_the_fence(case: &Case) -> Outcome {
    let (fenced, key, token, value) = (case.fenced()?, case.key("k"), case.token(), case.value());
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    equal("set_fenced by the holder", &fenced.set_fenced(&key, &token, value.clone(), &case.kept()).await?, &true)?;
    holds("get after set_fenced", case.backend().get(&key).await?.as_ref(), &value)?;
    equal("release after set_fenced", &fenced.release(&key, &token).await?, &false)?;
    refuses(case, fenced, &key, &token, Some(&value), "a second set_fenced").await?;
    granted("the fence after set_fenced", fenced.acquire(&key, &case.token(), LONG).await?)
}

pub(crate) async fn fenced_4_what_it_stores_lives_as_told(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    equal("set_fenced", &fenced.set_fenced(&key, &token, case.value(), &case.short()).await?, &true)?;
    case.outlive(case.life()).await?;
    nothing("get after the end that set_fenced gave", case.backend().get(&key).await?.as_ref())?;
    fenced.set_and_revoke(&key, case.value(), &case.short()).await?;
    case.outlive(case.life()).await?;
    nothing("get after the end that set_and_revoke gave", case.backend().get(&key).await?.as_ref())?;

    let (stored, written, value) = (case.key("stored"), case.key("written"), case.value());
    // The lease is as long as the time that passes: it must not become the life of what is stored.
    granted("a free fence", fenced.acquire(&stored, &token, case.life()).await?)?;
    if !fenced.set_fenced(&stored, &token, value.clone(), &case.kept()).await? {
        return Err(Unmet::skipped("this machine is too slow to store before a fence lapses"));
    }
    fenced.set_and_revoke(&written, value.clone(), &SetOptions::new(Ttl::Never)).await?;
    case.outlive(case.life()).await?;
    holds("get before the end that set_fenced gave", case.backend().get(&stored).await?.as_ref(), &value)?;
    holds("get of what set_and_revoke stored for ever", case.backend().get(&written).await?.as_ref(), &value)
}

pub(crate) async fn fenced_4_without_the_fence_nothing_is_stored(case: &Case) -> Outcome {
    let (fenced, key, value) = (case.fenced()?, case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    refuses(case, fenced, &key, &case.token(), Some(&value), "set_fenced while nobody holds the fence").await?;
    let token = case.token();
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    refuses(case, fenced, &key, &case.token(), Some(&value), "set_fenced while another holds the fence").await?;
    equal("release by the holder after that", &fenced.release(&key, &token).await?, &true)?;
    refuses(case, fenced, &key, &token, Some(&value), "set_fenced after a release").await
}

pub(crate) async fn fenced_4_under_a_lapsed_fence_nothing_is_stored(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, case.life()).await?)?;
    case.outlive(case.life()).await?;
    refuses(case, fenced, &key, &token, None, "set_fenced under a lapsed fence").await?;
    let (next, value) = (case.token(), case.value());
    granted("a fence that has lapsed", fenced.acquire(&key, &next, LONG).await?)?;
    refuses(case, fenced, &key, &token, None, "set_fenced under a lapsed fence that another took").await?;
    equal("set_fenced by that other", &fenced.set_fenced(&key, &next, value.clone(), &case.kept()).await?, &true)
}

pub(crate) async fn fenced_5_set_and_revoke_ends_a_load(case: &Case) -> Outcome {
    let (fenced, key, token, value) = (case.fenced()?, case.key("k"), case.token(), case.value());
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    fenced.set_and_revoke(&key, value.clone(), &case.kept()).await?;
    holds("get after set_and_revoke", case.backend().get(&key).await?.as_ref(), &value)?;
    refuses(case, fenced, &key, &token, Some(&value), "set_fenced after set_and_revoke").await?;
    equal("renew after set_and_revoke", &fenced.renew(&key, &token, LONG).await?, &false)?;
    granted("the fence after set_and_revoke", fenced.acquire(&key, &case.token(), LONG).await?)
}

pub(crate) async fn fenced_5_delete_and_revoke_ends_a_load(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    case.backend().set(&key, case.value(), &case.kept()).await?;
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    fenced.delete_and_revoke(&key).await?;
    nothing("get after delete_and_revoke", case.backend().get(&key).await?.as_ref())?;
    refuses(case, fenced, &key, &token, None, "set_fenced after delete_and_revoke").await?;
    granted("the fence after delete_and_revoke", fenced.acquire(&key, &case.token(), LONG).await?)?;
    fenced.delete_and_revoke(&case.key("missing")).await?;
    Ok(())
}

pub(crate) async fn fenced_5_plain_writes_leave_fences_alone(case: &Case) -> Outcome {
    let (fenced, key, token) = (case.fenced()?, case.key("k"), case.token());
    granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
    case.backend().set(&key, case.value(), &case.kept()).await?;
    equal("renew after a plain set", &fenced.renew(&key, &token, LONG).await?, &true)?;
    case.backend().delete(&key).await?;
    equal("renew after a plain delete", &fenced.renew(&key, &token, LONG).await?, &true)?;
    equal("acquire by another after that", &fenced.acquire(&key, &case.token(), LONG).await?, &Acquired::Held)
}

pub(crate) async fn fenced_5_a_load_and_a_write_do_not_both_win(case: &Case) -> Outcome {
    case.fenced()?;
    let mut tasks = JoinSet::new();
    for key in case.keys(32) {
        let (loader, writer) = (Arc::clone(case.backend()), Arc::clone(case.other()));
        let (token, loaded, written, kept) = (case.token(), case.value(), case.value(), case.kept());
        tasks.spawn(async move {
            let absent = || Unmet::deviates("the ability", "none");
            let fenced = loader.abilities().fenced.ok_or_else(absent)?;
            granted("a free fence", fenced.acquire(&key, &token, LONG).await?)?;
            let write = async {
                let fenced = writer.abilities().fenced.ok_or_else(absent)?;
                Outcome::Ok(fenced.set_and_revoke(&key, written.clone(), &kept).await?)
            };
            let (stored, done) = tokio::join!(fenced.set_fenced(&key, &token, loaded, &kept), write);
            done?;
            stored?;
            // Whichever came first, the write is what stays: it did not see the load, and the load did see it.
            holds("get after a load and a write met", loader.get(&key).await?.as_ref(), &written)
        });
    }
    all(tasks).await
}

pub(crate) async fn fenced_6_a_grant_tells_what_is_stored(case: &Case) -> Outcome {
    let (fenced, key, value) = (case.fenced()?, case.key("k"), case.value());
    let told = |acquired| match acquired {
        Acquired::Granted { found } => Ok(found),
        Acquired::Held => Err(Unmet::deviates("a free fence to be granted", "that another holds it")),
    };
    let token = case.token();
    nothing("what a grant tells before a set", told(fenced.acquire(&key, &token, LONG).await?)?.as_ref())?;
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    let found = told(fenced.acquire(&key, &token, LONG).await?)?;
    holds("what a grant tells after a set", found.as_ref(), &value)?;
    case.backend().delete(&key).await?;
    nothing("what a grant tells after a delete", told(fenced.acquire(&key, &token, LONG).await?)?.as_ref())?;
    case.backend().set(&key, value, &case.short()).await?;
    case.outlive(case.life()).await?;
    nothing("what a grant tells after the end", told(fenced.acquire(&key, &token, LONG).await?)?.as_ref())?;

    let (key, life) = (case.key("alive"), Duration::from_secs(7_200));
    let began = case.now();
    case.backend().set(&key, case.value(), &case.options(life)).await?;
    let given = Given::since(case, life, began);
    let asked = case.now();
    let found = told(fenced.acquire(&key, &token, LONG).await?)?;
    given.check_entry(case, "the entry that a grant tells", found.as_ref(), asked)
}

fn granted(what: &str, acquired: Acquired) -> Outcome {
    ensure(matches!(acquired, Acquired::Granted { .. }), format_args!("{what} to be granted"), || {
        format!("{acquired:?}")
    })
}

/// A store under `token` is refused and changes nothing.
async fn refuses(
    case: &Case,
    fenced: &dyn Fenced,
    key: &Key,
    token: &FenceToken,
    stored: Option<&Bytes>,
    when: &str,
) -> Outcome {
    equal(when, &fenced.set_fenced(key, token, case.value(), &case.kept()).await?, &false)?;
    let found = case.backend().get(key).await?;
    match stored {
        Some(value) => holds(format_args!("get after {when}"), found.as_ref(), value),
        None => nothing(format_args!("get after {when}"), found.as_ref()),
    }
}

/// Enough for a machine that is merely busy.
const ATTEMPTS: usize = 10;
/// Longer than any rule takes.
const LONG: Duration = Duration::from_secs(36_000);
