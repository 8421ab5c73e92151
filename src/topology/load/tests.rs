//! What the loader accepts, and each mistake with its place.

use std::path::Path;

use super::*;

pub(super) fn sample() -> Loaded {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-topology"))
}

#[test]
fn the_sample_has_no_fault() {
    let loaded = sample();
    assert_eq!(loaded.problems, []);
    let topology = loaded.topology.expect("a topology");
    assert_eq!(topology.system.as_ref().map(|s| &*s.name), Some("online-store"));
    assert_eq!(topology.services.len(), 10);
    assert_eq!(topology.domains.len(), 4);
    assert!(topology.stores.values().all(|store| store.reason.is_some() && store.kind.is_some()));
}
