//! The archive that the kernel unpacks into its first file system: cpio in the `newc` format.
//!
//! <https://docs.kernel.org/driver-api/early-userspace/buffer-format.html>

/// An archive that grows.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

impl Archive {
    pub(super) fn directory(&mut self, name: &str) {
        self.entry(name, DIRECTORY, &[]);
    }

    /// A file that anyone may read and run.
    pub(super) fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, PROGRAM, content);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("no file here has 4 GB");
        let name_size = u32::try_from(name.len() + 1).expect("no name here has 4 GB");
        self.bytes.extend(b"070701");
        // Inode, mode, owner, group, links, time, size, four device numbers, name's size, no checksum.
        for field in [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_start_at_multiples_of_four() {
        let mut archive = Archive::default();
        archive.directory("dev");
        archive.file("init", b"12345");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let find = |text: &[u8]| {
            bytes
                .windows(text.len())
                .position(|window| window == text)
                .unwrap()
        };
        assert_eq!(find(b"12345") % 4, 0);
        assert_eq!(find(b"init") % 4, 110 % 4);
        assert_eq!(&bytes[find(b"init") - 110 + 54..][..8], b"00000005");
    }
}
