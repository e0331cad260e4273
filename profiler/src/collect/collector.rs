//! The collector: owns the rings and the profile, and turns what the kernel sends into deltas.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aya::maps::PerCpuValues;
use profiler_common::{config::tell, event::ProbeId, stats::Counter};

use super::{
    apply::Recorder,
    arrays::BpfChunks,
    clock, cpus, decode,
    event::{Event, What},
    governor::{Governor, Sheddable},
    hooks::Hooks,
    host::ProcFs,
    kernel_locks::KernelLocks,
    kernel_maps::KernelMaps,
    kernel_text::KernelText,
    metadata,
    object::{Loaded, Object, SeenRow, Sizes},
    options::Options,
    own_cost::{Measured, RunTime},
    perf_event::Sampler,
    places::Places,
    proc_fs,
    quality::{self, Totals},
    session::Batch,
    side_band::Ring,
    stuck::Stuck,
    tables::UnwindTables,
    thread_times,
    trials::Trials,
};
use crate::{
    probes::PROBES,
    profile::{Mark, Profile},
};

/// How often the rings are read.
const TICK: Duration = Duration::from_millis(50);
/// How often at the start, while most processes that are sampled are new: until their tables are there, each sample
/// comes with a copy of its stack.
const FIRST_TICKS: Duration = Duration::from_millis(5);
const FIRST_TICKS_END_NS: u64 = 500_000_000;
/// An event is applied when it is at least this old: by then all rings have shown what came before it.
const SETTLE_NS: u64 = 5_000_000;
/// How often the governor looks at what system calls cost.
const LOOK_NS: u64 = 200_000_000;
/// Bytes of unwind rows at most.
const MAX_ROWS: u64 = 160 << 20;

pub(super) struct Collector {
    object: Object,
    recorder: Recorder<ProcFs, BpfChunks, KernelMaps>,
    options: Options,
    side_band: Vec<Ring>,
    sampler: OwnedFd,
    samplers: Vec<Sampler>,
    /// The hooks that keep the accounts of threads and count system calls.
    hooks: Hooks,
    governor: Governor,
    trials: Trials,
    /// Since when probes are off that would have cost too much (`CLOCK_MONOTONIC`, nanoseconds).
    shed: BTreeMap<Sheddable, u64>,
    /// When the governor looked last.
    looked: u64,
    stuck: Stuck,
    /// The next batch is the first of new tables.
    begins_anew: bool,
    /// Where the kernel side sums operations.
    places: Places,
    /// Where the kernel side leaves waits for its locks.
    kernel_locks: KernelLocks,
    pending: Vec<Event>,
    mark: Mark,
    totals: Totals,
    run_time: RunTime,
    logger: Option<aya_log::EbpfLogger<&'static dyn log::Log>>,
    start: u64,
    last_window: u64,
    expected: u64,
    lost: BTreeMap<&'static str, u64>,
    drained: Instant,
}

