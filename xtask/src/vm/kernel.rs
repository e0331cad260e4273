//! Debian's kernels, unpacked and not installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    process::{output, run},
    say, workspace,
};

/// The kernel's image, whose version starts with `version`: the newest that Debian has, downloaded once.
pub(super) fn find(version: &str) -> Result<PathBuf> {
    let directory = workspace().join("target/vm/kernels").join(version);
    if let Some(image) = image_in(&directory.join("boot"))? {
        return Ok(image);
    }
    let package = match newest(version)? {
        Some(package) => package,
        None => {
            apt::update()?;
            newest(version)?
                .with_context(|| format!("Debian has no kernel {version} for the cloud in its lists here"))?
        }
    };
    say(&format!("downloading {package} into {}", directory.display()));
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    run(Command::new("apt-get")
        .current_dir(&directory)
        .args(["-qq", "download", &package]))?;
    let archive = fs::read_dir(&directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get left no package in {}", directory.display()))?;
    run(Command::new("dpkg")
        .arg("--extract")
        .arg(&archive)
        .arg(&directory))?;
    // The modules are many times the kernel's size; nothing here needs one.
    for waste in [&archive, &directory.join("lib"), &directory.join("usr")] {
        let removed = if waste.is_dir() {
            fs::remove_dir_all(waste)
        } else {
            fs::remove_file(waste)
        };
        if let Err(error) = removed
            && waste.exists()
        {
            bail!("cannot remove {}: {error}", waste.display());
        }
    }
    image_in(&directory.join("boot"))?.with_context(|| format!("{package} holds no kernel"))
}

/// The version in the image's name.
pub(super) fn version(image: &Path) -> String {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix("vmlinuz-").unwrap_or(&name).to_owned()
}

fn image_in(boot: &Path) -> Result<Option<PathBuf>> {
    if !boot.exists() {
        return Ok(None);
    }
    let entries = fs::read_dir(boot).with_context(|| format!("cannot read {}", boot.display()))?;
    Ok(entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz-"))
        .map(|entry| entry.path()))
}

fn newest(version: &str) -> Result<Option<String>> {
    let pattern = format!("^linux-image-{}[.-].*cloud-amd64$", version.replace('.', "\\."));
    let list = output(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    Ok(newest_of(&list).map(str::to_owned))
}

/// The package with the highest version in the output of `apt-cache search`, meta-packages (without one) left out.
fn newest_of(list: &str) -> Option<&str> {
    list.lines()
        .filter_map(|line| line.split(' ').next())
        .map(|package| (numbers(package), package))
        .filter(|(numbers, _)| numbers.len() > 2)
        .max()
        .map(|(_, package)| package)
}

/// `linux-image-6.12.9+deb12-cloud-amd64` has the version 6, 12, 9, 12.
fn numbers(package: &str) -> Vec<u32> {
    let version = package.trim_start_matches("linux-image-");
    let version = version.split("-cloud").next().unwrap_or(version);
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_is_found_by_number_and_not_by_letter() {
        let list = "linux-image-6.12-cloud-amd64 - meta\n\
            linux-image-6.12.9+deb12-cloud-amd64 - Linux 6.12\n\
            linux-image-6.12.111+deb12-cloud-amd64 - Linux 6.12\n";
        assert_eq!(newest_of(list), Some("linux-image-6.12.111+deb12-cloud-amd64"));
        assert_eq!(newest_of("linux-image-6.12-cloud-amd64 - meta\n"), None);
    }
}
