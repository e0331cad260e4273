//! The BPF object: configured, loaded, its maps in hand.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{HashMap, Map, MapData, PerCpuArray, RingBuf},
    programs::{BtfTracePoint, PerfEvent, tp_btf::BtfTracePointLink},
};
use profiler_common::{
    config::{
        Config, FLAG_BY_CGROUP, FLAG_BY_COMM, FLAG_BY_PID, FLAG_BY_TID, FLAG_CALLS, FLAG_KERNEL, FLAG_LOCKS,
        FLAG_LOG, FLAG_OFF_CPU, FLAG_USER, MAX_USER_FRAMES,
    },
    glob::{Glob, MAX_PATTERN},
    lock::KERNEL_LOCKS,
};

use crate::probes::CPU;

use super::{
    arrays::{self, BpfChunks},
    btf, cgroup,
    kernel_locks::KernelLocks,
    kernel_maps::KernelMaps,
    options::Options,
    places::Places,
};

/// The object, as the build script made it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("PROFILER_EBPF_OBJECT"));

/// How many mappings, processes and bytes of ring the maps hold; fixed at load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Entries of the mapping pool, 32 bytes each.
    pub mappings: u32,
    /// Processes at a time.
    pub processes: u32,
    /// Bytes of the ring buffer, a power of two.
    pub ring: u32,
    /// Chunks of unwind rows (1 MiB each) that are made at a time.
    pub chunks_ahead: u32,
    /// Places to sum operations in, 1112 bytes each.
    pub places: u32,
    /// CPUs that there may ever be.
    pub cpus: u32,
}

impl Sizes {
    /// What a recording needs: room for a second of samples and stacks, and for the processes of a large host.
    pub fn of(options: &Options, cpus: usize) -> Self {
        let samples = u64::from(options.frequency) * cpus as u64;
        // A sample is 64 bytes, a new stack some 300; a copied one has 12 KiB and more, but is rare.
        let ring = (samples * 2048).clamp(1 << 20, 1 << 26).next_power_of_two() as u32;
        // A place for each kind of operation of a process on each CPU that it uses.
        let possible = aya::util::nr_cpus().unwrap_or(cpus) as u32;
        let places = (cpus as u32 * 256).clamp(2048, 16_384);
        if options.by_pid() {
            Self {
                places: places / 2,
                cpus: possible,
                mappings: 1 << 15,
                processes: 1 << 12,
                ring,
                chunks_ahead: 2,
            }
        } else {
            Self {
                places,
                cpus: possible,
                mappings: 1 << 17,
                processes: 1 << 15,
                ring: ring.max(1 << 23),
                chunks_ahead: 16,
            }
        }
    }
}

/// A row of the map in which the programs remember the stacks they sent: plain data, to be zeroed.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct SeenRow(pub [u64; 1024]);

// SAFETY: an array of integers.
unsafe impl aya::Pod for SeenRow {}

/// The loaded object and its maps.
pub struct Object {
    /// What aya holds: programs and their links.
    pub ebpf: Ebpf,
    /// What the programs send.
    pub events: RingBuf<MapData>,
    /// What the programs count.
    pub counters: PerCpuArray<MapData, u64>,
    /// What the programs remember of stacks they sent.
    pub seen: PerCpuArray<MapData, SeenRow>,
    process_hooks: Vec<BtfTracePointLink>,
}

/// What [`Object::load`] gives.
#[expect(missing_debug_implementations, reason = "aya's object has none")]
pub struct Loaded {
    /// The object.
    pub object: Object,
    /// The maps that unwinding reads.
    pub maps: KernelMaps,
    /// Room for rows.
    pub chunks: BpfChunks,
    /// Where operations are summed.
    pub places: Places,
    /// Where waits for kernel locks are found.
    pub kernel_locks: KernelLocks,
    /// The kernel's types, for programs that are attached later.
    pub btf: Btf,
}

