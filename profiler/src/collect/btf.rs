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
    let offset = |structure, members: &[&str]| {
        let bits = member_bits(&btf, structure, members)?;
        anyhow::Ok(bits.into_iter().map(|bits| bits / 8))
    };
    let fields = ["pid", "tgid", "flags", "__state", "files", "in_iowait"];
    let task_bits = member_bits(&btf, "task_struct", &fields)?;
    let task_in_iowait = task_bits[fields.len() - 1];
    let mut task = task_bits.into_iter().map(|bits| bits / 8);
    let mut table = offset("fdtable", &["fd", "max_fds"])?;
    let mut file = offset("file", &["f_inode", "private_data"])?;
    let mut inode = offset("inode", &["i_mode", "i_sb"])?;
    let next = |offsets: &mut dyn Iterator<Item = u32>| offsets.next().expect("one for each member");
    Ok(Offsets {
        task_pid: next(&mut task),
        task_tgid: next(&mut task),
        task_flags: next(&mut task),
        task_state: next(&mut task),
        task_files: next(&mut task),
        task_in_iowait,
        files_table: next(&mut offset("files_struct", &["fdt"])?),
        table_files: next(&mut table),
        table_size: next(&mut table),
        file_inode: next(&mut file),
        file_private: next(&mut file),
        inode_mode: next(&mut inode),
        inode_super: next(&mut inode),
        super_magic: next(&mut offset("super_block", &["s_magic"])?),
        socket_sock: next(&mut offset("socket", &["sk"])?),
        sock_family: next(&mut offset("sock_common", &["skc_family"])?),
    })
}

/// The offsets in bits of direct members of a structure, in the order of their names. One look-up a structure: it goes
/// through all types of the kernel, which takes milliseconds.
fn member_bits(btf: &Btf, structure: &str, names: &[&str]) -> Result<Vec<u32>> {
    let candidates = btf
        .resolve_types_by_name(structure)
        .with_context(|| format!("BTF has no {structure}"))?;
    names
        .iter()
        .map(|wanted| {
            let members = candidates.iter().filter_map(|candidate| match candidate {
                Type::Struct(candidate) => Some(&candidate.members),
                _ => None,
            });
            let is_wanted =
                |member: &&btf_rs::Member| btf.resolve_name(*member).is_ok_and(|name| name == *wanted);
            match members.flatten().find(is_wanted) {
                Some(member) => Ok(member.bit_offset()),
                None => bail!("BTF has no {structure}.{wanted}: this kernel is not supported"),
            }
        })
        .collect()
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
