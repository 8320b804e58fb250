//! Arrow IPC: any bytes give batches or E021; of batches that were read every value can be shown.
#![no_main]

use arrow_array::RecordBatch;
use cachekit_core::{ErrorCode, Serializer};
use cachekit_serde::Arrow;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let batches: Vec<RecordBatch> = match Arrow.deserialize(bytes) {
        Ok(batches) => batches,
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::E021);
            return;
        }
    };
    for batch in batches.iter().filter(|batch| batch.num_rows() < 10_000) {
        assert!(!format!("{batch:?}").is_empty());
    }
});
