//! The user half of each probe.
