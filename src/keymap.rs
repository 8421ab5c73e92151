//! One table of bindings: dispatch, footer, help and README all read it.
