//! Pure panels: draw from the application state, a snapshot, a theme and the time.
