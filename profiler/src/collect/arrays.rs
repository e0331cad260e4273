//! BPF arrays that user space writes through `mmap(2)`: no system call an element.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use aya::{
    Pod,
    maps::{Map, MapData},
};
use profiler_common::unwind::{BLOCKS_PER_CHUNK, Block, MAX_CHUNKS};

use super::unwind::pool::Chunks;

/// A BPF array, mapped. The elements are of type `T`, whose size must be a multiple of 8 (BPF rounds up).
#[derive(Debug)]
pub struct MappedArray<T> {
    memory: *mut T,
    len: usize,
    /// Keeps the map alive.
    map: MapData,
    elements: PhantomData<T>,
}

// SAFETY: the mapping belongs to this value alone, and moves with it.
unsafe impl<T: Send> Send for MappedArray<T> {}

impl<T: Pod> MappedArray<T> {
    /// Maps a BPF array that was made with `BPF_F_MMAPABLE`.
    ///
    /// # Errors
    /// Those of `mmap(2)`, and if the elements are not of the size of `T`.
    pub fn new(map: MapData) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        let info = map.info().map_err(io::Error::other)?;
        if info.value_size() as usize != size_of::<T>() {
            return Err(io::Error::other("the array's elements are of another size"));
        }
        let len = info.max_entries() as usize;
        let (access, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        let fd = map.fd().as_fd().as_raw_fd();
        // SAFETY: a new mapping, where the kernel likes.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), len * size_of::<T>(), access, shared, fd, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            memory: memory.cast(),
            len,
            map,
            elements: PhantomData,
        })
    }

    /// The elements, for writing.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the mapping holds `len` elements, of which every bit pattern is a value. The kernel only reads them,
        // and what it reads is published afterwards by other means.
        unsafe { std::slice::from_raw_parts_mut(self.memory, self.len) }
    }

    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.memory, self.len) }
    }

    /// Where an element is, of an array that the kernel side writes to as well: to be read and written through volatile
    /// accesses only. `None` past the end.
    pub fn place(&self, at: usize) -> Option<*mut T> {
        (at < self.len).then(|| self.memory.wrapping_add(at))
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.map.fd().as_fd()
    }
}

impl<T> Drop for MappedArray<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, of that size.
        unsafe { libc::munmap(self.memory.cast(), self.len * size_of::<T>()) };
    }
}

/// An array out of a loaded object's maps.
///
/// # Errors
/// If the map is not an array, or cannot be mapped.
pub fn mapped<T: Pod>(map: Map) -> io::Result<MappedArray<T>> {
    match map {
        Map::Array(data) => MappedArray::new(data),
        _ => Err(io::Error::other("not an array")),
    }
}

/// The chunks of the block pool: BPF arrays inside the array of maps `BLOCKS`.
///
/// An update of a map in a map waits until no program uses the old content: 10 ms on a quiet host, 200 ms where every
/// CPU is taken. So several chunks are made ahead, and put in place by one call that waits once.
#[derive(Debug)]
pub struct BpfChunks {
    outer: MapData,
    chunks: Vec<MappedArray<Block>>,
    /// How many of them are handed out.
    used: usize,
    /// How many are made at a time.
    ahead: u32,
}

impl BpfChunks {
    /// No chunks yet; they will go into `outer`, `ahead` at a time.
    pub fn new(outer: MapData, ahead: u32) -> Self {
        Self {
            outer,
            chunks: Vec::new(),
            used: 0,
            ahead,
        }
    }

    fn make_ahead(&mut self) -> io::Result<()> {
        let first = self.chunks.len() as u32;
        let last = (first + self.ahead).min(MAX_CHUNKS);
        let made = (first..last).map(|_| chunk()).collect::<io::Result<Vec<_>>>()?;
        let keys: Vec<u32> = (first..last).collect();
        let fds: Vec<i32> = made.iter().map(|chunk| chunk.fd().as_raw_fd()).collect();
        let map = self.outer.fd().as_fd();
        if update_batch(map, &keys, &fds).is_err() {
            for (key, fd) in keys.iter().zip(&fds) {
                update(map, key, fd)?;
            }
        }
        self.chunks.extend(made);
        Ok(())
    }
}

/// `BPF_MAP_TYPE_ARRAY`, `BPF_F_MMAPABLE` (include/uapi/linux/bpf.h).
const ARRAY: u32 = 2;
const MMAPABLE: u32 = 1 << 10;

fn chunk() -> io::Result<MappedArray<Block>> {
    let definition =
        aya_obj::Map::new_from_params(ARRAY, 4, size_of::<Block>() as u32, BLOCKS_PER_CHUNK, MMAPABLE);
    MappedArray::new(MapData::create(definition, "blocks", None).map_err(io::Error::other)?)
}

impl Chunks for BpfChunks {
    fn grow(&mut self) -> io::Result<()> {
        if self.used == self.chunks.len() {
            self.make_ahead()?;
        }
        self.used += 1;
        Ok(())
    }

    fn chunk_mut(&mut self, number: u32) -> &mut [Block] {
        self.chunks[number as usize].as_mut_slice()
    }

    fn chunk(&self, number: u32) -> &[Block] {
        self.chunks[number as usize].as_slice()
    }

    fn len(&self) -> u32 {
        self.used as u32
    }
}

const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_MAP_UPDATE_BATCH: libc::c_int = 26;

/// Sets elements of a map of 4-byte keys and values, with one wait for all. An error where the kernel cannot do that to maps
/// in maps.
fn update_batch(map: BorrowedFd<'_>, keys: &[u32], values: &[i32]) -> io::Result<()> {
    /// `bpf_attr` of the batch commands (include/uapi/linux/bpf.h).
    #[repr(C)]
    struct BatchAttributes {
        in_batch: u64,
        out_batch: u64,
        keys: u64,
        values: u64,
        count: u32,
        map_fd: u32,
        elem_flags: u64,
        flags: u64,
    }
    let attributes = BatchAttributes {
        in_batch: 0,
        out_batch: 0,
        keys: keys.as_ptr() as u64,
        values: values.as_ptr() as u64,
        count: keys.len() as u32,
        map_fd: map.as_raw_fd() as u32,
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: the structure and the arrays it points to are valid for the call.
    unsafe { bpf(BPF_MAP_UPDATE_BATCH, &attributes) }
}

/// Sets one element of a map of 4-byte keys and values.
///
/// # Errors
/// Those of `bpf(2)`.
fn update(map: BorrowedFd<'_>, key: &u32, value: &i32) -> io::Result<()> {
    /// `bpf_attr` of the element commands.
    #[repr(C)]
    struct ElementAttributes {
        map_fd: u64,
        key: u64,
        value: u64,
        flags: u64,
    }
    let attributes = ElementAttributes {
        map_fd: map.as_raw_fd() as u64,
        key: std::ptr::from_ref(key) as u64,
        value: std::ptr::from_ref(value) as u64,
        flags: 0,
    };
    // SAFETY: the structure, the key and the value are valid for the call.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &attributes) }
}

/// The `bpf(2)` system call.
///
/// # Safety
/// `attributes` is what the command expects.
unsafe fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
