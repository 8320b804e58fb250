//! Encryption: each side opens what the other one sealed, by its key or an earlier one, and nothing that was altered.

use cachekit::core::{KeyRing, MasterKey};
use cachekit::interop::{InteropKey, InteropValues};
use cachekit::{ErrorCode, Namespace};
use cachekit_crypto::Keys;
use serde_json::{Value, json};

use super::refusals::refused;
use crate::outcome::{Failure, Outcome, same};
use crate::python::{Call, Called, Sealing};
use crate::sides::{NAMESPACE, Sides, call, hit, operations, ran};
use crate::table::Table;

const GROUP: &str = "encryption";

/// Of 32 bytes each, in hex, and of no use elsewhere.
const CURRENT: &str = "6361636865206b69742c20696e7465726f702c2063757272656e74206b65792e";
pub(crate) const FORMER: &str = "6361636865206b69742c20696e7465726f702c20666f726d6572206b65792e2e";
const STRANGER: &str = "6361636865206b69742c20696e7465726f702c20737472616e6765722e2e2e2e";
/// As Python wants its tenants.
const TENANT: &str = "5d3f6a1e-90b2-4c47-8e15-7f2a9c04d6b8";

pub(super) async fn run(sides: &Sides, table: &mut Table) {
    sealed(sides, table).await;
    of_a_tenant(sides, table).await;
    rotated(sides, table).await;
    by_a_stranger(sides, table).await;
    tampered(sides, table).await;
    moved(sides, table).await;
    plain_and_sealed(sides, table).await;
    fail_closed(sides, table).await;
}

async fn sealed(sides: &Sides, table: &mut Table) {
    let values: &[(&str, Value)] = &[
        ("a number", json!(7)),
        ("a text of 70,000 bytes", json!("x".repeat(70_000))),
        ("a record", json!({"net": 1999, "to": ["a", null]})),
    ];
    for (name, value) in values {
        let (by_python, by_rust) = operations(GROUP, name);
        let to_rust = async {
            ran(&sides.python.call(&asking(&by_python, CURRENT), value).await?)?;
            let found = sides.sealed::<Value>(&by_python, &keys(CURRENT, &[])?)?.get(key()?).await?;
            same(&Some(value), &found.as_deref())
        };
        let to_python = async {
            sides.sealed::<Value>(&by_rust, &keys(CURRENT, &[])?)?.set(key()?, value.clone()).await?;
            hit(&sides.python.call(&asking(&by_rust, CURRENT), &json!("computed")).await?, value)
        };
        table.add(GROUP, name, to_rust, to_python).await;
    }
}

/// Python knows one tenant for a whole deployment. We also know one that the namespace names, to Python the same.
async fn of_a_tenant(sides: &Sides, table: &mut Table) {
    let of_namespace = format!("{NAMESPACE}-{TENANT}");
    for (name, namespace) in [("of a deployment", NAMESPACE), ("of a tenant", &of_namespace)] {
        let (by_python, by_rust) = operations(GROUP, name);
        let asking = |operation: &str| {
            let mut call = asking(operation, CURRENT);
            namespace.clone_into(&mut call.function.namespace);
            with(call, |sealing| sealing.tenant = Some(TENANT))
        };
        let open = |operation: &str| -> Result<Namespace<u8>, Failure> {
            let entries = sides.cache()?.namespace(namespace).serializer(InteropValues).interop(operation);
            let encryption = keys(CURRENT, &[])?.interop_encryption();
            let encryption = match namespace == NAMESPACE {
                true => encryption.for_deployment(TENANT)?,
                false => encryption.for_tenant(TENANT)?,
            };
            Ok(entries.transform(encryption).open()?)
        };
        let to_rust = async {
            ran(&sides.python.call(&asking(&by_python), &json!(7)).await?)?;
            same(&Some(7), &open(&by_python)?.get(key()?).await?.as_deref().copied())
        };
        let to_python = async {
            open(&by_rust)?.set(key()?, 7).await?;
            hit(&sides.python.call(&asking(&by_rust), &json!(8)).await?, &json!(7))
        };
        table.add(GROUP, name, to_rust, to_python).await;
    }

    let (by_python, by_rust) = operations(GROUP, "of no deployment");
    let to_rust = async {
        let asking = with(asking(&by_python, CURRENT), |sealing| sealing.tenant = Some(TENANT));
        ran(&sides.python.call(&asking, &json!(7)).await?)?;
        refused(sides.sealed::<u8>(&by_python, &keys(CURRENT, &[])?)?.get(key()?).await, ErrorCode::E003)
    };
    let to_python = async {
        sides.sealed::<u8>(&by_rust, &keys(CURRENT, &[])?)?.set(key()?, 7).await?;
        let asking = with(asking(&by_rust, CURRENT), |sealing| sealing.tenant = Some(TENANT));
        ran(&sides.python.call(&asking, &json!(8)).await?)
    };
    table.add(GROUP, "of another deployment", to_rust, to_python).await;
}

