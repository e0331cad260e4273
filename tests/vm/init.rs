//! The first process of a test machine: runs `/script`, one step a line, and marks each step on the console.
//!
//! `cargo xtask vm` compiles it by itself and reads the marks; the statements are described there. There is no shell,
//! no C library's configuration and no other file system than the kernel's own.

use std::{
    ffi::{CStr, c_char, c_int, c_ulong, c_void},
    fs::{self, File},
    io,
    process::{Child, Command, ExitStatus, Stdio},
    ptr, thread,
    time::Duration,
};

unsafe extern "C" {
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn sync();
    fn reboot(command: c_int) -> c_int;
}

/// `RB_POWER_OFF` of reboot(2).
const POWER_OFF: c_int = 0x4321_fedc;

/// Where a started command's output is kept until it is waited for.
const STARTED_OUTPUT: &str = "/tmp/started";

const FILE_SYSTEMS: [(&CStr, &CStr); 5] = [
    (c"proc", c"/proc"),
    (c"sysfs", c"/sys"),
    (c"devtmpfs", c"/dev"),
    (c"tmpfs", c"/tmp"),
    (c"tracefs", c"/sys/kernel/tracing"),
];

fn main() {
    for (kind, target) in FILE_SYSTEMS {
        // SAFETY: all three strings end with a zero byte, and no data is given.
        let failed = unsafe { mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, ptr::null()) } != 0;
        if failed {
            println!("cannot mount {kind:?}: {}", io::Error::last_os_error());
        }
    }
    match fs::read_to_string("/script") {
        Ok(script) => run_script(&script),
        Err(error) => println!("cannot read /script: {error}"),
    }
    // SAFETY: takes nothing, and cannot fail.
    unsafe { sync() };
    // SAFETY: takes a number; the machine has no disk that could be left half written.
    unsafe { reboot(POWER_OFF) };
}

fn run_script(script: &str) {
    let mut started = None;
    for (index, line) in script.lines().enumerate() {
        println!("@vm {index} begin");
        match run_step(line, &mut started) {
            Ok(status) => println!("@vm {index} end {status}"),
            Err(error) => println!("{error}\n@vm {index} end error"),
        }
    }
}

/// Runs a step and gives its exit status in words.
fn run_step(line: &str, started: &mut Option<Child>) -> io::Result<String> {
    let (statement, rest) = line.split_once(' ').unwrap_or((line, ""));
    match statement {
        "run" => return command(rest)?.status().map(in_words),
        "start" => {
            let output = File::create(STARTED_OUTPUT)?;
            let errors = output.try_clone()?;
            *started = Some(command(rest)?.stdout(output).stderr(errors).spawn()?);
        }
        "wait" => {
            let mut child = started
                .take()
                .ok_or_else(|| io::Error::other("nothing was started"))?;
            let status = child.wait()?;
            print!("{}", String::from_utf8_lossy(&fs::read(STARTED_OUTPUT)?));
            return Ok(in_words(status));
        }
        "sleep" => {
            let seconds = rest.parse().map_err(io::Error::other)?;
            thread::sleep(Duration::try_from_secs_f64(seconds).map_err(io::Error::other)?);
        }
        "write" => {
            let (path, text) = rest
                .split_once(' ')
                .ok_or_else(|| io::Error::other("write PATH TEXT"))?;
            fs::write(path, text)?;
        }
        _ => return Err(io::Error::other("no statement")),
    }
    Ok("0".into())
}

fn command(line: &str) -> io::Result<Command> {
    let mut words = line.split_whitespace();
    let program = words.next().ok_or_else(|| io::Error::other("no command"))?;
    let mut command = Command::new(program);
    command
        .args(words)
        .current_dir("/tmp")
        .stdin(Stdio::null())
        .env("PATH", "/bin")
        .env("HOME", "/root")
        .env("TERM", "dumb");
    Ok(command)
}

fn in_words(status: ExitStatus) -> String {
    status
        .code()
        .map_or_else(|| status.to_string(), |code| code.to_string())
}
