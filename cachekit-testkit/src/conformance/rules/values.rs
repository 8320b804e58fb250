//! Rules about storing, reading, replacing and deleting one entry.

use bytes::Bytes;

use crate::conformance::case::Case;
use crate::conformance::outcome::{Outcome, Unmet, equal, holds, nothing};

pub(crate) async fn backend_1_a_set_is_read_at_once(case: &Case) -> Outcome {
    for n in 0..8 {
        let (key, value) = (case.key(&n.to_string()), case.value());
        case.backend().set(&key, value.clone(), &case.kept()).await?;
        holds("get after an acknowledged set", case.backend().get(&key).await?.as_ref(), &value)?;
    }
    Ok(())
}

pub(crate) async fn backend_1_an_overwrite_is_read_at_once(case: &Case) -> Outcome {
    let key = case.key("k");
    for n in 0..8 {
        // Shorter and longer than what was there: nothing of the earlier value may shine through.
        let value = case.bytes([32, 8, 100, 16][n % 4]);
        case.backend().set(&key, value.clone(), &case.kept()).await?;
        holds("get after an overwrite", case.backend().get(&key).await?.as_ref(), &value)?;
    }
    Ok(())
}

pub(crate) async fn backend_3_missing_is_none(case: &Case) -> Outcome {
    let key = case.key("k");
    nothing("get of a key that was never set", case.backend().get(&key).await?.as_ref())?;
    equal("exists of a key that was never set", &case.backend().exists(&key).await?, &false)
}

pub(crate) async fn backend_3_deleting_what_is_missing_succeeds(case: &Case) -> Outcome {
    let key = case.key("k");
    case.backend().delete(&key).await?;
    case.backend().set(&key, case.value(), &case.kept()).await?;
    case.backend().delete(&key).await?;
    case.backend().delete(&key).await?;
    nothing("get after two deletes", case.backend().get(&key).await?.as_ref())
}

pub(crate) async fn backend_4_the_empty_value(case: &Case) -> Outcome {
    let key = case.key("k");
    case.backend().set(&key, Bytes::new(), &case.kept()).await?;
    holds("get after set", case.backend().get(&key).await?.as_ref(), &Bytes::new())?;
    equal("exists of an empty value", &case.backend().exists(&key).await?, &true)
}

pub(crate) async fn backend_4_every_single_byte(case: &Case) -> Outcome {
    for byte in 0..=u8::MAX {
        returns(case, vec![byte].into()).await?;
    }
    Ok(())
}

pub(crate) async fn backend_4_every_byte_in_one_value(case: &Case) -> Outcome {
    returns(case, (0..=u8::MAX).collect()).await?;
    returns(case, (0..=u8::MAX).rev().cycle().take(4_099).collect()).await
}

pub(crate) async fn backend_4_values_that_look_like_something(case: &Case) -> Outcome {
    let looks: [&'static [u8]; 11] = [
        b"\r\n$-1\r\n",
        b"*3\r\n$3\r\nSET\r\n",
        b"null",
        b"nil",
        b"{\"ttl\":1}",
        b" surrounded by spaces ",
        b"two\nlines\n",
        b"\x1f\x8b\x08\x00",
        b"\x04\x22\x4d\x18",
        b"\xff\xfe\xfd",
        b"00000000000000000000000000000001",
    ];
    for look in looks {
        returns(case, Bytes::from_static(look)).await?;
    }
    Ok(())
}

pub(crate) async fn backend_4_a_mebibyte(case: &Case) -> Outcome {
    let most = case.backend().limits().max_value.unwrap_or(usize::MAX);
    returns(case, case.bytes(most.min(1 << 20))).await
}

pub(crate) async fn backend_4_the_largest_value(case: &Case) -> Outcome {
    let most = case.backend().limits().max_value.unwrap_or(usize::MAX);
    returns(case, case.bytes(most.min(if case.is_full() { 32 << 20 } else { 4 << 20 }))).await
}

pub(crate) async fn backend_5_a_deleted_entry_is_missing(case: &Case) -> Outcome {
    let key = case.key("k");
    case.backend().set(&key, case.value(), &case.kept()).await?;
    case.backend().delete(&key).await?;
    nothing("get after an acknowledged delete", case.backend().get(&key).await?.as_ref())?;
    equal("exists after an acknowledged delete", &case.backend().exists(&key).await?, &false)
}

pub(crate) async fn backend_5_a_set_after_a_delete_is_read(case: &Case) -> Outcome {
    let key = case.key("k");
    for _ in 0..4 {
        let value = case.value();
        case.backend().set(&key, value.clone(), &case.kept()).await?;
        holds("get after a set that followed a delete", case.backend().get(&key).await?.as_ref(), &value)?;
        case.backend().delete(&key).await?;
    }
    Ok(())
}

pub(crate) async fn backend_5_a_delete_leaves_other_keys_alone(case: &Case) -> Outcome {
    let value = case.value();
    let others = [case.key("k:1"), case.key("k1"), case.key("k."), case.key("j"), case.key("K")];
    for other in &others {
        case.backend().set(other, value.clone(), &case.kept()).await?;
    }
    let key = case.key("k");
    case.backend().set(&key, case.value(), &case.kept()).await?;
    case.backend().delete(&key).await?;
    for other in &others {
        holds("get after another key was deleted", case.backend().get(other).await?.as_ref(), &value)?;
    }
    Ok(())
}

pub(crate) async fn backend_8_reopened_handles_see_the_same_entries(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    holds("get through another handle", case.other().get(&key).await?.as_ref(), &value)?;
    let later = case.reopen().await;
    holds("get through a handle opened after the set", later.get(&key).await?.as_ref(), &value)?;

    let value = case.value();
    later.set(&key, value.clone(), &case.kept()).await?;
    holds("get after another handle overwrote", case.backend().get(&key).await?.as_ref(), &value)?;
    case.other().delete(&key).await?;
    nothing("get after another handle deleted", case.backend().get(&key).await?.as_ref())
}

pub(crate) async fn backend_8_entries_outlive_the_handle_that_set_them(case: &Case) -> Outcome {
    let (key, value) = (case.key("k"), case.value());
    let handle = case.reopen().await;
    handle.set(&key, value.clone(), &case.kept()).await?;
    handle.close().await;
    drop(handle);
    match case.reopen().await.get(&key).await {
        Ok(found) => holds("get through another handle, after the one that set it was closed", found.as_ref(), &value),
        Err(_) => Err(Unmet::skipped("closing one of the fixture's handles closes them all")),
    }
}

pub(crate) async fn backend_exists_agrees_with_get(case: &Case) -> Outcome {
    let key = case.key("k");
    equal("exists before a set", &case.backend().exists(&key).await?, &false)?;
    case.backend().set(&key, case.value(), &case.kept()).await?;
    equal("exists after a set", &case.backend().exists(&key).await?, &true)?;
    case.backend().delete(&key).await?;
    equal("exists after a delete", &case.backend().exists(&key).await?, &false)
}

async fn returns(case: &Case, value: Bytes) -> Outcome {
    // A key for each, lest a set that was lost look like a value that was changed.
    let key = case.key(&format!("{}:{:x}", value.len(), case.random()));
    case.backend().set(&key, value.clone(), &case.kept()).await?;
    holds("get after set", case.backend().get(&key).await?.as_ref(), &value)
}
