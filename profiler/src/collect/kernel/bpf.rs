//! What `bpf()` takes: tiny maps and two-instruction programs, created and dropped at once.

use std::{
    os::fd::{FromRawFd as _, OwnedFd},
    ptr,
};

use aya_obj::btf::{Btf, BtfKind};

use super::Errno;

/// How a try ended.
pub type Attempt = Result<(), Errno>;

/// What `bpf()` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bpf {
    /// A map of one number: whether the call can be used at all.
    pub map: Attempt,
    /// A ring buffer.
    pub ring_buffer: Attempt,
    /// Each kind of program.
    pub programs: Vec<(Kind, Attempt)>,
    /// The helper that the unwinder is a callback of.
    pub bpf_loop: Attempt,
}

/// A kind of program that some probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Samples.
    PerfEvent,
    /// Kernel events with typed arguments: `exec`, `fork`, the scheduler.
    TypedTracepoint,
    /// Kernel events with raw arguments.
    RawTracepoint,
    /// Walks over tasks.
    Iterator,
    /// User probes.
    Probe,
    /// Entries and exits of kernel functions.
    Fentry,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::PerfEvent,
        Self::TypedTracepoint,
        Self::RawTracepoint,
        Self::Iterator,
        Self::Probe,
        Self::Fentry,
    ];

    /// As the section names of objects call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerfEvent => "perf_event",
            Self::TypedTracepoint => "tp_btf",
            Self::RawTracepoint => "raw_tp",
            Self::Iterator => "iter",
            Self::Probe => "kprobe/uprobe",
            Self::Fentry => "fentry/fexit",
        }
    }

    /// Whether nothing can be recorded without it.
    pub fn is_required(self) -> bool {
        matches!(self, Self::PerfEvent | Self::TypedTracepoint)
    }

    /// Numbers of `enum bpf_prog_type`.
    fn program_type(self) -> u32 {
        match self {
            Self::Probe => 2,
            Self::PerfEvent => 7,
            Self::RawTracepoint => 17,
            Self::TypedTracepoint | Self::Iterator | Self::Fentry => TRACING,
        }
    }

    /// Number of `enum bpf_attach_type`, and what in the kernel's types it is attached to.
    fn target(self) -> Option<(u32, &'static str, BtfKind)> {
        match self {
            Self::TypedTracepoint => Some((23, "btf_trace_sched_process_exec", BtfKind::Typedef)),
            Self::Fentry => Some((24, "vfs_read", BtfKind::Func)),
            Self::Iterator => Some((28, "bpf_iter_task", BtfKind::Func)),
            Self::PerfEvent | Self::RawTracepoint | Self::Probe => None,
        }
    }
}

impl Bpf {
    /// Tries everything out.
    pub fn gather() -> Self {
        let types = Btf::from_sys_fs().ok();
        Self {
            map: create_map(ARRAY, 4, 8, 1),
            ring_buffer: create_map(RING_BUFFER, 0, 0, page_size()),
            programs: Kind::ALL.map(|kind| (kind, load(kind, types.as_ref()))).to_vec(),
            bpf_loop: has_helper(LOOP),
        }
    }

    /// How loading that kind of program ended.
    pub fn program(&self, kind: Kind) -> Attempt {
        let tried = self.programs.iter().find(|(tried, _)| *tried == kind);
        tried.map_or(Err(Errno(libc::ENOSYS)), |(_, attempt)| *attempt)
    }
}

const MAP_CREATE: libc::c_int = 0;
const PROG_LOAD: libc::c_int = 5;
const ARRAY: u32 = 2;
const RING_BUFFER: u32 = 27;
const TRACING: u32 = 26;
/// The number of `bpf_loop` among helpers.
const LOOP: i32 = 181;

/// The part of `union bpf_attr` that creates maps.
#[repr(C)]
struct MapAttributes {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// The part of `union bpf_attr` that loads programs. All of it is named: padding would be garbage to the kernel.
#[repr(C)]
#[derive(Default)]
struct ProgramAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
    btf: u32,
    function_info_size: u32,
    function_info: u64,
    function_info_count: u32,
    line_info_size: u32,
    line_info: u64,
    line_info_count: u32,
    attach_btf_id: u32,
    attach_to: u32,
    reserved: u32,
}