impl Collector {
    /// Loads and attaches everything.
    pub(super) fn start(options: &Options) -> Result<Self> {
        let online = cpus::online().context("cannot tell which CPUs are online")?;
        let sizes = Sizes::of(options, online.len());
        let Loaded {
            mut object,
            maps,
            chunks,
            places,
            kernel_locks,
            btf,
        } = Object::load(options, sizes)?;
        let logger = match options.log_kernel_side {
            true => Some(
                aya_log::EbpfLogger::init_with_logger(&mut object.ebpf, log::logger())
                    .context("cannot read the kernel programs' log")?,
            ),
            false => None,
        };
        let mut side_band = Vec::new();
        for &cpu in &online {
            match Ring::open(cpu) {
                Ok(ring) => side_band.push(ring),
                Err(error) if went_offline(&error) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot open perf's side band on CPU {cpu}"));
                }
            }
        }
        let profile = Profile {
            metadata: metadata::gather(options, online.len() as u32),
            sample_types: PROBES
                .iter()
                .filter(|probe| probe.id != ProbeId::OffCpu || options.off_cpu)
                .map(|probe| probe.sample_type())
                .collect(),
            ..Profile::default()
        };
        let start = profile.metadata.start_monotonic_ns;
        let tables = UnwindTables::new(chunks, maps, MAX_ROWS);
        let mut recorder = Recorder::new(profile, ProcFs, tables, KernelText::read());
        recorder.scan(proc_fs::pids().context("cannot read /proc")?);
        if options.user_stacks {
            for &pid in options.pids.iter().flatten() {
                recorder.prepare(pid, clock::monotonic_ns());
            }
        }
        let sampler = object.load_sampler()?;
        let totals = Totals::start(&object.counters);
        let mut collector = Self {
            object,
            recorder,
            options: options.clone(),
            side_band,
            sampler,
            samplers: Vec::new(),
            hooks: Hooks::default(),
            governor: Governor::new(options.max_overhead, online.len()),
            trials: Trials::default(),
            shed: BTreeMap::new(),
            looked: start,
            stuck: Stuck::new(start),
            begins_anew: false,
            places,
            kernel_locks,
            pending: Vec::new(),
            mark: Mark::default(),
            totals,
            run_time: RunTime::default(),
            logger,
            start,
            last_window: start,
            expected: 0,
            lost: BTreeMap::new(),
            drained: Instant::now(),
        };
        for cpu in online.into_iter().filter(|_| options.cpu) {
            match collector.start_sampler(cpu) {
                Err(error) if !went_offline(&error) => {
                    let clock = options.clock.name();
                    let advice = "`profiler doctor` says which clocks deliver";
                    return Err(error)
                        .with_context(|| format!("cannot start {clock} on CPU {cpu} ({advice})"));
                }
                _ => {}
            }
        }
        collector.hooks = Hooks::attach(&mut collector.object.ebpf, &btf, options);
        collector.recorder.calls_are_recorded = collector.hooks.count_calls();
        collector.run_time.start(&collector.object.ebpf);
        Ok(collector)
    }

    fn start_sampler(&mut self, cpu: u32) -> io::Result<()> {
        let sampler = Sampler::start(
            self.options.clock,
            self.options.period(),
            cpu,
            self.sampler.as_fd(),
        )?;
        self.samplers.push(sampler);
        Ok(())
    }

    /// Collects until `stop` is set.
    pub(super) fn run(&mut self, stop: &AtomicBool, batches: &Sender<Batch>) -> Result<()> {
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if stopping {
                // No more samples; what is in the rings counts.
                self.count_expected();
                self.samplers.clear();
            } else {
                self.wait();
            }
            let now = clock::monotonic_ns();
            self.drain();
            let until = if stopping { u64::MAX } else { now - SETTLE_NS };
            self.apply(until);
            self.stuck.tell(until, &mut self.recorder);
            if !stopping {
                if self.options.looks_on && self.hooks.tell_locks() {
                    self.stuck.look(now, &mut self.object.ebpf, &mut self.recorder);
                }
                self.publish(now);
                self.look_at_cost(now);
            }
            if stopping || now >= self.last_window + self.options.window_ms * 1_000_000 {
                self.close_window(now, stopping);
                let delta = self.recorder.profile.take_delta(&mut self.mark);
                let files = std::mem::take(&mut self.recorder.files);
                let batch = Batch {
                    begins_anew: std::mem::take(&mut self.begins_anew),
                    delta,
                    files,
                };
                if batches.send(batch).is_err() || stopping {
                    return Ok(());
                }
                if self.options.looks_on && self.recorder.has_large_tables() {
                    self.recorder.renew();
                    (self.mark, self.begins_anew) = (Mark::default(), true);
                }
                self.follow_cpus();
            }
        }
    }

    /// Waits for the next tick, or until a ring is half full.
    fn wait(&self) {
        let tick = match clock::monotonic_ns() < self.start + FIRST_TICKS_END_NS {
            true => FIRST_TICKS,
            false => TICK,
        };
        let poll = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let mut fds: Vec<_> = self.side_band.iter().map(|ring| poll(ring.fd())).collect();
        fds.push(poll(self.object.events.as_raw_fd()));
        // SAFETY: the array is valid for the call. An interrupted wait is as good as one that ended.
        unsafe {
            libc::poll(
                fds.as_mut_ptr(),
                fds.len() as libc::nfds_t,
                tick.as_millis() as libc::c_int,
            )
        };
    }

    /// Tells the kernel side about processes that were sampled, for at most a few ticks; others wait for the next one.
    fn publish(&mut self, now: u64) {
        let began = Instant::now();
        while self.recorder.publish(now, 1) && began.elapsed() < 4 * TICK {
            if self.drained.elapsed() > TICK {
                self.drain();
            }
        }
    }

    /// Sheds system calls at once if there is a storm of them.
    fn look_at_cost(&mut self, now: u64) {
        if !self.hooks.count_calls() || now < self.looked + LOOK_NS {
            return;
        }
        let calls = quality::count(&self.object.counters, Counter::Calls);
        if let Some(probe) = self.governor.look(calls, now - self.looked) {
            self.shed(probe, now);
        }
        self.looked = now;
    }

    /// Turns a probe off, and what cannot be without it.
    fn shed(&mut self, probe: Sheddable, now: u64) {
        let mut probes = vec![probe];
        if probe == Sheddable::States {
            probes = self.hooks.sheddable();
            // Calls that run now do not run until the recording ends.
            self.hooks.shed(Sheddable::Syscalls);
            // What threads did until now counts.
            self.read_thread_times(true);
        }
        self.hooks.shed(probe);
        self.hooks.attach_needed(&mut self.object.ebpf);
        self.recorder.calls_are_recorded = self.hooks.count_calls();
        for probe in probes {
            log::info!("{} is shed: it would cost more than is allowed", probe.name());
            self.shed.insert(probe, now);
            self.trials.shed(probe, now);
        }
    }

    /// Puts a probe back that was shed a while ago, and measures what it costs now.
    fn resume(&mut self, now: u64) {
        let Some(probe) = self.trials.next(now) else {
            return;
        };
        if let Err(error) = self.hooks.resume(probe, &mut self.object.ebpf) {
            log::info!("{} cannot be put back: {error:#}", probe.name());
            // It stays off, and has been so all the time.
            self.hooks.shed(probe);
            return self.trials.shed(probe, now);
        }
        log::info!("{} is tried again", probe.name());
        self.shed.remove(&probe);
        self.recorder.calls_are_recorded = self.hooks.count_calls();
        self.run_time.start(&self.object.ebpf);
        self.looked = clock::monotonic_ns();
    }

    fn drain(&mut self) {
        self.drained = Instant::now();
        let mut lost = 0;
        for ring in &mut self.side_band {
            lost += ring.drain(&mut self.pending);
        }
        self.lose("side band", lost);
        let mut undecodable = 0;
        while let Some(record) = self.object.events.next() {
            match decode::record(&record) {
                Ok(decode::Record::Event(event)) => self.pending.push(event),
                Ok(decode::Record::Stack(stack)) => self.recorder.stack(stack),
                Ok(decode::Record::Copy(copy)) => self.recorder.copy(copy),
                Err(_) => undecodable += 1,
            }
        }
        self.lose("undecodable", undecodable);
        self.kernel_locks.drain(&mut self.pending);
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    fn lose(&mut self, why: &'static str, count: u64) {
        if count > 0 {
            *self.lost.entry(why).or_default() += count;
        }
    }

    /// Applies all events before `until`, in the order of their times.
    fn apply(&mut self, until: u64) {
        self.pending.sort_by_key(|event| event.time);
        let later = self
            .pending
            .split_off(self.pending.partition_point(|event| event.time < until));
        for event in std::mem::replace(&mut self.pending, later) {
            match event.what {
                What::Place { key, place } => self.places.taken(key, place),
                // The new name comes before the new image.
                What::Comm { pid, exec: true, .. } | What::Image { pid, parent: None } => {
                    self.close_image(event.time, pid)
                }
                _ => {}
            }
            self.recorder.apply(event);
            // An event may need the tables of large executables, and meanwhile the rings fill up.
            if self.drained.elapsed() > TICK {
                self.drain();
            }
        }
        for key in std::mem::take(&mut self.recorder.wanting_places) {
            self.places.take(key);
        }
        self.places.refill();
        if self.recorder.has_too_many_stacks() {
            self.forget_stacks();
        }
    }

    /// A process runs another program: what it did before belongs to the one before. What it does between that and our
    /// look, some ticks at most, is counted there, too.
    fn close_image(&mut self, time: u64, pid: u32) {
        let summed = self.places.read(pid);
        self.recorder.operations(&summed);
        self.recorder.close_image(time, pid);
    }

    /// Makes the kernel side send every stack again, so that this side may forget what it has.
    fn forget_stacks(&mut self) {
        let cpus = aya::util::nr_cpus().unwrap_or(1);
        for row in 0..self.object.seen.len() {
            let Ok(zeroes) = PerCpuValues::try_from(vec![SeenRow([0; 1024]); cpus]) else {
                return;
            };
            if self.object.seen.set(row, zeroes, 0).is_err() {
                return;
            }
        }
        self.recorder.forget_stacks();
    }

    fn count_expected(&mut self) {
        let mut gone = Vec::new();
        for sampler in &mut self.samplers {
            match sampler.periods() {
                Ok(periods) => self.expected += periods,
                Err(_) => gone.push(sampler.cpu),
            }
        }
        self.samplers.retain(|sampler| !gone.contains(&sampler.cpu));
        self.side_band.retain(|ring| !gone.contains(&ring.cpu));
    }

    /// What threads did since this was asked last; of all threads, if it is the `last` time.
    fn read_thread_times(&mut self, last: bool) {
        let which = if last { tell::ALL } else { tell::SWITCHED };
        match thread_times::read(&mut self.object.ebpf, which) {
            Ok(threads) => {
                for (time, thread) in &threads {
                    self.recorder.thread_time(*time, thread);
                    if last && self.hooks.count_calls() {
                        self.recorder.still_runs(*time, thread);
                    }
                }
                if last {
                    // Threads that still wait were sampled as they were told of.
                    self.drain();
                    self.apply(u64::MAX);
                }
                if last && self.hooks.tell_locks() {
                    for (time, thread) in &threads {
                        self.recorder.still_waits_for_lock(*time, thread);
                    }
                }
            }
            Err(error) => {
                log::debug!("{error:#}");
                self.lose("states of threads", 1);
            }
        }
    }

    fn close_window(&mut self, now: u64, last: bool) {
        self.count_expected();
        let measured = match last {
            true => self.run_time.take(&self.object.ebpf),
            false => self.run_time.tick(&self.object.ebpf),
        };
        if self.hooks.keep_states() {
            self.read_thread_times(last);
        }
        for pid in self.places.pids() {
            let summed = self.places.read(pid);
            self.recorder.operations(&summed);
        }
        let contended = self.kernel_locks.sums();
        self.recorder.operations(&contended);
        self.recorder.close_window(now);
        let refused = std::mem::take(&mut self.recorder.tables.refused);
        self.lose("no room for unwind tables", refused);
        let mut lost = std::mem::take(&mut self.lost);
        for (why, count) in std::mem::take(&mut self.recorder.lost) {
            *lost.entry(why).or_default() += count;
        }
        let expected = std::mem::take(&mut self.expected);
        let end_ns = now.saturating_sub(self.start);
        let shed = self.shed.iter().map(|(probe, since)| {
            let since = (*since).max(self.last_window);
            (probe.name().to_owned(), now.saturating_sub(since))
        });
        let window = self.totals.window(
            &self.object.counters,
            end_ns,
            expected,
            &measured,
            lost,
            shed.collect(),
        );
        let (length, own) = (window.end_ns - window.start_ns, window.own_cpu_ns);
        let trial = match measured.over_ns {
            0 => None,
            _ => self.trials.measured(),
        };
        let on = self.hooks.sheddable();
        let dearest = self.governor.window(length, own, &measured, &on, trial);
        if let Some(probe) = dearest.filter(|_| !last) {
            self.shed(probe, now);
        } else if !last {
            self.resume(now);
        }
        self.recorder.profile.quality.push(window);
        self.recorder.profile.ended = last;
        let ended = self.recorder.reap(now - SETTLE_NS);
        self.places.release(ended, |pid| !proc_fs::exists(pid));
        self.last_window = now;
    }

    /// CPUs come and go.
    fn follow_cpus(&mut self) {
        let Ok(online) = cpus::online() else { return };
        self.samplers.retain(|sampler| online.contains(&sampler.cpu));
        self.side_band.retain(|ring| online.contains(&ring.cpu));
        for cpu in online {
            if !self.side_band.iter().any(|ring| ring.cpu == cpu)
                && let Ok(ring) = Ring::open(cpu)
            {
                self.side_band.push(ring);
            }
            if self.options.cpu
                && !self.samplers.iter().any(|sampler| sampler.cpu == cpu)
                && self.start_sampler(cpu).is_err()
            {
                self.lose("CPU that came online", 1);
            }
        }
    }
}

/// What a recording with `options` would cost: records for `time`, and throws it away.
///
/// # Errors
/// If the kernel refuses something.
pub fn measure(options: &Options, time: Duration) -> Result<Measured> {
    let mut collector = Collector::start(options)?;
    let end = Instant::now() + time;
    while Instant::now() < end {
        collector.wait();
        collector.drain();
        collector.apply(clock::monotonic_ns() - SETTLE_NS);
    }
    Ok(collector.run_time.take(&collector.object.ebpf))
}

/// A CPU may go between our look at the list and our use of it.
fn went_offline(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENODEV)
}
