//! Turns batches into snapshots: `ingest(batch)`, `tick(now) -> Snapshot`, both pure.
