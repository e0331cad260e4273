//! Bytes from the kernel → values. Nothing past here sees bytes.
//!
//! Lengths are compared with `<`, never `!=`: the kernel pads records and appends fields.

use profiler_common::{
    event::{
        CopyHeader, Header, Image, SAMPLE_COPY_SHARED, SAMPLE_HAS_COPY, SAMPLE_KERNEL_THREAD, Sample,
        SlowTarget, StackHeader, THREAD_ENDED, ThreadRecord, kind,
    },
    operation::OperationKey,
    state::State,
    stats::Outcome,
    unwind::Registers,
    waker::Waker,
};

use super::event::{
    Event, RawCall, RawCallStack, RawCopy, RawLock, RawMapping, RawOperation, RawSample, RawSlow, RawStack,
    RawStacks, RawThread, What,
};

/// A record of the ring buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Something that has its place in time.
    Event(Event),
    /// A stack's frames, before the first sample that names it.
    Stack(RawStack),
    /// Stack memory, before its sample.
    Copy(RawCopy),
}

/// A record that is not what it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It ends too early.
    Short,
    /// Its kind is not known.
    UnknownKind(u32),
}

/// Reads fields one after the other, in the host's byte order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_ne_bytes(
            self.take(2)?.try_into().expect("2 bytes were taken"),
        ))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_ne_bytes(
            self.take(4)?.try_into().expect("4 bytes were taken"),
        ))
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_ne_bytes(
            self.take(8)?.try_into().expect("8 bytes were taken"),
        ))
    }

    /// Text up to its terminating zero, which padding follows.
    fn text(&mut self) -> Vec<u8> {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        self.0[..end].to_vec()
    }

    fn waker(&mut self) -> Result<Waker, DecodeError> {
        Ok(Waker {
            tid: self.u32()?,
            pid: self.u32()?,
        })
    }

    fn key(&mut self) -> Result<OperationKey, DecodeError> {
        Ok(OperationKey {
            pid: self.u32()?,
            cpu: self.u32()?,
            device: self.u32()?,
            number: self.u16()?,
            kind: self.u8()?,
            object: self.u8()?,
        })
    }

    fn header(&mut self) -> Result<Header, DecodeError> {
        Ok(Header {
            kind: self.u32()?,
            cpu: self.u32()?,
            time: self.u64()?,
        })
    }
}

/// Decodes one record of the BPF ring buffer.
///
/// # Errors
/// If it is shorter than its kind demands, or of a kind that is not known.
pub fn record(bytes: &[u8]) -> Result<Record, DecodeError> {
    let mut fields = Fields(bytes);
    let header = fields.header()?;
    Ok(match header.kind {
        kind::SAMPLE => Record::Event(sample(header, &mut fields)?),
        kind::STACK => Record::Stack(stack(header, &mut fields)?),
        kind::IMAGE => {
            let Image { header, pid, parent } = Image {
                header,
                pid: fields.u32()?,
                parent: fields.u32()?,
            };
            let parent = (parent != 0).then_some(parent);
            Record::Event(Event {
                time: header.time,
                what: What::Image { pid, parent },
            })
        }
        kind::COPY => Record::Copy(copy(header, &mut fields)?),
        kind::THREAD => {
            let (time, thread) = thread(bytes)?;
            let what = What::Thread(thread);
            Record::Event(Event { time, what })
        }
        kind::OPERATION => {
            let what = What::Operation(operation(&mut fields)?);
            Record::Event(Event {
                time: header.time,
                what,
            })
        }
        kind::PLACE => Record::Event(Event {
            time: header.time,
            what: What::Place {
                key: fields.key()?,
                place: fields.u32()?,
            },
        }),
        kind::SLOW => {
            let what = What::Slow(Box::new(slow(header, &mut fields)?));
            Record::Event(Event {
                time: header.time,
                what,
            })
        }
        kind::LOCK => {
            let what = What::Lock(Box::new(lock(header, &mut fields)?));
            Record::Event(Event {
                time: header.time,
                what,
            })
        }
        kind::CALL_STACK => {
            let what = What::CallStack(call_stack(header, &mut fields)?);
            Record::Event(Event {
                time: header.time,
                what,
            })
        }
        unknown => return Err(DecodeError::UnknownKind(unknown)),
    })
}

/// Bytes of the text in a slow call's target.
const TARGET_TEXT: usize = 128;

/// Bytes of a [`ThreadRecord`].
pub const THREAD_BYTES: usize = size_of::<ThreadRecord>();

