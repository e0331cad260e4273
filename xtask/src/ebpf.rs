//! How the BPF object is built: the toolchain that `cargo xtask setup` found, and the one cargo command.
//!
//! profiler/build.rs includes this file, so it uses nothing but the standard library.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the toolchain is written, in the workspace: git-ignored, and out of reach of `cargo clean`.
pub(crate) const TOOLCHAIN_FILE: &str = ".ebpf-toolchain";

/// What the object is compiled for; Linux on arm64 and x86-64 is little-endian.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// A compiler with the source of `core`, and a linker for BPF, known to work together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Toolchain {
    /// How it was found: `rustup` or `debian`.
    pub(crate) route: String,
    pub(crate) cargo: PathBuf,
    pub(crate) rustc: PathBuf,
    /// What `rustc --version` said when the toolchain was tried.
    pub(crate) version: String,
    /// Where rustc's shared libraries are: bpf-linker 0.10 loads rustc's own LLVM from there.
    pub(crate) libraries: PathBuf,
    pub(crate) linker: PathBuf,
}

impl Toolchain {
    /// Reads what `cargo xtask setup` wrote; `None` if it has not run here.
    pub(crate) fn read(workspace: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(workspace.join(TOOLCHAIN_FILE)) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A `cargo SUBCOMMAND` for the package in `directory`, for the BPF target.
    ///
    /// The package gets a target directory of its own: the cargo that is running now holds the lock of the usual one.
    pub(crate) fn cargo(&self, subcommand: &str, directory: &Path, target_directory: &Path) -> Command {
        let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_else(|_| env::consts::ARCH.to_owned());
        let flags = [
            format!("--cfg=bpf_target_arch=\"{architecture}\""),
            "--check-cfg=cfg(bpf_target_arch, values(any()))".to_owned(),
            "-Cdebuginfo=2".to_owned(),
            "-Clink-arg=--btf".to_owned(),
            // 32-bit arithmetic and jumps: every kernel that we support has them (5.1).
            "-Ctarget-cpu=v3".to_owned(),
            format!("-Clinker={}", self.linker.display()),
        ];
        let mut command = Command::new(&self.cargo);
        // How the program is optimised must not change what the verifier is shown.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(directory)
            .arg(subcommand)
            .args([
                "--release",
                "--bins",
                "-Zbuild-std=core",
                "--target",
                TARGET,
                "--target-dir",
            ])
            .arg(target_directory)
            // What an outer cargo, clippy or rustup said to its own compiler is not meant for this one.
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .env_remove("RUSTFLAGS")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env("RUSTC", &self.rustc)
            // `-Z build-std` on a stable compiler.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("LD_LIBRARY_PATH", &self.libraries);
        command
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once(" = "))
                .find_map(|(name, value)| (name == key).then(|| value.to_owned()))
        };
        Some(Self {
            route: value("route")?,
            cargo: value("cargo")?.into(),
            rustc: value("rustc")?.into(),
            version: value("version")?,
            libraries: value("libraries")?.into(),
            linker: value("linker")?.into(),
        })
    }
}
