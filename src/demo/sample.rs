//! The sample topology, as it lies in `sample-topology/`: part of the program, so that the demo needs no files.

use std::path::Path;

use crate::topology::load::{Loaded, Source, read};

/// The files: name below `sample-topology/`, and text.
const FILES: &[(&str, &str)] = &[
    ("system.yaml", include_str!("../../sample-topology/system.yaml")),
    ("services/accounts.yaml", include_str!("../../sample-topology/services/accounts.yaml")),
    ("services/analytics.yaml", include_str!("../../sample-topology/services/analytics.yaml")),
    ("services/billing.yaml", include_str!("../../sample-topology/services/billing.yaml")),
    ("services/catalog.yaml", include_str!("../../sample-topology/services/catalog.yaml")),
    ("services/gateway.yaml", include_str!("../../sample-topology/services/gateway.yaml")),
    ("services/inventory.yaml", include_str!("../../sample-topology/services/inventory.yaml")),
    ("services/notifications.yaml", include_str!("../../sample-topology/services/notifications.yaml")),
    ("services/orders.yaml", include_str!("../../sample-topology/services/orders.yaml")),
    ("services/search.yaml", include_str!("../../sample-topology/services/search.yaml")),
    ("services/shipping.yaml", include_str!("../../sample-topology/services/shipping.yaml")),
];

/// Where the sample is in the source tree: how screens and reports name it.
pub const PATH: &str = "sample-topology";

/// Loads the sample as the loader loads any directory.
pub fn load() -> Loaded {
    let source = |(file, text): &(&str, &str)| Source {
        file: Path::new(file).display().to_string(),
        content: Ok(text.as_bytes().to_vec()),
    };
    read(FILES.iter().map(source).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
        let from_disk = crate::topology::load(&root);
        let built_in = load();
        assert_eq!(built_in.problems, []);
        assert_eq!(built_in.files, from_disk.files);
        assert_eq!(built_in.topology, from_disk.topology);
        assert!(built_in.topology.is_some());
    }
}
