//! What a slow call was on, in words.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use profiler_common::{
    event::{SlowTarget, target},
    object::ObjectKind,
};

use super::{host::Host, processes::text};

/// A file behind a descriptor, as `/proc` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// Where the link in `/proc/PID/fd` leads.
    pub path: PathBuf,
    /// Its inode's number.
    pub inode: u64,
}

/// `AF_INET`, `AF_INET6` (include/linux/socket.h).
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// What a call of process `pid` was on, which is an `ObjectKind`; `None` if nothing is known.
pub fn words(pid: u32, object: u8, raw: &SlowTarget, host: &impl Host) -> Option<String> {
    let end = raw
        .text
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(raw.text.len());
    let name = text(&raw.text[..end]);
    // A descriptor may be another file's by now: only the inode tells.
    let open = || {
        host.descriptor(pid, raw.descriptor)
            .filter(|open| open.inode == raw.inode)
    };
    match raw.kind {
        target::PATH => Some(path(pid, name, host)),
        target::FILE => match open() {
            Some(open) => Some(open.path.to_string_lossy().into_owned()),
            // As `/proc` would have said.
            None if object == ObjectKind::Pipe as u8 && name.is_empty() => {
                Some(format!("pipe:[{}]", raw.inode))
            }
            None if name.is_empty() || name == "/" => Some(format!("inode {}", raw.inode)),
            None => Some(closed(raw, |device| host.mount_point(device))),
        },
        target::SOCKET => peer(raw),
        target::LOCAL_SOCKET if name.is_empty() => Some(format!("socket:[{}]", raw.inode)),
        target::LOCAL_SOCKET => Some(name),
        _ => None,
    }
}

/// The path of a file that is not open any more, as far as it is known; from the root if its file system is mounted where
/// this program sees it.
fn closed(raw: &SlowTarget, mount_point: impl Fn(u32) -> Option<PathBuf>) -> String {
    let count = (raw.ports & !target::WHOLE).max(1) as usize;
    let parts = raw.text.split(|&byte| byte == 0).take(count);
    // The root of a file system is called so.
    let mut parts: Vec<String> = parts.map(text).filter(|part| part != "/").collect();
    parts.reverse();
    let path = parts.join("/");
    let mount = (raw.ports & target::WHOLE != 0).then(|| mount_point(raw.device));
    match mount.flatten() {
        Some(mount) => mount.join(path).to_string_lossy().into_owned(),
        None => format!("…/{path}"),
    }
}

/// A path that a program gave, as seen from the root of its file system.
fn path(pid: u32, name: String, host: &impl Host) -> String {
    if name.starts_with('/') || name.is_empty() {
        return name;
    }
    match host.working_directory(pid) {
        Some(directory) => directory.join(name).to_string_lossy().into_owned(),
        None => name,
    }
}

/// The remote address of a network socket, else its own.
fn peer(raw: &SlowTarget) -> Option<String> {
    let address = |at: usize| -> Option<IpAddr> {
        match raw.device {
            AF_INET => {
                let bytes: [u8; 4] = raw.text.get(at * 4..at * 4 + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(bytes).into())
            }
            AF_INET6 => {
                let bytes: [u8; 16] = raw.text.get(at * 16..at * 16 + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(bytes).to_canonical())
            }
            _ => None,
        }
    };
    let (remote, local) = (raw.ports as u16, (raw.ports >> 16) as u16);
    if remote != 0 {
        return Some(SocketAddr::new(address(0)?, remote).to_string());
    }
    Some(format!("{} (no peer)", SocketAddr::new(address(1)?, local)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(family: u32, addresses: &[u8], ports: u32) -> Option<String> {
        let mut text = [0; 128];
        text[..addresses.len()].copy_from_slice(addresses);
        peer(&SlowTarget {
            kind: target::SOCKET,
            descriptor: 3,
            device: family,
            ports,
            inode: 1,
            text,
        })
    }

    #[test]
    fn files_that_are_closed_have_the_path_that_their_directories_tell() {
        let of = |parts: &str, ports| {
            let mut text = [b'?'; 128];
            text[..parts.len()].copy_from_slice(parts.as_bytes());
            let raw = SlowTarget {
                kind: target::FILE,
                descriptor: 3,
                device: 254 << 20,
                ports,
                inode: 1,
                text,
            };
            closed(&raw, |device| (device == 254 << 20).then(|| "/mnt".into()))
        };
        assert_eq!(of("x\0tmp\0/\0", 3 | target::WHOLE), "/mnt/tmp/x");
        // It lies deeper than was told.
        assert_eq!(of("x\0tmp\0", 2), "…/tmp/x");
        assert_eq!(of("x\0", 1), "…/x");
    }

    #[test]
    fn peers() {
        let v4 = [10, 0, 0, 7, 127, 0, 0, 1];
        assert_eq!(
            socket(AF_INET, &v4, 8080 << 16 | 5432).as_deref(),
            Some("10.0.0.7:5432")
        );
        assert_eq!(
            socket(AF_INET, &v4, 8080 << 16).as_deref(),
            Some("127.0.0.1:8080 (no peer)")
        );
        let mut v6 = [0; 32];
        (v6[0], v6[1], v6[15]) = (0xfe, 0x80, 1);
        assert_eq!(socket(AF_INET6, &v6, 443).as_deref(), Some("[fe80::1]:443"));
        // An IPv4 peer of an IPv6 socket.
        let mut mapped = [0; 32];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 192, 168, 0, 9]);
        assert_eq!(socket(AF_INET6, &mapped, 80).as_deref(), Some("192.168.0.9:80"));
        assert_eq!(socket(99, &v4, 1), None);
    }
}