/// The writer still has the former key; the reader has the current one, and the former to read with.
async fn rotated(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "rotated");
    let to_rust = async {
        ran(&sides.python.call(&asking(&by_python, FORMER), &json!(7)).await?)?;
        let found = sides.sealed::<u8>(&by_python, &keys(CURRENT, &[STRANGER, FORMER])?)?.get(key()?).await?;
        same(&Some(7), &found.as_deref().copied())
    };
    let to_python = async {
        sides.sealed::<u8>(&by_rust, &keys(FORMER, &[])?)?.set(key()?, 7).await?;
        hit(&sides.rotated.call(&asking(&by_rust, CURRENT), &json!(8)).await?, &json!(7))
    };
    table.add(GROUP, "sealed by the former key", to_rust, to_python).await;

    let (by_python, by_rust) = operations(GROUP, "rotated too early");
    let to_rust = async {
        ran(&sides.rotated.call(&asking(&by_python, CURRENT), &json!(7)).await?)?;
        let read = sides.sealed::<u8>(&by_python, &keys(FORMER, &[])?)?.get(key()?).await;
        refused(read, ErrorCode::E003)
    };
    let to_python = async {
        sides.sealed::<u8>(&by_rust, &keys(CURRENT, &[FORMER])?)?.set(key()?, 7).await?;
        ran(&sides.python.call(&asking(&by_rust, FORMER), &json!(8)).await?)
    };
    table.add(GROUP, "by a key not known yet", to_rust, to_python).await;
}

async fn by_a_stranger(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "stranger");
    let to_rust = async {
        ran(&sides.python.call(&asking(&by_python, STRANGER), &json!(7)).await?)?;
        refused(sides.sealed::<u8>(&by_python, &keys(CURRENT, &[FORMER])?)?.get(key()?).await, ErrorCode::E003)
    };
    let to_python = async {
        sides.sealed::<u8>(&by_rust, &keys(STRANGER, &[])?)?.set(key()?, 7).await?;
        ran(&sides.rotated.call(&asking(&by_rust, CURRENT), &json!(8)).await?)
    };
    table.add(GROUP, "sealed by a stranger", to_rust, to_python).await;
}

async fn tampered(sides: &Sides, table: &mut Table) {
    for (name, at) in [("a bit of the nonce", 0), ("a bit of the ciphertext", 12), ("a bit of the tag", -1)] {
        let (by_python, by_rust) = operations(GROUP, name);
        let to_rust = async {
            ran(&sides.python.call(&asking(&by_python, CURRENT), &json!("a value")).await?)?;
            sides.flip(&by_python, &key()?, at).await?;
            refused(sides.sealed::<String>(&by_python, &keys(CURRENT, &[])?)?.get(key()?).await, ErrorCode::E003)
        };
        let to_python = async {
            sides.sealed::<String>(&by_rust, &keys(CURRENT, &[])?)?.set(key()?, "a value".to_owned()).await?;
            sides.flip(&by_rust, &key()?, at).await?;
            ran(&sides.python.call(&asking(&by_rust, CURRENT), &json!(8)).await?)
        };
        table.add(GROUP, &format!("{name} is another"), to_rust, to_python).await;
    }
}

