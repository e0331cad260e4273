//! Time on a CPU, off it, and both.

use super::*;
use crate::profile::folded::with_waits;

const WAITS: &str = "\
redis-server/812;_start;__libc_start_main;main;aeMain;processCommand;libc.so.6`fsync;do_fsync_[k];io_schedule_[k] 4000
redis-server/812;_start;__libc_start_main;main;aeMain;libc.so.6`epoll_wait;do_epoll_wait_[k] 1500
python3/2201;_start;main;Py_RunMain;_PyEval_EvalFrameDefault;take_gil;libc.so.6`pthread_cond_wait;futex_wait_[k] 2500";

pub(super) fn both() -> Profile {
    let mut profile = with_waits(web(), WAITS);
    profile
        .samples
        .iter_mut()
        .for_each(|sample| sample.time_ns = sample.time_ns.min(7_000_000_000));
    profile
}

#[test]
fn a_key_goes_from_busy_to_waiting_to_both() {
    let mut app = app_of(both());
    press(&mut app, "t");
    assert_screens("waiting-functions", &mut app);
    press(&mut app, "v");
    assert_screen("waiting-stacks-80x24", &screen(&mut app, 80, 24));
    press(&mut app, "v");
    assert!(app.is_cold());
    press(&mut app, "t");
    assert_screens("wall-flame", &mut app);
    press(&mut app, "1t");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("dictFind") && !drawn.contains("wall-clock"),
        "{drawn}"
    );
}

#[test]
fn where_waits_were_not_sampled_the_next_step_is_said() {
    let mut app = app_of(web());
    press(&mut app, "t");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("--off-cpu") && drawn.contains("dictFind"),
        "{drawn}"
    );
    let mut app = App::replay(
        Recording {
            name: "a".into(),
            profile: web(),
            notes: Vec::new(),
        },
        Options::default(),
    );
    press(&mut app, "t");
    assert!(screen(&mut app, 80, 24).contains("record --probe cpu,off-cpu"));
}

#[test]
fn a_window_without_waits_says_so_and_is_no_error() {
    let mut app = app_of(with_waits(web(), ""));
    press(&mut app, "t");
    let drawn = screen(&mut app, 80, 24);
    assert!(
        drawn.contains("no samples of waiting threads (last 10 s): waits count once they have ended"),
        "{drawn}"
    );
}
