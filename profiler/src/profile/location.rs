//! Where code is: mappings, addresses in them, and the functions and lines they turn out to be.

use serde::{Deserialize, Serialize};

use super::{process::Process, table::Id};

/// What backs a range of code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MappingKind {
    /// An ELF file. Addresses are virtual addresses of the file (as in `nm`, `objdump`).
    File,
    /// A file whose program headers could not be read. Addresses are file offsets.
    FileOffset,
    /// The kernel's own text. Addresses are absolute, as the running kernel had them.
    Kernel,
    /// A kernel module or BPF program, named by `path`. Addresses are absolute.
    KernelModule,
    /// The vDSO. Addresses are virtual addresses of its ELF image.
    Vdso,
    /// Executable memory without a file (JIT). Addresses are absolute in this process.
    Anonymous(Id<Process>),
    /// No mapping was known for the address. Addresses are absolute in this process.
    Unknown(Id<Process>),
}

/// A piece of code as every process that maps it shares it: one row an executable, not one a range.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mapping {
    /// What backs it.
    pub kind: MappingKind,
    /// The path inside the mount namespace of the process that mapped it; `[kernel.kallsyms]`, `[vdso]`,
    /// `[anon]` and `[module]` names for the others.
    pub path: String,
    /// The GNU build id; empty if there is none.
    pub build_id: Vec<u8>,
}

impl Mapping {
    /// Whether the code runs in the kernel.
    pub fn is_kernel(&self) -> bool {
        matches!(self.kind, MappingKind::Kernel | MappingKind::KernelModule)
    }

    /// The last component of the path: what a person calls the module.
    pub fn name(&self) -> &str {
        match self.path.rsplit('/').next() {
            Some(name) if !name.is_empty() => name,
            _ => &self.path,
        }
    }
}

/// One code address: what the kernel saw, before it is given a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The code the address lies in.
    pub mapping: Id<Mapping>,
    /// The address in the mapping's own terms (see [`MappingKind`]). For a caller it is the address of the call,
    /// not of the instruction after it: [`CodeAddress`] made the adjustment.
    pub address: u64,
}

/// An address on a stack, before it is known where to look it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeAddress {
    /// The instruction that was executing (innermost frame, or a frame that a signal interrupted).
    Instruction(u64),
    /// The instruction to which a call returns: one past the call.
    Return(u64),
}

impl CodeAddress {
    /// The address that lies inside the instruction that was executing or calling.
    pub fn lookup(self) -> u64 {
        match self {
            Self::Instruction(address) => address,
            Self::Return(address) => address.wrapping_sub(1),
        }
    }
}

/// A function, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Function {
    /// The demangled name. It comes from the profiled world: views must escape it.
    pub name: String,
    /// The source file, where debug information has it; else empty.
    pub file: String,
}

/// What a location turned out to be. A location with inlined calls has several, the innermost inlined call first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    /// The function.
    pub function: Id<Function>,
    /// The line in the function's file, counted from 1; 0 where it is not known.
    pub line: u32,
}

impl<T> Serialize for Id<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw().serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_address_is_looked_up_inside_the_call() {
        assert_eq!(CodeAddress::Instruction(0x1000).lookup(), 0x1000);
        assert_eq!(CodeAddress::Return(0x1000).lookup(), 0xfff);
    }
}
