//! Gives names to locations.
mod bytes;
mod demangle;
mod elf;
mod kernel;
mod perf_map;
mod symbols;
mod vdso;
