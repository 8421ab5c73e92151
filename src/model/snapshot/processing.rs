//! What a consumer's service takes of its own for a message.

use serde::{Deserialize, Serialize};

/// A distribution of the times from a message's last delivery to its acknowledgement, in nanoseconds, as the broker measured them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Processing {
    /// Median.
    pub p50: Option<i64>,
    /// 95th percentile.
    pub p95: Option<i64>,
    /// 99th percentile.
    pub p99: Option<i64>,
    /// The largest.
    pub max: Option<i64>,
    /// Acknowledgements that were sampled. Which share of all of them that is is not known.
    pub sampled: u64,
}
