//! The whole name of what is under the cursor, and what else is known of it.

use super::*;

#[test]
fn a_name_that_is_cut_in_its_table_is_whole_on_demand() {
    let name = "std::vector<unsigned long, std::allocator<unsigned long> >::emplace_back<unsigned long>(unsigned long&&)";
    let mut app = app_of(from_folded(&format!("app/7;main;{name} 60\napp/7;main;other 40")));
    let table = screen(&mut app, 80, 24);
    assert!(!table.contains("(unsigned long&&)"), "{table}");
    press(&mut app, "u");
    let whole = screen(&mut app, 80, 24).replace(['\n', ' '], "");
    assert!(
        whole.contains("emplace_back<unsignedlong>(unsignedlong&&)"),
        "{whole}"
    );
    assert_screens("detail", &mut app);
    press(&mut app, "u");
    assert_eq!(screen(&mut app, 80, 24), table);
    press(&mut app, "uq");
    assert!(!app.quit, "q closes what lies on top");
}

#[test]
fn of_a_process_it_says_which_program_that_is_and_of_a_name_that_lies_it_is_harmless() {
    let mut profile = from_folded("app/7;main 10");
    let mut process = profile.processes[Id::new(0)].clone();
    (process.pid, process.exe, process.unit) = (8, "/opt/\x1b[2Japp".into(), "app.service".into());
    let process = profile.processes.intern(process);
    let mut thread = profile.threads[Id::new(0)].clone();
    thread.process = process;
    let thread = profile.threads.intern(thread);
    profile
        .samples
        .iter_mut()
        .for_each(|sample| sample.thread = thread);
    let mut app = app_of(profile);
    press(&mut app, "2u");
    let drawn = screen(&mut app, 80, 24);
    assert!(drawn.contains("program   /opt/\u{fffd}[2Japp"), "{drawn}");
    assert!(drawn.contains("unit      app.service"), "{drawn}");
}

#[test]
fn where_nothing_has_a_name_it_says_so() {
    let mut app = app_of(from_folded("app/7;main 10"));
    press(&mut app, "6u");
    assert!(screen(&mut app, 80, 24).contains("nothing with a name is under the cursor"));
}

#[test]
fn the_stacks_around_a_function_show_how_its_share_went() {
    let mut app = app_of(from_folded("app;main;f 100\napp;main;g 60\napp;main;f 40"));
    press(&mut app, "/g\n\n");
    let drawn = screen(&mut app, 120, 24);
    assert!(
        drawn.contains("share over 2.0 s: now 0.0 %, at most 100 %"),
        "{drawn}"
    );
}
