//! What the suite cannot see: entries are in a file.

use std::sync::Arc;

use cachekit_core::{Backend, ErrorCode, Key, ManualClock, SetOptions, Ttl};
use cachekit_example_redb::RedbBackend;

#[tokio::test]
async fn entries_outlive_the_backend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.redb");
    let open = || RedbBackend::open(&path, Arc::new(ManualClock::new())).unwrap();
    let key = Key::new("users:1").unwrap();
    open().set(&key, "Ada".into(), &SetOptions::new(Ttl::secs(60))).await.unwrap();
    assert_eq!(open().get(&key).await.unwrap().unwrap().value, "Ada");
}

#[test]
fn what_is_no_file_is_refused_with_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let error = RedbBackend::open(folder.path(), Arc::new(ManualClock::new())).unwrap_err();
    assert_eq!((error.code(), error.backend_name()), (ErrorCode::E062, Some("redb")));
}
