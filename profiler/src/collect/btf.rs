//! Offsets in kernel structures, from the running kernel's BTF. Rust has no CO-RE relocations and needs none: the
//! offsets go into read-only data, which the verifier treats as constants.

use anyhow::{Context as _, Result, bail};
use btf_rs::{Backend, Btf, Type};
use profiler_common::config::{Offsets, URING_RESULT_ENTRY, URING_RESULT_VALUE};

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
    let task = Structure::find(&btf, "task_struct")?;
    let thread_info = Structure::find(&btf, "thread_info")?;
    let table = Structure::find(&btf, "fdtable")?;
    let file = Structure::find(&btf, "file")?;
    let inode = Structure::find(&btf, "inode")?;
    let super_block = Structure::find(&btf, "super_block")?;
    let sock = Structure::find(&btf, "sock_common")?;
    let one = |structure: &str, member: &str| Structure::find(&btf, structure)?.offset(member);
    // Kernels without Unix sockets, IPv6, cgroups or disks are fine: they have fewer names to tell, and fewer filters.
    let maybe = |structure: &str, member: &str| one(structure, member).unwrap_or(u32::MAX);
    let block = Structure::find(&btf, "request").ok();
    let request = |member| {
        block
            .as_ref()
            .and_then(|block| block.offset(member).ok())
            .unwrap_or(u32::MAX)
    };
    Ok(Offsets {
        task_pid: task.offset("pid")?,
        task_tgid: task.offset("tgid")?,
        task_flags: task.offset("flags")?,
        task_state: task.offset("__state")?,
        task_files: task.offset("files")?,
        task_in_iowait: task.bits("in_iowait")?,
        task_status: task.offset("thread_info")? + thread_info.offset("status")?,
        task_stack: task.offset("stack")?,
        files_table: one("files_struct", "fdt")?,
        table_files: table.offset("fd")?,
        table_size: table.offset("max_fds")?,
        file_inode: file.offset("f_inode")?,
        file_private: file.offset("private_data")?,
        file_dentry: file.offset("f_path")? + one("path", "dentry")?,
        dentry_name: one("dentry", "d_name")? + one("qstr", "name")?,
        dentry_parent: one("dentry", "d_parent")?,
        inode_mode: inode.offset("i_mode")?,
        inode_super: inode.offset("i_sb")?,
        inode_number: inode.offset("i_ino")?,
        inode_rdev: inode.offset("i_rdev")?,
        super_magic: super_block.offset("s_magic")?,
        super_dev: super_block.offset("s_dev")?,
        socket_sock: one("socket", "sk")?,
        sock_family: sock.offset("skc_family")?,
        sock_addresses: sock.offset("skc_daddr")?,
        sock_ports: sock.offset("skc_dport")?,
        sock_v6_addresses: sock.offset("skc_v6_daddr").unwrap_or(u32::MAX),
        unix_address: maybe("unix_sock", "addr"),
        unix_peer: maybe("unix_sock", "peer"),
        unix_name: maybe("unix_address", "name"),
        unix_length: maybe("unix_address", "len"),
        task_comm: task.offset("comm")?,
        task_css_set: task.offset("cgroups").unwrap_or(u32::MAX),
        css_set_cgroup: maybe("css_set", "dfl_cgrp"),
        cgroup_ancestors: maybe("cgroup", "ancestors"),
        cgroup_node: maybe("cgroup", "kn"),
        node_id: maybe("kernfs_node", "id"),
        request_flags: request("cmd_flags"),
        request_queue: request("q"),
        request_start: request("start_time_ns"),
        queue_disk: maybe("request_queue", "disk"),
        disk_major: maybe("gendisk", "major"),
        disk_minor: maybe("gendisk", "first_minor"),
        uring_opcode: maybe("io_kiocb", "opcode"),
        uring_result: match arguments(&btf, "io_uring_complete") {
            Some(3) => URING_RESULT_ENTRY,
            Some(4..) => URING_RESULT_VALUE,
            _ => u32::MAX,
        },
        uring_entry_result: maybe("io_uring_cqe", "res"),
        mutex_owner: one("mutex", "owner")?,
        semaphore_owner: maybe("rw_semaphore", "owner"),
        task_mm: task.offset("mm")?,
        mm_mmap_lock: maybe("mm_struct", "mmap_lock"),
        task_sighand: task.offset("sighand")?,
        sighand_siglock: one("sighand_struct", "siglock")?,
    })
}

/// How many arguments a tracepoint hands over; `None` if there is no such tracepoint. Its type is
/// `typedef void (*btf_trace_NAME)(void *, …)`.
fn arguments(btf: &Btf, tracepoint: &str) -> Option<usize> {
    let types = btf
        .resolve_types_by_name(&format!("btf_trace_{tracepoint}"))
        .ok()?;
    types.into_iter().find_map(|named| {
        let Type::Typedef(named) = named else { return None };
        let Type::Ptr(pointer) = btf.resolve_chained_type(&named).ok()? else {
            return None;
        };
        let Type::FuncProto(function) = btf.resolve_chained_type(&pointer).ok()? else {
            return None;
        };
        function.parameters.len().checked_sub(1)
    })
}

/// The types of one name: a kernel may have several, and the one with the member asked for is meant.
struct Structure<'a> {
    btf: &'a Btf,
    name: &'a str,
    types: Vec<Type>,
}

/// How deep structures without a name nest in each other at most.
const DEPTH: u32 = 8;

impl<'a> Structure<'a> {
    /// One look-up a structure: it goes through all types of the kernel, which takes milliseconds.
    fn find(btf: &'a Btf, name: &'a str) -> Result<Self> {
        let types = btf
            .resolve_types_by_name(name)
            .with_context(|| format!("BTF has no {name}: this kernel is not supported"))?;
        Ok(Self { btf, name, types })
    }

    /// Where a member lies, in bytes; also one of a structure or union without a name in it.
    fn offset(&self, member: &str) -> Result<u32> {
        Ok(self.bits(member)? / 8)
    }

    /// The same in bits.
    fn bits(&self, member: &str) -> Result<u32> {
        let found = self
            .types
            .iter()
            .find_map(|r#type| self.search(r#type, member, DEPTH));
        match found {
            Some(bits) => Ok(bits),
            None => bail!("BTF has no {}.{member}: this kernel is not supported", self.name),
        }
    }

    fn search(&self, r#type: &Type, wanted: &str, depth: u32) -> Option<u32> {
        let (Type::Struct(structure) | Type::Union(structure)) = r#type else {
            return None;
        };
        let depth = depth.checked_sub(1)?;
        structure.members.iter().find_map(|member| {
            let name = self.btf.resolve_name(member).ok()?;
            if name == wanted {
                return Some(member.bit_offset());
            }
            if !name.is_empty() {
                return None;
            }
            let inner = self.btf.resolve_chained_type(member).ok()?;
            Some(member.bit_offset() + self.search(&inner, wanted, depth)?)
        })
    }
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
        let btf = Btf::from_file(VMLINUX).unwrap();
        assert_eq!(arguments(&btf, "sched_waking"), Some(1));
        assert_eq!(arguments(&btf, "no_such_tracepoint"), None);
    }
}
