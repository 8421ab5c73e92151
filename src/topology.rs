//! The declared system: file model, loader with file:line:column errors, identity binding.
