//! Tests that load BPF programs on this kernel; root only.
