//! Text for a terminal or a pipe, and JSON for machines.
