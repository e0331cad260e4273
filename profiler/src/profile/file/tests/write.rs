//! Disks that fill up, and files on real ones.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
};

use super::*;

/// A disk that takes so many bytes.
struct Full {
    taken: Vec<u8>,
    room: usize,
}

impl Write for &mut Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.len().min(self.room - self.taken.len()) {
            0 => Err(ErrorKind::StorageFull.into()),
            count => {
                self.taken.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_said_and_what_was_written_before_is_readable() {
    let deltas = small();
    let room = trace(&deltas, true).len();
    for room in (FILE_HEADER_LEN..room).step_by(7) {
        let mut disk = Full {
            taken: Vec::new(),
            room,
        };
        let mut writer = Writer::to(&mut disk, "full.trace").unwrap();
        let result = deltas.iter().try_for_each(|delta| writer.append(delta));
        let again = result.is_err().then(|| writer.append(&deltas[0]).unwrap_err());
        let error = result.and_then(|()| writer.finish().map(drop)).unwrap_err();
        assert_eq!(error.io_kind(), Some(ErrorKind::StorageFull));
        let words = error.to_string();
        assert!(
            words.contains("full.trace") && words.contains("free space"),
            "{words}"
        );
        assert!(again.is_none_or(|again| again.to_string().contains("full.trace")));
        let loaded = read_from(&disk.taken[..]).unwrap();
        walk(&loaded.profile);
        assert!(!loaded.profile.ended);
    }
}

#[test]
fn a_device_without_room_is_an_error_at_once() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let error = Writer::to(full, "/dev/full").err().unwrap();
    assert_eq!(error.io_kind(), Some(ErrorKind::StorageFull));
}

#[test]
fn a_half_written_chunk_is_cut_away_where_the_file_can_be_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.trace");
    let deltas = small();
    // The limit of the process's file size is the disk that is full; a child has it, so that other tests do not.
    let child = std::env::var_os("TRACE_WITH_A_FILE_SIZE_LIMIT");
    if let Some(path) = child {
        limit_file_size(1000);
        let mut writer = Writer::create(path.as_ref(), None).unwrap();
        assert!(deltas.iter().try_for_each(|delta| writer.append(delta)).is_err());
        return;
    }
    let name = "profile::file::tests::write::a_half_written_chunk_is_cut_away_where_the_file_can_be_cut";
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env("TRACE_WITH_A_FILE_SIZE_LIMIT", &path)
        .output()
        .unwrap();
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stdout)
    );
    let len = fs::metadata(&path).unwrap().len();
    assert!((500..1000).contains(&len), "{len}");
    let loaded = read(&path).unwrap();
    assert_eq!(loaded.notes.len(), 1, "no torn chunk: {:?}", loaded.notes);
    assert!(!loaded.profile.processes.is_empty());
}

fn limit_file_size(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: the pointer is to a whole rlimit, which outlives the call.
    assert_eq!(
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) },
        0
    );
    // SAFETY: to ignore a signal runs no code of ours; the write then fails with EFBIG instead.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[test]
fn a_trace_on_disk_is_whole_after_every_append() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.trace");
    let deltas = small();
    let mut writer = Writer::create(&path, None).unwrap();
    for (index, delta) in deltas.iter().enumerate() {
        writer.append(delta).unwrap();
        assert_eq!(writer.bytes_written(), fs::metadata(&path).unwrap().len());
        let loaded = read(&path).unwrap();
        assert_eq!(
            everything(&loaded.profile),
            everything(&together(&deltas[..=index], false))
        );
        assert_eq!(loaded.notes.len(), 1);
    }
    let written = writer.finish().unwrap();
    assert_eq!(written, fs::metadata(&path).unwrap().len());
    assert_eq!(read(&path).unwrap().notes, [""; 0]);
}

#[test]
fn an_empty_delta_writes_nothing() {
    let mut bytes = Vec::new();
    let mut writer = Writer::to(&mut bytes, "memory").unwrap();
    writer.append(&Delta::default()).unwrap();
    assert_eq!(writer.bytes_written(), FILE_HEADER_LEN as u64);
}