impl Object {
    /// Loads the object with its configuration in read-only data; the maps that unwinding reads come apart.
    ///
    /// # Errors
    /// If the kernel refuses: missing privileges, BTF or features. `profiler doctor` tells which.
    pub fn load(options: &Options, sizes: Sizes) -> Result<Loaded> {
        let config = config(options, sizes)?;
        // Read once: it is large, and loading and attaching both need it.
        let btf = Btf::from_sys_fs().context("cannot read the kernel's BTF (`profiler doctor` says more)")?;
        let mut loader = EbpfLoader::new();
        let mut ebpf = loader
            .btf(Some(&btf))
            .override_global("CONFIG", &config, true)
            .map_max_entries("EVENTS", sizes.ring)
            .map_max_entries("MAPPINGS", sizes.mappings)
            .map_max_entries("SPACES", sizes.processes)
            .map_max_entries("IMAGES", sizes.processes)
            .map_max_entries("TARGETS", sizes.processes)
            .map_max_entries("PLACES", sizes.places)
            .map_max_entries("PLACE_OF", sizes.places)
            .map_max_entries("FREE_PLACES", sizes.places)
            .map_max_entries("KERNEL_LOCK_WAITS", sizes.cpus)
            .map_max_entries("KERNEL_LOCK_SUMS", sizes.cpus * KERNEL_LOCKS as u32)
            .allow_unsupported_maps()
            .load(OBJECT)
            .context("cannot load the kernel side (run as root; `profiler doctor` says what is missing)")?;
        let mut take = |name: &str| {
            ebpf.take_map(name)
                .with_context(|| format!("the kernel side has no map {name}"))
        };
        let events = RingBuf::try_from(take("EVENTS")?)?;
        let counters = PerCpuArray::try_from(take("COUNTERS")?)?;
        let mappings = arrays::mapped(take("MAPPINGS")?).context("cannot map the mapping pool")?;
        let rules = arrays::mapped(take("RULES")?).context("cannot map the dictionary of rules")?;
        let Map::ArrayOfMaps(blocks) = take("BLOCKS")? else {
            bail!("BLOCKS is not an array of maps")
        };
        let spaces = HashMap::try_from(take("SPACES")?)?;
        let images = HashMap::try_from(take("IMAGES")?)?;
        let mut targets: HashMap<_, u32, u32> = HashMap::try_from(take("TARGETS")?)?;
        for pid in options.pids.iter().flatten() {
            targets.insert(pid, 1, 0)?;
        }
        let seen = PerCpuArray::try_from(take("SEEN")?)?;
        let places = Places::new(take("PLACES")?, take("PLACE_OF")?, take("FREE_PLACES")?)
            .context("cannot use the places in which operations are summed")?;
        let kernel_locks = KernelLocks::new(take("KERNEL_LOCK_WAITS")?, take("KERNEL_LOCK_SUMS")?)
            .context("cannot use the memory for waits for kernel locks")?;
        let maps = KernelMaps {
            mappings,
            rules,
            spaces,
            images,
            targets,
        };
        let mut object = Self {
            ebpf,
            events,
            counters,
            seen,
            process_hooks: Vec::new(),
        };
        object.set_threads(options)?;
        object.attach_process_hooks(&btf)?;
        Ok(Loaded {
            object,
            maps,
            chunks: BpfChunks::new(blocks, sizes.chunks_ahead),
            places,
            kernel_locks,
            btf,
        })
    }

    /// The wanted threads. Their map stays with the object: a program cannot be loaded once one of its maps is closed.
    fn set_threads(&mut self, options: &Options) -> Result<()> {
        let threads = self
            .ebpf
            .map_mut("TARGET_THREADS")
            .context("the kernel side has no map TARGET_THREADS")?;
        let mut threads: HashMap<_, u32, u32> = HashMap::try_from(threads)?;
        for tid in &options.tids {
            threads.insert(tid, 1, 0)?;
        }
        Ok(())
    }

    /// Exec and fork, which come before the first sample.
    fn attach_process_hooks(&mut self, btf: &Btf) -> Result<()> {
        for (name, tracepoint) in [
            ("process_fork", "sched_process_fork"),
            ("process_exec", "sched_process_exec"),
        ] {
            load(&mut self.ebpf, btf, name, tracepoint)?;
            self.process_hooks.push(attach(&mut self.ebpf, name)?);
        }
        Ok(())
    }