/// Decodes the account of a thread, and of when it is.
///
/// # Errors
/// If it is too short or of another kind.
pub fn thread(bytes: &[u8]) -> Result<(u64, RawThread), DecodeError> {
    let mut fields = Fields(bytes);
    let header = fields.header()?;
    if header.kind != kind::THREAD {
        return Err(DecodeError::UnknownKind(header.kind));
    }
    let (pid, tid, begun) = (fields.u32()?, fields.u32()?, fields.u64()?);
    let mut ns = [0; State::COUNT];
    for ns in &mut ns {
        *ns = fields.u64()?;
    }
    let (waits, preemptions) = (fields.u32()?, fields.u32()?);
    let (state, flags) = (fields.u32()?, fields.u32()?);
    let (since, number, call_flags) = (fields.u64()?, fields.u32()?, fields.u32()?);
    let (state_since, in_calls_ns) = (fields.u64()?, fields.u64()?);
    let thread = RawThread {
        pid,
        tid,
        begun,
        ns,
        waits,
        preemptions,
        state,
        state_since,
        in_calls_ns,
        ended: flags & THREAD_ENDED != 0,
        call: (since != 0).then_some(RawCall {
            since,
            number: number as u16,
            flags: call_flags as u8,
        }),
    };
    Ok((header.time, thread))
}

fn sample(header: Header, fields: &mut Fields<'_>) -> Result<Event, DecodeError> {
    let sample = Sample {
        header,
        pid: fields.u32()?,
        tid: fields.u32()?,
        user_stack: fields.u64()?,
        kernel_stack: fields.u64()?,
        value: fields.u64()?,
        probe: fields.u8()?,
        outcome: fields.u8()?,
        flags: fields.u8()?,
        frames_by_fp: fields.u8()?,
        user_frames: fields.u32()?,
        waker: fields.waker()?,
    };
    let raw = RawSample {
        tid: sample.tid,
        stacks: stacks(
            header.cpu,
            sample.pid,
            (sample.user_stack, sample.kernel_stack),
            sample.outcome,
            sample.flags,
        ),
        sample_type: sample.probe,
        value: sample.value,
        kernel_thread: sample.flags & SAMPLE_KERNEL_THREAD != 0,
        waker: sample.waker,
    };
    Ok(Event {
        time: header.time,
        what: What::Sample(raw),
    })
}

fn stacks(cpu: u32, pid: u32, (user, kernel): (u64, u64), outcome: u8, flags: u8) -> RawStacks {
    RawStacks {
        cpu,
        pid,
        user,
        kernel,
        outcome: Outcome::from_u8(outcome).unwrap_or(Outcome::NoUserStack),
        has_copy: flags & SAMPLE_HAS_COPY != 0,
        copy_is_shared: flags & SAMPLE_COPY_SHARED != 0,
    }
}

fn operation(fields: &mut Fields<'_>) -> Result<RawOperation, DecodeError> {
    Ok(RawOperation {
        key: fields.key()?,
        tid: fields.u32()?,
        errno: fields.u16()?,
        flags: fields.u16()?,
        ns: fields.u64()?,
    })
}

fn slow(header: Header, fields: &mut Fields<'_>) -> Result<RawSlow, DecodeError> {
    let (key, tid) = (fields.key()?, fields.u32()?);
    let (outcome, flags, operation_flags) = (fields.u8()?, fields.u8()?, fields.u16()?);
    let (ns, result) = (fields.u64()?, fields.u64()? as i64);
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = fields.u64()?;
    }
    let hashes = (fields.u64()?, fields.u64()?);
    Ok(RawSlow {
        operation: RawOperation {
            key,
            tid,
            ns,
            errno: 0,
            flags: operation_flags,
        },
        result,
        arguments,
        stacks: stacks(header.cpu, key.pid, hashes, outcome, flags),
        wait_ns: fields.u64()?,
        woken: fields.u64()?,
        waker: fields.waker()?,
        target: SlowTarget {
            kind: fields.u32()?,
            descriptor: fields.u32()?,
            device: fields.u32()?,
            ports: fields.u32()?,
            inode: fields.u64()?,
            text: fields.take(TARGET_TEXT)?.try_into().expect("as many were taken"),
        },
    })
}

