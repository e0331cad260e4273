//! Unwind tables: from `.eh_frame`, and what else tells of code, to the rows that the kernel side reads.
//!
//! ```text
//!   file ──elf──▶ Elf ──rows──▶ Table ──pool──▶ blocks in a BPF array      Placed { table, base }
//!                  │                  └─rules─▶ rules in a BPF array            │
//!                  └─ bias(mapping) ───────────────────────────────────────────┴▶ Mapping ──space──▶ mapping pool
//! ```
//!
//! 1. [`elf::Elf::parse`] reads what unwinding needs of a file, a vDSO image, or anything hostile. Give it `&[u8]` or
//!    an [`object::ReadCache`] over a file: a cache reads only the few ranges that are needed, and a file that
//!    shrinks meanwhile is an error and not a signal.
//! 2. [`rows::Table::build`] makes rows of `.eh_frame` and of what else is known. No shared state: any thread may do it.
//! 3. [`pool::Pool::place`] writes a table into the shared blocks and its rules into the one dictionary,
//!    [`rules::Rules`]; [`rules::Rules::since`] says which rules are to be uploaded.
//! 4. A mapping's entry is [`pool::Placed::mapping`] with [`elf::Elf::bias`]; [`space::Spaces`] says where in the
//!    mapping pool a process's entries go.
//! 5. [`walk::walk`] does on the host what the kernel does, over the same blocks, with a copy of the stack.
//!
//! Order of publication: blocks and rules first, then mappings, then the process's space. In reverse for removal:
//! [`pool::Pool::free`] and [`space::Spaces::release`] take a stamp (any number that grows, such as the time), and what
//! was freed is used again only after [`pool::Pool::reclaim`] or [`space::Spaces::reclaim`] was told that all kernel
//! programs which began before that stamp have ended.

pub mod elf;
mod expression;
mod extents;
mod go;
mod instructions;
pub mod pool;
mod rest;
pub mod rows;
pub mod rules;
pub mod space;
mod symbols;
#[cfg(test)]
mod tests;
pub mod walk;
