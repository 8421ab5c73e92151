//! Flags over environment over defaults; every value knows where it came from.
