//! Shared by golden and live tests.
