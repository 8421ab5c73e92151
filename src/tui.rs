//! The terminal: lifecycle, input, run loop. The only room that touches it.
