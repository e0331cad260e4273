//! Gives names to locations.
