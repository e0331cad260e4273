//! What a frame is, as far as its name tells: what colours are chosen by.

use crate::query::{
    Name,
    sampled::{CALL_MODULE, LOCK_MODULE},
};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The process's executable, or another program.
    User,
    /// A shared library or the vDSO.
    Library,
    /// The kernel's own text.
    Kernel,
    /// A kernel module or BPF program.
    KernelModule,
    /// Generated code.
    Jit,
    /// Code without a name.
    Unnamed,
    /// No code: `[incomplete: …]`.
    Remark,
    /// The end of a waiting thread's stack, or what it waited for.
    Waiting,
}

/// What stands at the end of a waiting thread's stack, among stacks of busy ones.
pub(super) const WAITING: &str = "[waiting]";

impl Kind {
    /// How many kinds there are.
    pub(super) const COUNT: usize = 8;

    /// Every kind, in the order of their numbers.
    #[cfg(test)]
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::User,
        Self::Library,
        Self::Kernel,
        Self::KernelModule,
        Self::Jit,
        Self::Unnamed,
        Self::Remark,
        Self::Waiting,
    ];

    /// What `name` is.
    pub(super) fn of(name: &Name) -> Self {
        let Name {
            label,
            module,
            kernel,
        } = name;
        let has_address = |after: &str| after.starts_with("+0x");
        match module.as_str() {
            "" if label == WAITING => Self::Waiting,
            "" => Self::Remark,
            LOCK_MODULE | CALL_MODULE => Self::Waiting,
            "[kernel.kallsyms]" => Self::Kernel,
            _ if *kernel && label.starts_with("bpf_prog_") => Self::KernelModule,
            _ if *kernel => match module.as_str() {
                "[kernel]" => Self::Kernel,
                _ => Self::KernelModule,
            },
            "[unknown]" => Self::Unnamed,
            _ if label.strip_prefix(module.as_str()).is_some_and(has_address) => Self::Unnamed,
            "[vdso]" => Self::Library,
            _ if module.contains(".so") => Self::Library,
            _ if module.starts_with('[') || module.starts_with("//") => Self::Jit,
            _ => Self::User,
        }
    }

    /// What fills a frame where there are no colours, so that it can be told what it is.
    pub(super) fn fill(self) -> char {
        match self {
            Self::User => '─',
            Self::Library => '┄',
            Self::Kernel => '═',
            Self::KernelModule => '╌',
            Self::Jit => '~',
            Self::Unnamed => '·',
            Self::Remark => ' ',
            Self::Waiting => '░',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(label: &str, module: &str, kernel: bool) -> Kind {
        Kind::of(&Name {
            label: label.into(),
            module: module.into(),
            kernel,
        })
    }

    #[test]
    fn a_name_tells_what_it_names() {
        assert_eq!(kind("main", "redis-server", false), Kind::User);
        assert_eq!(kind("read", "libc.so.6", false), Kind::Library);
        assert_eq!(kind("clock_gettime", "[vdso]", false), Kind::Library);
        assert_eq!(kind("vfs_read", "[kernel.kallsyms]", true), Kind::Kernel);
        assert_eq!(kind("tcp_init", "ext4", true), Kind::KernelModule);
        assert_eq!(kind("dash+0x614f", "dash", false), Kind::Unnamed);
        assert_eq!(kind("[unknown] 0x7f", "[unknown]", false), Kind::Unnamed);
        assert_eq!(kind("Foo.bar", "[anon]", false), Kind::Jit);
        assert_eq!(kind("[no stack]", "", false), Kind::Remark);
        assert_eq!(kind(WAITING, "", false), Kind::Waiting);
    }

    #[test]
    fn every_kind_has_its_number_and_its_own_fill() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert!(
                Kind::ALL[..number]
                    .iter()
                    .all(|other| other.fill() != kind.fill())
            );
        }
    }
}
