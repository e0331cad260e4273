//! Offsets in kernel structures, from the running kernel's BTF. Rust has no CO-RE relocations and needs none: the
//! offsets go into read-only data, which the verifier treats as constants.

use anyhow::{Context as _, Result, bail};
use btf_rs::{Backend, Btf, Type};
use profiler_common::config::Offsets;

/// Where the kernel offers its BTF.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The offsets that the kernel side needs.
///
/// # Errors
/// If the kernel has no BTF, or not these fields.
pub fn offsets() -> Result<Offsets> {
    // Mapping it is cheaper than parsing it all, but sysfs lets it be mapped only since Linux 6.16.
    let btf = Btf::from_file_with_backend(VMLINUX, Backend::Mmap).or_else(|_| Btf::from_file(VMLINUX));
    let btf = btf.with_context(|| {
        format!("cannot read {VMLINUX}: this needs a kernel built with CONFIG_DEBUG_INFO_BTF (`profiler doctor` tells)")
    })?;
    let task = |field| member_offset(&btf, "task_struct", field);
    Ok(Offsets {
        task_pid: task("pid")?,
        task_tgid: task("tgid")?,
        task_flags: task("flags")?,
        task_state: task("__state")?,
        task_in_iowait: member_bits(&btf, "task_struct", "in_iowait")?,
        task_files: task("files")?,
        files_table: member_offset(&btf, "files_struct", "fdt")?,
        table_files: member_offset(&btf, "fdtable", "fd")?,
        table_size: member_offset(&btf, "fdtable", "max_fds")?,
        file_inode: member_offset(&btf, "file", "f_inode")?,
        file_private: member_offset(&btf, "file", "private_data")?,
        inode_mode: member_offset(&btf, "inode", "i_mode")?,
        inode_super: member_offset(&btf, "inode", "i_sb")?,
        super_magic: member_offset(&btf, "super_block", "s_magic")?,
        socket_sock: member_offset(&btf, "socket", "sk")?,
        sock_family: member_offset(&btf, "sock_common", "skc_family")?,
    })
}

/// The byte offset of a direct member of a structure.
fn member_offset(btf: &Btf, structure: &str, field: &str) -> Result<u32> {
    Ok(member_bits(btf, structure, field)? / 8)
}

/// The offset in bits of a direct member of a structure.
fn member_bits(btf: &Btf, structure: &str, field: &str) -> Result<u32> {
    for candidate in btf
        .resolve_types_by_name(structure)
        .with_context(|| format!("BTF has no {structure}"))?
    {
        let Type::Struct(candidate) = candidate else {
            continue;
        };
        for member in &candidate.members {
            if btf.resolve_name(member).is_ok_and(|name| name == field) {
                return Ok(member.bit_offset());
            }
        }
    }
    bail!("BTF has no {structure}.{field}: this kernel is not supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_task_are_found_and_lie_apart() {
        if !std::path::Path::new(VMLINUX).exists() {
            println!("NOT RUN: this kernel has no {VMLINUX}");
            return;
        }
        let Offsets {
            task_pid,
            task_tgid,
            task_flags,
            ..
        } = offsets().unwrap();
        assert_eq!(task_tgid, task_pid + 4);
        assert_ne!(task_flags, task_pid);
    }
}
