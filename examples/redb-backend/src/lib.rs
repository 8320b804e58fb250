//! [`RedbBackend`]: entries in a file, by way of [redb](https://docs.rs/redb). An example of a plug-in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{Backend, BackendFault, Clock, Entry, Error, Key, Remaining, Result, SetOptions, UnixTime};
use redb::{Database, ReadableDatabase, TableDefinition};

/// Keeps entries in one file, each with its end as wall time. Clones are handles to the same file.
///
/// A write is on the disk when it is acknowledged, and nobody waits longer than the disk does. What has ended stays in the
/// file until its key is written again.
#[derive(Clone, Debug)]
pub struct RedbBackend {
    file: Arc<Database>,
    clock: Arc<dyn Clock>,
}

/// Of each key: when it ends, in milliseconds of Unix time, and its value.
const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("entries");

type Done<T> = Result<T, redb::Error>;

impl RedbBackend {
    /// Opens or makes the file at `path`. Time comes from `clock`.
    ///
    /// # Errors
    /// E062 if it cannot be opened.
    pub fn open(path: &std::path::Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let file = Database::create(path).map_err(failed)?;
        let begun = file.begin_write().map_err(failed)?;
        begun.open_table(ENTRIES).map_err(failed)?;
        begun.commit().map_err(failed)?;
        Ok(Self { file: Arc::new(file), clock })
    }

    /// Runs `work` where waiting for the disk holds nobody up. What was begun is finished, also if nobody waits for it.
    async fn on_disk<T: Send + 'static>(&self, work: impl FnOnce(&Database) -> Done<T> + Send + 'static) -> Result<T> {
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || work(&file)).await.map_err(failed)?.map_err(failed)
    }

    /// Replaces what is under `key` with `entry`, or with nothing.
    async fn write(&self, key: Key, entry: Option<(u64, Bytes)>) -> Result<()> {
        let write = move |file: &Database| {
            let begun = file.begin_write()?;
            match entry {
                Some((ends, value)) => drop(begun.open_table(ENTRIES)?.insert(key.as_str(), (ends, &*value))?),
                None => drop(begun.open_table(ENTRIES)?.remove(key.as_str())?),
            }
            Ok(begun.commit()?)
        };
        self.on_disk(write).await
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::backend("redb", BackendFault::Server, "the file could not be read or written").with_source(error)
}

#[async_trait]
impl Backend for RedbBackend {
    fn name(&self) -> &str {
        "redb"
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let key = key.clone();
        let read = move |file: &Database| {
            let found = file.begin_read()?.open_table(ENTRIES)?.get(key.as_str())?;
            Ok(found.map(|found| (found.value().0, Bytes::copy_from_slice(found.value().1))))
        };
        let Some((ends, value)) = self.on_disk(read).await? else { return Ok(None) };
        let left = UnixTime::from_millis(ends).since(self.clock.wall());
        let remaining = if ends == u64::MAX { Remaining::Never } else { Remaining::For(left) };
        Ok((!left.is_zero()).then(|| Entry::new(value, remaining)))
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        let next = self.clock.wall().as_millis() + 1; // part of this millisecond has passed already
        let ends = options.ttl.whole(Duration::from_millis(1)).map_or(u64::MAX, |life| next.saturating_add(life));
        self.write(key.clone(), Some((ends, value))).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.write(key.clone(), None).await
    }
}
