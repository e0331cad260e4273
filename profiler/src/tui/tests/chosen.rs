//! What was chosen stays chosen, in every view.

use super::*;

#[test]
fn a_process_that_was_chosen_is_all_that_any_view_shows() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "2jf");
    for tab in ["1", "2", "3", "4", "5"] {
        press(&mut app, tab);
        let drawn = screen(&mut app, 80, 24);
        assert!(drawn.contains("only in python3 2201"), "{drawn}");
        assert!(!drawn.contains("redis") && !drawn.contains("nginx"), "{drawn}");
    }
    // New samples, and going back, change nothing about it.
    app.absorb(delta(from_folded("redis-server/812;late 100")));
    app.refresh();
    press(&mut app, "\x1b\x1b1");
    assert_screens("only-a-process", &mut app);
    press(&mut app, "F");
    assert!(screen(&mut app, 80, 24).contains("dictFind"));
    press(&mut app, "F");
    assert!(screen(&mut app, 80, 24).contains("nothing is chosen: f chooses"));
    press(&mut app, "j");
    assert!(!screen(&mut app, 80, 24).contains("nothing is chosen"));
}

#[test]
fn a_function_that_was_chosen_says_who_uses_it_and_what_is_not_told_apart() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "/memcpy\nf\x1b");
    let functions = screen(&mut app, 80, 24);
    assert!(functions.contains("only through memcpy"), "{functions}");
    assert!(
        functions.contains("processCommand") && !functions.contains("dictFind"),
        "{functions}"
    );
    press(&mut app, "2");
    let processes = screen(&mut app, 80, 24);
    assert!(
        processes.contains("redis-server") && !processes.contains("python3"),
        "{processes}"
    );
    press(&mut app, "4");
    let time = screen(&mut app, 80, 24);
    assert!(
        time.contains("not told apart: through memcpy") && time.contains("python3"),
        "{time}"
    );
}

#[test]
fn the_function_of_a_branch_and_of_a_frame_can_be_chosen() {
    for (keys, name) in [("3jjf", "main"), ("vvkf", "__libc_start_main")] {
        let mut app = app_of(web());
        screen(&mut app, 80, 24);
        press(&mut app, keys);
        screen(&mut app, 80, 24);
        press(&mut app, "f2");
        let drawn = screen(&mut app, 80, 24);
        assert!(drawn.contains("only through "), "{name}: {drawn}");
        assert!(!drawn.contains("kworker"), "{drawn}");
    }
}

#[test]
fn threads_and_processes_narrow_each_other() {
    let mut app = app_of(measured::waiting());
    press(&mut app, "4\n");
    let threads = screen(&mut app, 80, 24);
    assert!(threads.contains("bio_aof"), "{threads}");
    press(&mut app, "jf");
    let thread = screen(&mut app, 80, 24);
    assert!(
        thread.contains("only in thread ") && thread.contains("[all: 1 thread]"),
        "{thread}"
    );
}

#[test]
fn processes_are_put_together_in_other_ways_and_those_can_be_opened_and_chosen() {
    let mut profile = web();
    let processes: Vec<_> = profile
        .processes
        .iter()
        .map(|(id, process)| (id, process.clone()))
        .collect();
    let mut with_cgroups = crate::profile::Table::default();
    for (_, mut process) in processes {
        process.cgroup = match process.name.as_str() {
            "kworker/u8" => String::new(),
            name => format!("/system.slice/{name}.service"),
        };
        with_cgroups.intern(process);
    }
    profile.processes = with_cgroups;
    let mut app = app_of(profile);
    press(&mut app, "2bb");
    assert_screen("by-cgroup-80x24", &screen(&mut app, 80, 24));
    press(&mut app, "j\n");
    let stacks = screen(&mut app, 80, 24);
    assert!(stacks.contains("in /system.slice/python3.service"), "{stacks}");
    assert!(!stacks.contains("redis"), "{stacks}");
    press(&mut app, "\x1bG\n");
    assert!(screen(&mut app, 80, 24).contains("cannot be opened"));
    press(&mut app, "f");
    assert!(screen(&mut app, 80, 24).contains("cannot be chosen"));
    press(&mut app, "bbb");
    let modules = screen(&mut app, 80, 24);
    assert!(
        modules.contains("MODULE") && modules.contains("libjemalloc.so.2"),
        "{modules}"
    );
    press(&mut app, "f1");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("only through python3") && !drawn.contains("dictFind"),
        "{drawn}"
    );
}

#[test]
fn what_was_chosen_and_is_not_there_is_named() {
    let mut app = app_of(web());
    press(&mut app, "2jf");
    app.prepare();
    app.absorb(delta(Profile {
        quality: vec![crate::profile::QualityWindow {
            start_ns: 60_000_000_000,
            end_ns: 61_000_000_000,
            ..Default::default()
        }],
        ..Profile::default()
    }));
    app.refresh();
    press(&mut app, "1");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("no samples of python3 2201 (last 10 s)"),
        "{drawn}"
    );
}
