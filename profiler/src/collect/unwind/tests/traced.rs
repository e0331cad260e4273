//! A child process under ptrace: its registers and memory at any instruction.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::{fs::FileExt, process::CommandExt},
    process::{Child, Command, Stdio},
};

use profiler_common::unwind::Registers;

/// A traced child; killed when dropped. Only the thread that started it may use it.
pub(super) struct Traced {
    child: Child,
    memory: File,
}

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MappedCode {
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) offset: u64,
    pub(super) path: String,
}

impl Traced {
    /// Starts a program that stops before its first instruction, which is the dynamic linker's.
    pub(super) fn start(command: &mut Command) -> Self {
        let stop_at_exec = || match request(libc::PTRACE_TRACEME, 0, 0, 0) {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        // SAFETY: between fork and exec there is one system call, and nothing is allocated.
        let command = unsafe { command.pre_exec(stop_at_exec) };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let memory = File::open(format!("/proc/{}/mem", child.id())).unwrap();
        let mut traced = Self { child, memory };
        assert_eq!(traced.wait(), libc::SIGTRAP);
        traced
    }

    fn pid(&self) -> libc::pid_t {
        self.child.id() as libc::pid_t
    }

    /// Waits until the child stops; returns the signal that stopped it.
    fn wait(&mut self) -> i32 {
        let mut status = 0;
        // SAFETY: `status` is valid for the call.
        let pid = unsafe { libc::waitpid(self.pid(), &mut status, 0) };
        assert_eq!(pid, self.pid(), "{}", io::Error::last_os_error());
        assert!(libc::WIFSTOPPED(status), "the child ended: status {status:#x}");
        libc::WSTOPSIG(status)
    }

    /// Executes one instruction.
    pub(super) fn single_step(&mut self) {
        assert_eq!(request(libc::PTRACE_SINGLESTEP, self.pid(), 0, 0), 0);
        self.wait();
    }

    /// Lets it run for a while.
    pub(super) fn run(&mut self, milliseconds: u64) {
        self.resume(0);
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        self.stop();
    }

    /// Lets it run until it gets a signal, and then until it wrote `N` bytes.
    pub(super) fn run_until_told<const N: usize>(&mut self, signal: i32) -> [u8; N] {
        self.resume(0);
        assert_eq!(self.wait(), signal);
        self.resume(signal);
        let mut told = [0; N];
        self.child.stdout.as_mut().unwrap().read_exact(&mut told).unwrap();
        self.stop();
        told
    }

    fn resume(&mut self, signal: i32) {
        assert_eq!(request(libc::PTRACE_CONT, self.pid(), 0, signal as usize), 0);
    }

    fn stop(&mut self) {
        // SAFETY: no memory is passed.
        assert_eq!(unsafe { libc::kill(self.pid(), libc::SIGSTOP) }, 0);
        assert_eq!(self.wait(), libc::SIGSTOP);
    }

    pub(super) fn registers(&self) -> Registers {
        let all = self.all_registers();
        Registers {
            ip: all.rip,
            sp: all.rsp,
            bp: all.rbp,
        }
    }

    /// By DWARF number.
    pub(super) fn register(&self, number: u32) -> Option<u64> {
        let all = self.all_registers();
        Some(match number {
            0 => all.rax,
            1 => all.rdx,
            2 => all.rcx,
            3 => all.rbx,
            4 => all.rsi,
            5 => all.rdi,
            8 => all.r8,
            9 => all.r9,
            10 => all.r10,
            11 => all.r11,
            12 => all.r12,
            13 => all.r13,
            14 => all.r14,
            15 => all.r15,
            _ => return None,
        })
    }

    fn all_registers(&self) -> libc::user_regs_struct {
        // SAFETY: plain integers, for which zeroes are values.
        let mut all: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        let at = &raw mut all as usize;
        assert_eq!(request(libc::PTRACE_GETREGS, self.pid(), 0, at), 0);
        all
    }

    pub(super) fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.memory.read_exact_at(&mut bytes, address).ok()?;
        Some(bytes)
    }

    /// Up to `bytes` bytes from `address` on, as far as they are mapped.
    pub(super) fn copy(&self, address: u64, bytes: usize) -> Vec<u8> {
        let mut copy = vec![0; bytes];
        let read = self.memory.read_at(&mut copy, address).unwrap_or(0);
        copy.truncate(read);
        copy
    }

    pub(super) fn mapped_code(&self) -> Vec<MappedCode> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid())).unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        maps.lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (begin, end) = words.next()?.split_once('-')?;
                words.next().filter(|permissions| permissions.contains('x'))?;
                Some(MappedCode {
                    begin: number(begin),
                    end: number(end),
                    offset: number(words.next()?),
                    path: words.nth(2)?.to_owned(),
                })
            })
            .collect()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(request: libc::c_uint, pid: libc::pid_t, address: usize, data: usize) -> libc::c_long {
    // SAFETY: the only request made here that writes memory is GETREGS, for which `data` is the address of registers.
    unsafe { libc::ptrace(request, pid, address, data) }
}
