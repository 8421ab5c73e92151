//! Plain data that every room shares. No I/O, no async, no clock: time is an argument.
