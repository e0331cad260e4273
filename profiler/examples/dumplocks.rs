use profiler::profile::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let who = std::env::args().nth(2).unwrap_or_default();
    let loaded = profiler::profile::file::read(std::path::Path::new(&path)).unwrap();
    let p = loaded.profile;
    let name = |w: Waker| match w {
        Waker::Thread(t) => format!("{}({})", p.threads[t].name, p.threads[t].tid),
        other => format!("{other:?}"),
    };
    let frames = |s: Option<Id<Stack>>| -> String {
        let mut out = vec![];
        let mut at = s;
        while let Some(s) = at {
            let st = p.stacks.get(s).unwrap();
            let lines = p.lines.get(&st.location);
            out.push(match lines {
                Some(l) if !l.is_empty() => p.functions[l[0].function].name.clone(),
                _ => format!(
                    "{}+{:x}",
                    p.mapping_of(st.location).path.rsplit('/').next().unwrap_or(""),
                    p.locations[st.location].address
                ),
            });
            at = st.caller;
        }
        out.join("<")
    };
    println!(
        "{} waits {} locks {} call stacks",
        p.lock_waits.len(),
        p.locks.len(),
        p.call_stacks.len()
    );
    let mut sums = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for l in &p.latencies {
        if let Operation::KernelLock(c) = l.key.operation {
            let e = sums.entry(format!("{c:?}")).or_default();
            e.0 += l.count;
            e.1 += l.total_ns;
        }
    }
    let mut est = std::collections::BTreeMap::<String, (f64, f64)>::new();
    for w in &p.lock_waits {
        if !w.contention.is_futex() {
            let e = est.entry(format!("{:?}", w.contention)).or_default();
            e.0 += w.stands_for();
            e.1 += w.weight_ns();
        }
    }
    println!("exact {sums:?}\nestimate {est:?}");
    for w in &p.lock_waits {
        let t = &p.threads[w.thread];
        if !who.is_empty() && !t.name.contains(&who) {
            continue;
        }
        let l = &p.locks[w.lock];
        println!(
            "{:.6} {}({}) {:?} v{} {:.1}us blocked {:.1} thr {:.1} {:?} errno {} lock {:x} {:?} {} owner {} waker {} | {}",
            w.end_ns as f64 / 1e9,
            t.name,
            t.tid,
            w.contention,
            w.value,
            w.duration_ns as f64 / 1e3,
            w.blocked_ns as f64 / 1e3,
            w.threshold_ns as f64 / 1e3,
            w.extent,
            w.errno,
            l.address,
            l.place.map(|p| p.1),
            l.name,
            name(w.owner),
            name(w.waker),
            frames(w.stack)
        );
        if let Waker::Thread(k) = w.waker {
            match p
                .call_stacks
                .iter()
                .find(|c| c.thread == k && c.start_ns <= w.woken_ns && w.woken_ns <= c.end_ns)
            {
                Some(c) => println!("      woken at: {}", frames(c.stack)),
                None => println!("      woken at: NO STACK"),
            }
        }
        if !w.contention.is_futex() {
            if let Some(c) = p
                .call_stacks
                .iter()
                .find(|c| c.thread == w.thread && c.start_ns <= w.end_ns && w.end_ns <= c.end_ns)
            {
                println!("      user: {}", frames(c.stack));
            }
        }
    }
}
