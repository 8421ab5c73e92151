//! Sources: one folder per kind; a connection in, batches out.
