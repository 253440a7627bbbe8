//! Hooks on real threads.

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr::NonNull;
use std::sync::Mutex;
use std::thread;
use std::vec::Vec;

use super::ExitHook;
use crate::tests::{errno, set_errno};

/// What happened at the end of one thread, in order.
type Log = Mutex<Vec<&'static str>>;

fn write(log: &Log, what: &'static str) {
    log.lock().unwrap().push(what);
}

fn value(log: &'static Log) -> NonNull<c_void> {
    NonNull::from(log).cast()
}

/// A destructor for values made by [`value`].
unsafe extern "C" fn log_hook(log: *mut c_void) {
    // SAFETY: armed with such values only.
    write(unsafe { &*log.cast::<Log>() }, "hook");
}

#[test]
fn a_hook_runs_once_for_each_thread_that_armed_it() {
    static LOG: Log = Log::new(Vec::new());
    static HOOK: ExitHook = ExitHook::new(log_hook);
    HOOK.disarm(); // before there is a key
    set_errno(77);
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                // SAFETY: 1. such a value. 2. the program's own.
                let arm = || unsafe { HOOK.arm(value(&LOG)) };
                set_errno(78);
                // Another thread may be making the key.
                while !arm() {
                    thread::yield_now();
                }
                assert!(arm(), "arming twice is arming once");
                if number % 2 == 0 {
                    HOOK.disarm();
                }
                assert_eq!(errno(), 78);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*LOG.lock().unwrap(), ["hook"; 4]);
    assert_eq!(errno(), 77);
}

#[test]
fn a_hook_runs_after_the_destructors_of_thread_locals_and_where_they_arm_it() {
    static LOG: Log = Log::new(Vec::new());
    static HOOK: ExitHook = ExitHook::new(log_hook);
    struct Local(bool);
    impl Drop for Local {
        fn drop(&mut self) {
            write(&LOG, "local");
            if self.0 {
                // SAFETY: 1. such a value. 2. the program's own.
                assert!(unsafe { HOOK.arm(value(&LOG)) });
            }
        }
    }
    std::thread_local! {
        static FIRST: Cell<Option<Local>> = const { Cell::new(None) };
        static SECOND: Cell<Option<Local>> = const { Cell::new(None) };
    }
    for late in [false, true] {
        LOG.lock().unwrap().clear();
        let thread = thread::spawn(move || {
            FIRST.set(Some(Local(late)));
            // SAFETY: 1. such a value. 2. the program's own.
            assert!(late || unsafe { HOOK.arm(value(&LOG)) });
            SECOND.set(Some(Local(late)));
        });
        thread.join().unwrap();
        let log = LOG.lock().unwrap();
        if late || cfg!(all(target_env = "gnu", not(target_feature = "crt-static"))) {
            assert_eq!(*log, ["local", "local", "hook"], "armed late: {late}");
        } else {
            assert_eq!(log.iter().filter(|what| **what == "hook").count(), 1, "{log:?}");
        }
    }
}

#[test]
fn a_hook_that_arms_itself_runs_again_and_not_for_ever() {
    static LOG: Log = Log::new(Vec::new());
    static HOOK: ExitHook = ExitHook::new(again);
    unsafe extern "C" fn again(log: *mut c_void) {
        // SAFETY: armed with such values only.
        unsafe { log_hook(log) };
        // SAFETY: 1. such a value. 2. the program's own.
        assert!(unsafe { HOOK.arm(value(&LOG)) });
    }
    // SAFETY: 1. such a value. 2. the program's own.
    thread::spawn(|| assert!(unsafe { HOOK.arm(value(&LOG)) })).join().unwrap();
    let times = LOG.lock().unwrap().len();
    assert!((2..=16).contains(&times), "{times} rounds");
}

#[test]
fn many_keys_are_no_obstacle_and_no_more_keys_is_no_hook() {
    if std::env::var_os("STRATA_CHILD").is_none() {
        return crate::tests::in_child(
            "thread::tests::many_keys_are_no_obstacle_and_no_more_keys_is_no_hook",
        );
    }
    static LOG: Log = Log::new(Vec::new());
    static HOOK: ExitHook = ExitHook::new(log_hook);
    static TOO_LATE: ExitHook = ExitHook::new(log_hook);
    let take_key = || {
        let mut key = 0;
        // SAFETY: a valid place.
        unsafe { libc::pthread_key_create(&mut key, None) == 0 }
    };
    // More than glibc keeps in the thread's own block.
    for _ in 0..40 {
        assert!(take_key());
    }
    // SAFETY: 1. such a value. 2. the program's own.
    thread::spawn(|| assert!(unsafe { HOOK.arm(value(&LOG)) })).join().unwrap();
    assert_eq!(*LOG.lock().unwrap(), ["hook"]);
    while take_key() {}
    set_errno(77);
    // SAFETY: 1. such a value. 2. the program's own.
    assert!(!unsafe { TOO_LATE.arm(value(&LOG)) });
    TOO_LATE.disarm();
    assert_eq!(errno(), 77);
}