fn lock(header: Header, fields: &mut Fields<'_>) -> Result<RawLock, DecodeError> {
    let (pid, tid, address) = (fields.u32()?, fields.u32()?, fields.u64()?);
    let (ns, blocked_ns, threshold_ns, woken) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
    let (waker, owner) = (fields.waker()?, fields.u32()?);
    let (operation, value, result) = (fields.u32()?, fields.u32()?, fields.u32()? as i32);
    let (user, call) = (fields.u64()?, fields.u32()?);
    let (outcome, flags) = (fields.u8()?, fields.u8()?);
    Ok(RawLock {
        tid,
        address,
        ns,
        blocked_ns,
        threshold_ns,
        woken,
        waker,
        owner,
        call,
        operation,
        value,
        result,
        stacks: stacks(header.cpu, pid, (user, 0), outcome, flags),
    })
}

fn call_stack(header: Header, fields: &mut Fields<'_>) -> Result<RawCallStack, DecodeError> {
    let (pid, tid, since, user) = (fields.u32()?, fields.u32()?, fields.u64()?, fields.u64()?);
    let (outcome, flags) = (fields.u32()?, fields.u32()?);
    Ok(RawCallStack {
        tid,
        since,
        stacks: stacks(header.cpu, pid, (user, 0), outcome as u8, flags as u8),
    })
}

fn stack(header: Header, fields: &mut Fields<'_>) -> Result<RawStack, DecodeError> {
    let head = StackHeader {
        header,
        hash: fields.u64()?,
        frames: fields.u32()?,
        kernel: fields.u32()?,
    };
    let bytes = fields.take((head.frames as usize).saturating_mul(8))?;
    let frames = bytes
        .chunks_exact(8)
        .map(|frame| u64::from_ne_bytes(frame.try_into().expect("8 bytes")))
        .collect();
    Ok(RawStack {
        hash: head.hash,
        kernel: head.kernel != 0,
        frames,
    })
}

fn copy(header: Header, fields: &mut Fields<'_>) -> Result<RawCopy, DecodeError> {
    let head = CopyHeader {
        header,
        pid: fields.u32()?,
        bytes: fields.u32()?,
        address: fields.u64()?,
        registers: Registers {
            ip: fields.u64()?,
            sp: fields.u64()?,
            bp: fields.u64()?,
        },
    };
    let bytes = fields.take(head.bytes as usize)?.to_vec();
    Ok(RawCopy {
        cpu: header.cpu,
        time: header.time,
        address: head.address,
        registers: head.registers,
        bytes,
    })
}

/// A record of perf's side band.
#[derive(Clone, Debug, PartialEq)]
pub enum SideBand {
    /// Something that happened.
    Event(Event),
    /// The kernel had to drop that many records.
    Lost(u64),
    /// A record that we have no use for.
    Other,
}

// `enum perf_event_type` and `PERF_RECORD_MISC_*` (include/uapi/linux/perf_event.h).
const RECORD_LOST: u32 = 2;
const RECORD_COMM: u32 = 3;
const RECORD_EXIT: u32 = 4;
const RECORD_FORK: u32 = 7;
const RECORD_MMAP2: u32 = 10;
const MISC_COMM_EXEC: u16 = 1 << 13;
const MISC_MMAP_BUILD_ID: u16 = 1 << 14;
const PROT_EXEC: u32 = 4;