    /// Loads the sampler's program; its descriptor goes to each CPU's clock.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn load_sampler(&mut self) -> Result<std::os::fd::OwnedFd> {
        let program: &mut PerfEvent = self
            .ebpf
            .program_mut(CPU.program)
            .context("the kernel side has no program cpu")?
            .try_into()?;
        program
            .load()
            .context("the kernel refuses the sampler (`profiler doctor` says what is missing)")?;
        let verified = program
            .info()
            .ok()
            .and_then(|info| info.verified_instruction_count());
        log::info!("sampler loaded: {} instructions verified", verified.unwrap_or(0));
        Ok(program.fd()?.as_fd().try_clone_to_owned()?)
    }
}

/// Loads the program `name`, to be attached to a tracepoint of the kernel.
///
/// # Errors
/// If there is no such program, or the kernel refuses it.
pub fn load(ebpf: &mut Ebpf, btf: &Btf, name: &str, tracepoint: &str) -> Result<()> {
    let program = program(ebpf, name)?;
    program
        .load(tracepoint, btf)
        .with_context(|| format!("the kernel refuses program {name}"))?;
    let verified = program
        .info()
        .ok()
        .and_then(|info| info.verified_instruction_count());
    log::info!("{name} loaded: {} instructions verified", verified.unwrap_or(0));
    Ok(())
}

/// Attaches the program `name`, which is loaded, to its tracepoint, for as long as the link is kept.
///
/// # Errors
/// If it is not loaded, or the kernel refuses it.
pub fn attach(ebpf: &mut Ebpf, name: &str) -> Result<BtfTracePointLink> {
    let program = program(ebpf, name)?;
    let link = program
        .attach()
        .with_context(|| format!("cannot attach {name}"))?;
    Ok(program.take_link(link)?)
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut BtfTracePoint> {
    let program = ebpf
        .program_mut(name)
        .with_context(|| format!("the kernel side has no {name}"))?;
    Ok(program.try_into()?)
}

/// `THREAD_SIZE` (arch/x86/include/asm/page_64_types.h). With KASAN it is twice as large, and the upper half is then
/// not taken for a thread's stack: wakers are unknown rather than wrong.
const KERNEL_STACK: u32 = 16 << 10;

fn config(options: &Options, sizes: Sizes) -> Result<Config> {
    let comm = match &options.comm {
        None => Glob::NOTHING,
        Some(pattern) => Glob::compile(pattern.as_bytes()).with_context(|| {
            format!("--comm {pattern:?} is too long: a thread's name has at most 15 bytes, a pattern {MAX_PATTERN}")
        })?,
    };
    let offsets = btf::offsets()?;
    let cgroup = match &options.cgroup {
        None => cgroup::Place::default(),
        Some(_) if !cgroup::can_be_told(&offsets) => {
            bail!("the types of this kernel do not tell which cgroup a task is in, so -G cannot be had here")
        }
        Some(path) => cgroup::Place::of(path)?,
    };
    let flags = [
        (options.user_stacks, FLAG_USER),
        (options.kernel_stacks, FLAG_KERNEL),
        (options.by_pid(), FLAG_BY_PID),
        (!options.tids.is_empty(), FLAG_BY_TID),
        (options.cgroup.is_some(), FLAG_BY_CGROUP),
        (options.comm.is_some(), FLAG_BY_COMM),
        (options.log_kernel_side, FLAG_LOG),
        (options.off_cpu, FLAG_OFF_CPU),
        (options.calls, FLAG_CALLS),
        (options.locks, FLAG_LOCKS),
    ];
    Ok(Config {
        flags: flags.iter().filter(|(on, _)| *on).map(|(_, flag)| flag).sum(),
        max_user_frames: options.max_stack.clamp(1, MAX_USER_FRAMES as u32),
        period: options.period(),
        copies_per_second: options.frequency.clamp(200, 1_000),
        wake_at: sizes.ring / 2,
        own_pid: std::process::id(),
        mapping_pool: sizes.mappings,
        places: sizes.places,
        kernel_stack: KERNEL_STACK,
        slow_ns: options.slow_ns,
        cgroup_id: cgroup.id,
        cgroup_level: cgroup.level,
        comm,
        offsets,
    })
}

#[cfg(test)]
mod tests;
