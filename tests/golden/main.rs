//! Tests that need no privileges.

mod export;
