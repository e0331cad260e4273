//! The trace file.

mod assemble;
mod chunks;
mod columns;
mod container;
mod create;
mod encode;
mod ids;
mod looks_like;
mod notes;
mod once;
mod reader;
mod rows;
mod writer;

pub use assemble::DAMAGED;
pub use create::invoking_user;
pub use reader::{Loaded, Problem, ReadError, read, read_from};
pub use writer::{WriteError, Writer};

#[cfg(test)]
mod tests;
