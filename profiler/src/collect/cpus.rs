//! Which CPUs there are.

use std::{fs, io};

/// CPUs that are online now.
///
/// # Errors
/// If sysfs cannot be read.
pub fn online() -> io::Result<Vec<u32>> {
    let list = fs::read_to_string("/sys/devices/system/cpu/online")?;
    parse_list(list.trim())
        .ok_or_else(|| io::Error::other("/sys/devices/system/cpu/online is not a list of CPUs"))
}

/// Parses the kernel's list format: `0-3,7`.
fn parse_list(list: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for range in list.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        // The kernel's own limit is 8192 (CONFIG_NR_CPUS).
        if last > 8192 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse_list("0-3,7"), Some(vec![0, 1, 2, 3, 7]));
        assert_eq!(parse_list("0"), Some(vec![0]));
        assert_eq!(parse_list(""), Some(vec![]));
        assert_eq!(parse_list("0-99999999"), None);
        assert_eq!(parse_list("x"), None);
    }
}