async fn moved(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "moved");
    let elsewhere = |operation: &str| operation.replace("moved", "moved-here");
    let to_rust = async {
        ran(&sides.python.call(&asking(&by_python, CURRENT), &json!(7)).await?)?;
        copy(sides, &by_python, &elsewhere(&by_python)).await?;
        let read = sides.sealed::<u8>(&elsewhere(&by_python), &keys(CURRENT, &[])?)?.get(key()?).await;
        refused(read, ErrorCode::E003)
    };
    let to_python = async {
        sides.sealed::<u8>(&by_rust, &keys(CURRENT, &[])?)?.set(key()?, 7).await?;
        copy(sides, &by_rust, &elsewhere(&by_rust)).await?;
        ran(&sides.python.call(&asking(&elsewhere(&by_rust), CURRENT), &json!(8)).await?)
    };
    table.add(GROUP, "moved to another key", to_rust, to_python).await;
}

async fn copy(sides: &Sides, from: &str, to: &str) -> Outcome {
    match sides.stored(from, &key()?).await? {
        Some(entry) => sides.store(to, &key()?, entry.value).await,
        None => Err(Failure("nothing is stored".to_owned())),
    }
}

/// Who encrypts takes no plaintext, and who does not takes no ciphertext.
async fn plain_and_sealed(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "plain");
    let to_rust = async {
        ran(&sides.python.call(&plain(&by_python), &json!("a value of more than 28 bytes, in plain")).await?)?;
        refused(sides.sealed::<String>(&by_python, &keys(CURRENT, &[])?)?.get(key()?).await, ErrorCode::E003)
    };
    let to_python = async {
        let value = "a value of more than 28 bytes, in plain".to_owned();
        sides.plain::<String>(&by_rust)?.set(key()?, value).await?;
        ran(&sides.python.call(&asking(&by_rust, CURRENT), &json!(8)).await?)
    };
    table.add(GROUP, "plain, where it is sealed", to_rust, to_python).await;

    let (by_python, by_rust) = operations(GROUP, "sealed for plain");
    let to_rust = async {
        ran(&sides.python.call(&asking(&by_python, CURRENT), &json!("x".repeat(LONG))).await?)?;
        refused(sides.plain::<Value>(&by_python)?.get(key()?).await, ErrorCode::E021)
    };
    let to_python = async {
        sides.sealed::<String>(&by_rust, &keys(CURRENT, &[])?)?.set(key()?, "x".repeat(LONG)).await?;
        ran(&sides.python.call(&plain(&by_rust), &json!(8)).await?)
    };
    table.add(GROUP, "sealed, where it is plain", to_rust, to_python).await;
}

/// A nonce is at random. So long, it cannot pass for a document by chance.
const LONG: usize = 1_000;

/// Python can be told to raise what it makes a miss of otherwise.
async fn fail_closed(sides: &Sides, table: &mut Table) {
    let (_, by_rust) = operations(GROUP, "fail closed");
    let to_python = async {
        sides.sealed::<u8>(&by_rust, &keys(CURRENT, &[])?)?.set(key()?, 7).await?;
        let call = with(asking(&by_rust, CURRENT), |sealing| sealing.fail_closed = true);
        hit(&sides.python.call(&call, &json!(8)).await?, &json!(7))?;
        sides.flip(&by_rust, &key()?, 12).await?;
        let called = sides.python.call(&call, &json!(8)).await?;
        same(&Called::Raised("DecryptionAuthenticationError".to_owned()), &called)
    };
    table.add_for_python(GROUP, "altered, and fail closed", to_python).await;
}

fn plain(operation: &str) -> Call {
    call(operation, "none", &json!([]))
}

fn asking(operation: &str, master_key: &'static str) -> Call {
    plain(operation).sealed(master_key)
}

fn with(mut call: Call, change: impl FnOnce(&mut Sealing)) -> Call {
    call.function.encryption.as_mut().map(change);
    call
}

fn key() -> cachekit::Result<InteropKey> {
    InteropKey::of(&())
}

fn keys(current: &str, previous: &[&str]) -> Result<Keys, Failure> {
    let of = |hex: &str| -> Result<MasterKey, Failure> {
        let bytes = base16ct::lower::decode_vec(hex).map_err(|error| Failure(format!("{hex}: {error}")))?;
        Ok(MasterKey::new(&bytes)?)
    };
    let previous = previous.iter().map(|hex| of(hex)).collect::<Result<Vec<_>, _>>()?;
    Ok(Keys::fixed(&KeyRing::new(of(current)?).with_previous(previous)?))
}
