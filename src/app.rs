//! What the person is doing: view, focus, selection by id, filter, sort. A pure state machine.