/// Decodes one record of perf's side band, whose events were opened with `sample_id_all` and a `sample_type` of just
/// `PERF_SAMPLE_TIME`: the time is the last field of every record.
///
/// # Errors
/// If it is shorter than its kind demands.
pub fn side_band(bytes: &[u8]) -> Result<SideBand, DecodeError> {
    let (body, time) = bytes
        .split_at_checked(bytes.len().saturating_sub(8))
        .ok_or(DecodeError::Short)?;
    let time = Fields(time).u64()?;
    let mut fields = Fields(body);
    let (kind, misc, _size) = (fields.u32()?, fields.u16()?, fields.u16()?);
    let what = match kind {
        RECORD_LOST => {
            let _id = fields.u64()?;
            return Ok(SideBand::Lost(fields.u64()?));
        }
        RECORD_COMM => {
            let (pid, tid) = (fields.u32()?, fields.u32()?);
            What::Comm {
                pid,
                tid,
                name: fields.text(),
                exec: misc & MISC_COMM_EXEC != 0,
            }
        }
        RECORD_FORK | RECORD_EXIT => {
            let (pid, parent_pid, tid, parent_tid) =
                (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
            if kind == RECORD_FORK {
                What::Fork {
                    pid,
                    tid,
                    parent_pid,
                    parent_tid,
                }
            } else {
                What::Exit { pid, tid }
            }
        }
        RECORD_MMAP2 => match mmap2(&mut fields, misc)? {
            Some(what) => what,
            None => return Ok(SideBand::Other),
        },
        _ => return Ok(SideBand::Other),
    };
    Ok(SideBand::Event(Event { time, what }))
}

fn mmap2(fields: &mut Fields<'_>, misc: u16) -> Result<Option<What>, DecodeError> {
    let (pid, _tid) = (fields.u32()?, fields.u32()?);
    let (start, length, file_offset) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let (mut build_id, mut inode) = (Vec::new(), None);
    if misc & MISC_MMAP_BUILD_ID != 0 {
        // u8 size, three reserved bytes, 20 bytes of which `size` count.
        let size = usize::from(fields.u8()?).min(20);
        fields.take(3)?;
        build_id = fields.take(20)?[..size].to_vec();
    } else {
        let (major, minor, number, _generation) =
            (fields.u32()?, fields.u32()?, fields.u64()?, fields.u64()?);
        if number != 0 {
            inode = Some((u64::from(major) << 32 | u64::from(minor), number));
        }
    }
    let (protection, _flags) = (fields.u32()?, fields.u32()?);
    if protection & PROT_EXEC == 0 {
        return Ok(None);
    }
    let end = start.saturating_add(length);
    let mapping = RawMapping {
        start,
        end,
        file_offset,
        path: fields.text(),
        build_id,
        inode,
    };
    Ok(Some(What::Mmap { pid, mapping }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_stack_is_read_with_the_frames_it_has() {
        let record_bytes = bytes(&[kind::STACK, 0, 5, 0, 7, 0, 2, 1, 0x10, 0, 0x20, 0]);
        let stack = RawStack {
            hash: 7,
            kernel: true,
            frames: vec![0x10, 0x20],
        };
        assert_eq!(record(&record_bytes), Ok(Record::Stack(stack)));
        assert_eq!(record(&record_bytes[..44]), Err(DecodeError::Short));
    }

    #[test]
    fn a_stack_that_claims_more_frames_than_it_has_is_refused() {
        assert_eq!(
            record(&bytes(&[kind::STACK, 0, 5, 0, 7, 0, u32::MAX, 1])),
            Err(DecodeError::Short)
        );
    }

    #[test]
    fn fork_and_exec_differ_by_the_parent() {
        let image = |parent| record(&bytes(&[kind::IMAGE, 0, 5, 0, 9, parent]));
        let event = |parent| {
            Ok(Record::Event(Event {
                time: 5,
                what: What::Image { pid: 9, parent },
            }))
        };
        assert_eq!(image(0), event(None));
        assert_eq!(image(3), event(Some(3)));
        assert_eq!(record(&bytes(&[99, 0, 5, 0])), Err(DecodeError::UnknownKind(99)));
        assert_eq!(record(&[]), Err(DecodeError::Short));
    }

    #[test]
    fn a_side_band_comm_record_ends_with_its_time() {
        let mut record = bytes(&[RECORD_COMM, 0, 17, 18]);
        record[4..6].copy_from_slice(&MISC_COMM_EXEC.to_ne_bytes());
        record.extend_from_slice(b"sh\0\0\0\0\0\0");
        record.extend_from_slice(&99u64.to_ne_bytes());
        let what = What::Comm {
            pid: 17,
            tid: 18,
            name: b"sh".to_vec(),
            exec: true,
        };
        assert_eq!(side_band(&record), Ok(SideBand::Event(Event { time: 99, what })));
        for length in 0..record.len() {
            let _ = side_band(&record[..length]);
        }
    }

    #[test]
    fn an_executable_mapping_comes_with_its_build_id() {
        let mut record = bytes(&[
            RECORD_MMAP2,
            u32::from(MISC_MMAP_BUILD_ID), /* misc, size */
            17,
            17,
        ]);
        for word in [0x1000u64, 0x2000, 0x3000] {
            record.extend_from_slice(&word.to_ne_bytes());
        }
        record.extend_from_slice(&[2, 0, 0, 0]);
        record.extend_from_slice(&[0xab; 20]);
        record.extend_from_slice(&bytes(&[PROT_EXEC | 1, 0]));
        record.extend_from_slice(b"/bin/sh\0");
        record.extend_from_slice(&99u64.to_ne_bytes());
        let Ok(SideBand::Event(Event {
            what: What::Mmap { pid: 17, mapping },
            ..
        })) = side_band(&record)
        else {
            panic!("not an mmap: {:?}", side_band(&record));
        };
        assert_eq!(
            (mapping.start, mapping.end, mapping.file_offset),
            (0x1000, 0x3000, 0x3000)
        );
        assert_eq!(
            (mapping.path.as_slice(), mapping.build_id.as_slice()),
            (&b"/bin/sh"[..], &[0xab, 0xab][..])
        );
    }
}