/// One instruction: operation, registers (destination in the low half), offset, immediate.
#[repr(C)]
struct Instruction {
    operation: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    const fn new(operation: u8, immediate: i32) -> Self {
        Self {
            operation,
            registers: 0,
            offset: 0,
            immediate,
        }
    }
}

/// `r0 = 0`.
const RETURN_ZERO: Instruction = Instruction::new(0xb7, 0);
const EXIT: Instruction = Instruction::new(0x95, 0);
const fn call(helper: i32) -> Instruction {
    Instruction::new(0x85, helper)
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> Attempt {
    // SAFETY: the kernel reads `size` bytes of attributes; what they point to outlives the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            ptr::from_ref(attributes),
            size_of::<T>() as libc::c_uint,
        )
    };
    let fd = i32::try_from(fd)
        .ok()
        .filter(|&fd| fd >= 0)
        .ok_or_else(Errno::last)?;
    // SAFETY: the call has just made this descriptor, and nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

fn create_map(map_type: u32, key_size: u32, value_size: u32, max_entries: u32) -> Attempt {
    bpf(
        MAP_CREATE,
        &MapAttributes {
            map_type,
            key_size,
            value_size,
            max_entries,
        },
    )
}

fn load(kind: Kind, types: Option<&Btf>) -> Attempt {
    let mut attributes = ProgramAttributes {
        program_type: kind.program_type(),
        ..ProgramAttributes::default()
    };
    if let Some((attach_type, name, of)) = kind.target() {
        let id = types.and_then(|types| types.id_by_type_name_kind(name, of).ok());
        attributes.attach_btf_id = id.ok_or(Errno(libc::ENOENT))?;
        attributes.expected_attach_type = attach_type;
    }
    load_instructions(attributes, &[RETURN_ZERO, EXIT])
}

fn load_instructions(mut attributes: ProgramAttributes, instructions: &[Instruction]) -> Attempt {
    attributes.instruction_count = instructions.len() as u32;
    attributes.instructions = instructions.as_ptr() as u64;
    attributes.license = c"GPL".as_ptr() as u64;
    bpf(PROG_LOAD, &attributes)
}

/// Whether programs may call a helper. Called without arguments it is refused in either case; the verifier's reason
/// tells whether it knows the helper.
fn has_helper(helper: i32) -> Attempt {
    let mut log = vec![0u8; 4096];
    let attributes = ProgramAttributes {
        program_type: Kind::PerfEvent.program_type(),
        log_level: 1,
        log_size: log.len() as u32,
        log: log.as_mut_ptr() as u64,
        ..ProgramAttributes::default()
    };
    let attempt = load_instructions(attributes, &[call(helper), RETURN_ZERO, EXIT]);
    judge_log(attempt, &String::from_utf8_lossy(&log))
}

fn judge_log(attempt: Attempt, log: &str) -> Attempt {
    match attempt {
        Err(_) if log.contains("invalid func") || log.contains("unknown func") => Err(Errno(libc::ENOSYS)),
        Err(_) if log.contains("cannot use helper") => Err(Errno(libc::EOPNOTSUPP)),
        // The verifier got as far as the arguments.
        Err(_) if log.contains("!read_ok") => Ok(()),
        other => other,
    }
}

fn page_size() -> u32 {
    // SAFETY: reads a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u32::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_are_laid_out_as_the_kernel_reads_them() {
        assert_eq!(size_of::<Instruction>(), 8);
        assert_eq!(std::mem::offset_of!(ProgramAttributes, expected_attach_type), 68);
        assert_eq!(std::mem::offset_of!(ProgramAttributes, function_info), 80);
        assert_eq!(std::mem::offset_of!(ProgramAttributes, attach_btf_id), 108);
        assert_eq!(size_of::<ProgramAttributes>(), 120);
    }

    #[test]
    fn the_verifiers_reason_tells_whether_it_knows_a_helper() {
        let refused = Err(Errno(libc::EINVAL));
        let known = "0: (85) call bpf_loop#181\nR1 !read_ok\n";
        assert_eq!(judge_log(refused, known), Ok(()));
        let unknown = "0: (85) call unknown#181\ninvalid func unknown#181\n";
        assert_eq!(judge_log(refused, unknown), Err(Errno(libc::ENOSYS)));
        assert_eq!(judge_log(Err(Errno(libc::EPERM)), ""), Err(Errno(libc::EPERM)));
    }
}
