//! Recording: programs that do known things, and what their traces say.

mod record_support;

use record_support::{PROGRAM, allocations, life, record_program, role};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::os::unix::process::CommandExt;
use std::ptr::null_mut;
use std::sync::mpsc;
use strata_bench::Recorder;
use strata_bench::trace::{Event, Op};

#[global_allocator]
static ALLOCATOR: Recorder<System> = Recorder::new(System);

/// The recording process.
#[test]
#[ignore = "a role, not a test"]
fn driver() {
    record_support::drive();
}

/// The recorded process.
#[test]
#[ignore = "a role, not a test"]
fn program() {
    match std::env::var(PROGRAM).as_deref() {
        Ok("layouts") => layouts(),
        Ok("c family") => c_family(),
        Ok("cross-thread") => cross_thread(),
        Ok("many threads") => many_threads(),
        Ok("thread exits") => thread_exits(),
        Ok("fork") => fork(),
        Ok("kill") => {
            many_mallocs(3000, 10_007);
            // SAFETY: ends this process.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        Ok("_exit") => {
            many_mallocs(3000, 10_009);
            // SAFETY: ends this process.
            unsafe { libc::_exit(7) };
        }
        Ok("exec") => {
            many_mallocs(1500, 10_037);
            let words = role("program");
            panic!(
                "{}",
                std::process::Command::new(&words[0])
                    .args(&words[1..])
                    .env(PROGRAM, "_exit")
                    .exec()
            );
        }
        Ok("limited") => limited(),
        Ok("ended from outside") => ended_from_outside(),
        Ok("orphan") => orphan(),
        Ok("fork among threads") => fork_among_threads(),
        Ok("late destructor") => late_destructor(),
        Ok("spawns") => spawns(),
        Ok("descriptors") => descriptors(),
        _ => {}
    }
}

/// Mallocs, each freed, of a number of bytes.
fn many_mallocs(count: usize, bytes: usize) {
    for _ in 0..count {
        // SAFETY: freed once.
        unsafe { libc::free(std::hint::black_box(libc::malloc(bytes))) };
    }
}

fn layouts() {
    // SAFETY: sizes are not 0; each block is freed once with its layout.
    unsafe {
        for align in [1, 8, 64, 4096] {
            let layout = Layout::from_size_align(70_001 + align, align).unwrap();
            ALLOCATOR.dealloc(ALLOCATOR.alloc(layout), layout);
        }
        let layout = Layout::from_size_align(72_003, 16).unwrap();
        ALLOCATOR.dealloc(ALLOCATOR.alloc_zeroed(layout), layout);
        let mut block = ALLOCATOR.alloc(layout.align_to(128).unwrap());
        let mut bytes = 72_003;
        for next in [80_011, 90_011, 33] {
            let layout = Layout::from_size_align(bytes, 128).unwrap();
            block = ALLOCATOR.realloc(block, layout, next);
            bytes = next;
        }
        ALLOCATOR.dealloc(block, Layout::from_size_align(bytes, 128).unwrap());
    }
}

fn only(events: &[Event], bytes: u64) -> &Event {
    let found = allocations(events, bytes);
    assert_eq!(found.len(), 1, "allocations of {bytes} bytes");
    found[0]
}

#[test]
fn a_rust_program_keeps_size_alignment_zeroing_and_realloc() {
    let recorded = record_program("layouts", false);
    let events = &recorded.traces[0];
    for align in [1_u64, 8, 64, 4096] {
        let event = only(events, 70_001 + align);
        let Op::Allocate { align_log2, zeroed, .. } = event.op else { unreachable!() };
        assert_eq!((align_log2, zeroed), (Some(align.trailing_zeros() as u8), false));
        let life = life(events, event);
        assert!(matches!(life[1].op, Op::Free { .. }) && life.len() == 2, "{life:?}");
    }
    let found = allocations(events, 72_003);
    let kinds: Vec<_> = found
        .iter()
        .map(|event| match event.op {
            Op::Allocate { align_log2, zeroed, .. } => (align_log2, zeroed),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(kinds, [(Some(4), true), (Some(7), false)]);
    let chain: Vec<u64> = life(events, found[1])
        .iter()
        .filter_map(|event| match event.op {
            Op::Reallocate { size, began_seq_before, began_nanos_before, .. } => {
                assert!(began_seq_before >= 1 && began_nanos_before <= event.nanos);
                Some(size)
            }
            _ => None,
        })
        .collect();
    assert_eq!(chain, [80_011, 90_011, 33]);
    // What System asked of malloc underneath is not there a second time.
    assert!(allocations(events, 80_011).is_empty() && allocations(events, 72_003 + 128).is_empty());
}

unsafe extern "C" {
    fn valloc(bytes: usize) -> *mut c_void;
    fn pvalloc(bytes: usize) -> *mut c_void;
}

fn c_family() {
    // SAFETY: each block is freed once; the failing calls are given what they must refuse.
    unsafe {
        libc::free(libc::malloc(60_001));
        libc::free(libc::calloc(3, 20_003));
        libc::free(libc::memalign(256, 60_011));
        libc::free(libc::aligned_alloc(512, 60_416));
        let mut block = null_mut();
        assert_eq!(libc::posix_memalign(&mut block, 1024, 60_013), 0);
        libc::free(block);
        assert_eq!(libc::posix_memalign(&mut block, 3, 60_017), libc::EINVAL);
        libc::free(valloc(60_019));
        libc::free(pvalloc(60_023));
        let block = libc::realloc(null_mut(), 60_027);
        let block = libc::realloc(block, 60_029);
        assert!(libc::malloc_usable_size(block) >= 60_029);
        // Too much, asked in a way that the compiler cannot see through.
        let too_much = std::hint::black_box(usize::MAX / 2 - 60_031);
        *libc::__errno_location() = 0;
        assert!(libc::realloc(block, too_much).is_null());
        assert_eq!(*libc::__errno_location(), libc::ENOMEM);
        assert!(libc::reallocarray(block, too_much, 4).is_null());
        assert!(libc::malloc(too_much).is_null());
        let block = libc::reallocarray(block, 3, 20_011);
        assert!(libc::realloc(block, 0).is_null());
        *libc::__errno_location() = 33;
        libc::free(null_mut());
        libc::free(libc::malloc(60_037));
        assert_eq!(*libc::__errno_location(), 33, "errno changed");
    }
}

#[test]
fn the_whole_c_family_is_recorded() {
    let recorded = record_program("c family", false);
    assert!(recorded.facts("status")[0].contains("exit status: 0"), "{}", recorded.said);
    let events = &recorded.traces[0];
    let page = Some(12);
    for (bytes, align, zero) in [
        (60_001, None, false),
        (3 * 20_003, None, true),
        (60_011, Some(8), false),
        (60_416, Some(9), false),
        (60_013, Some(10), false),
        (60_019, page, false),
        (60_023, page, false),
        (60_037, None, false),
    ] {
        let event = only(events, bytes);
        let Op::Allocate { align_log2, zeroed, .. } = event.op else { unreachable!() };
        assert_eq!((align_log2, zeroed), (align, zero), "{bytes}");
        assert_eq!(life(events, event).len(), 2, "{bytes}");
    }
    assert!(allocations(events, 60_017).is_empty());
    let life: Vec<_> = life(events, only(events, 60_027)).iter().map(|event| event.op).collect();
    assert!(
        matches!(
            life[1..],
            [
                Op::Reallocate { size: 60_029, .. },
                Op::Reallocate { size: 60_033, .. },
                Op::Free { .. }
            ]
        ),
        "{life:?}"
    );
}

fn cross_thread() {
    let (send, receive) = mpsc::channel::<Vec<u8>>();
    let maker = std::thread::spawn(move || {
        for place in 0..500 {
            send.send(Vec::with_capacity(50_000 + place)).unwrap();
        }
    });
    let taker = std::thread::spawn(move || receive.iter().for_each(drop));
    maker.join().unwrap();
    taker.join().unwrap();
}

#[test]
fn a_block_freed_on_another_thread_is_one_block() {
    let recorded = record_program("cross-thread", false);
    let events = &recorded.traces[0];
    for bytes in 50_000..50_500 {
        let life = life(events, only(events, bytes));
        assert!(matches!(life[1].op, Op::Free { .. }), "{life:?}");
        assert_ne!(life[0].thread, life[1].thread);
        assert!(life[0].seq < life[1].seq && life[0].nanos <= life[1].nanos);
    }
    // The order of the stamps explains every reuse of memory.
    assert_eq!(recorded.facts("note"), [""; 0]);
}

fn many_threads() {
    for _ in 0..4 {
        let threads: Vec<_> = (0..20)
            .map(|_| {
                std::thread::spawn(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(30_011))))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    // One that cannot be started was not spawned.
    assert!(std::thread::Builder::new().stack_size(1 << 46).spawn(|| ()).is_err());
}

#[test]
fn every_thread_is_seen_to_be_spawned_to_start_to_exit_and_to_be_joined() {
    let recorded = record_program("many threads", false);
    let events = &recorded.traces[0];
    let made = allocations(events, 30_011);
    assert_eq!(made.len(), 80);
    for allocation in made {
        let child = allocation.thread;
        let places: Vec<_> = [
            events.iter().position(|event| event.op == Op::Spawn { child }),
            events.iter().position(|event| event.thread == child && event.op == Op::Start),
            events.iter().position(|event| std::ptr::eq(event, allocation)),
            events.iter().position(|event| event.thread == child && event.op == Op::Exit),
            events.iter().position(|event| event.op == Op::Join { child }),
        ]
        .into_iter()
        .map(|place| place.expect("all five"))
        .collect();
        assert!(places.is_sorted(), "{child:?}: {places:?}");
    }
    let count = |which: fn(&Op) -> bool| events.iter().filter(|event| which(&event.op)).count();
    let spawned = count(|op| matches!(op, Op::Spawn { .. }));
    assert_eq!(spawned, count(|op| matches!(op, Op::Start)));
}

mod forced {
    //! Threads that end by unwinding which the C library forces.
    use std::ffi::c_void;

    type Start = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

    unsafe extern "C-unwind" {
        pub(super) fn pthread_exit(value: *mut c_void) -> !;
        pub(super) fn pthread_join(thread: usize, value: *mut *mut c_void) -> i32;
        pub(super) fn pthread_cancel(thread: usize) -> i32;
        pub(super) fn pthread_create(
            thread: *mut usize,
            attributes: *const c_void,
            start: Start,
            argument: *mut c_void,
        ) -> i32;
        pub(super) fn pause() -> i32;
    }

    pub(super) unsafe extern "C-unwind" fn exit_in_the_middle(_: *mut c_void) -> *mut c_void {
        // SAFETY: no frame of this thread has anything to drop; the block is freed.
        unsafe {
            libc::free(std::hint::black_box(libc::malloc(20_011)));
            pthread_exit(std::ptr::null_mut())
        }
    }

    pub(super) unsafe extern "C-unwind" fn wait_for_ever(_: *mut c_void) -> *mut c_void {
        loop {
            // SAFETY: no frame of this thread has anything to drop.
            unsafe { pause() };
        }
    }

    pub(super) unsafe extern "C-unwind" fn join_other(other: *mut c_void) -> *mut c_void {
        // SAFETY: as above; the other thread is joinable.
        unsafe {
            libc::free(std::hint::black_box(libc::malloc(20_023)));
            pthread_join(other as usize, std::ptr::null_mut());
        }
        std::ptr::null_mut()
    }
}

fn thread_exits() {
    use forced::*;
    let none = std::ptr::null();
    // SAFETY: each handle is joined once.
    unsafe {
        let (mut first, mut second) = (0, 0);
        assert_eq!(pthread_create(&mut first, none, exit_in_the_middle, null_mut()), 0);
        assert_eq!(pthread_join(first, null_mut()), 0);
        // A thread is cancelled while it waits in a join, inside the recorder's own frame.
        assert_eq!(pthread_create(&mut first, none, wait_for_ever, null_mut()), 0);
        assert_eq!(pthread_create(&mut second, none, join_other, first as *mut c_void), 0);
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert_eq!(pthread_cancel(second), 0);
        assert_eq!(pthread_join(second, null_mut()), 0);
        assert_eq!(pthread_cancel(first), 0);
        assert_eq!(pthread_join(first, null_mut()), 0);
        libc::free(libc::malloc(20_029));
    }
}

#[test]
fn threads_end_by_pthread_exit_and_by_cancellation() {
    let recorded = record_program("thread exits", false);
    assert!(recorded.facts("status")[0].contains("exit status: 0"), "{}", recorded.said);
    let events = &recorded.traces[0];
    for bytes in [20_011, 20_023] {
        let thread = only(events, bytes).thread;
        assert!(events.iter().any(|event| event.thread == thread && event.op == Op::Exit));
        assert!(events.iter().any(|event| event.op == Op::Join { child: thread }));
    }
    only(events, 20_029);
}

fn fork() {
    // SAFETY: the child only uses what is safe after a fork here: this thread's malloc.
    unsafe {
        let inherited = libc::malloc(40_009);
        let grown = libc::malloc(40_013);
        many_mallocs(1000, 40_031);
        let child = libc::fork();
        if child == 0 {
            libc::free(inherited);
            libc::free(libc::realloc(grown, 40_027));
            many_mallocs(1200, 40_037);
            libc::_exit(0);
        }
        let mut status = 0;
        libc::waitpid(child, &mut status, 0);
        assert_eq!(status, 0);
        libc::free(inherited);
        libc::free(grown);
    }
}

#[test]
fn the_child_of_a_fork_has_a_trace_of_its_own() {
    let recorded = record_program("fork", false);
    let [parent, child] = &recorded.traces[..] else { panic!("{}", recorded.said) };
    assert_eq!(allocations(parent, 40_031).len(), 1000);
    assert_eq!(allocations(parent, 40_037).len(), 0);
    assert_eq!(life(parent, only(parent, 40_009)).len(), 2);
    assert_eq!(allocations(child, 40_037).len(), 1200);
    assert_eq!(allocations(child, 40_031).len(), 0);
    // A block from before is not the child's until it reallocates it.
    assert!(allocations(child, 40_009).is_empty() && allocations(child, 40_013).is_empty());
    assert_eq!(life(child, only(child, 40_027)).len(), 2);
    assert!(recorded.facts("trace")[1].ends_with("t.2.trace"), "{}", recorded.said);
}

#[test]
fn a_program_that_is_killed_keeps_its_events() {
    let recorded = record_program("kill", false);
    assert!(recorded.facts("status")[0].contains("signal: 9"), "{}", recorded.said);
    assert_eq!(allocations(&recorded.traces[0], 10_007).len(), 3000);
}

#[test]
fn a_program_that_leaves_by_underscore_exit_keeps_its_events() {
    let recorded = record_program("_exit", false);
    assert!(recorded.facts("status")[0].contains("exit status: 7"), "{}", recorded.said);
    assert_eq!(allocations(&recorded.traces[0], 10_009).len(), 3000);
}

#[test]
fn a_program_that_becomes_another_by_exec_gives_two_traces() {
    let recorded = record_program("exec", false);
    let [busier, first] = &recorded.traces[..] else { panic!("{}", recorded.said) };
    assert_eq!(allocations(busier, 10_009).len(), 3000);
    assert_eq!(allocations(first, 10_037).len(), 1500);
}

/// A file limit that the recording runs into, as it would into a full disk.
fn limited() {
    let limit = libc::rlimit { rlim_cur: 400 << 10, rlim_max: 400 << 10 };
    // SAFETY: a valid limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    many_mallocs(100_000, 10_061);
    std::process::exit(11);
}

#[test]
fn a_program_runs_on_where_the_recording_finds_no_room() {
    let recorded = record_program("limited", false);
    assert!(recorded.facts("status")[0].contains("exit status: 11"), "{}", recorded.said);
    assert!(recorded.facts("note")[0].contains("only in part"), "{}", recorded.said);
    let count = allocations(&recorded.traces[0], 10_061).len();
    assert!((1000..20_000).contains(&count), "{count}");
}

/// Closes every descriptor, as daemons do, and writes a file of its own under their numbers.
fn descriptors() {
    many_mallocs(1000, 10_067);
    let mut path = *b"/tmp/strata-record-XXXXXX\0";
    // SAFETY: closes what this process does not use; a writable template.
    let own = unsafe {
        (3..100).for_each(|descriptor| {
            libc::close(descriptor);
        });
        libc::mkstemp(path.as_mut_ptr().cast())
    };
    // SAFETY: an open descriptor, bytes that are there.
    unsafe {
        assert_eq!(libc::write(own, c"mine".as_ptr().cast(), 4), 4);
        many_mallocs(50_000, 10_069);
        let mut status = std::mem::zeroed::<libc::stat>();
        assert_eq!(libc::fstat(own, &mut status), 0);
        libc::unlink(path.as_ptr().cast());
        libc::_exit(if status.st_size == 4 { 0 } else { 1 });
    }
}

#[test]
fn a_program_may_close_all_descriptors() {
    let recorded = record_program("descriptors", false);
    assert!(recorded.facts("status")[0].contains("exit status: 0"), "{}", recorded.said);
    assert_eq!(allocations(&recorded.traces[0], 10_069).len(), 50_000);
}

/// Has the recording process ended by somebody, who does not know of this one.
fn ended_from_outside() {
    many_mallocs(2000, 10_079);
    // SAFETY: signals the parent, then sleeps; the signal that comes back has its default effect.
    unsafe {
        libc::kill(libc::getppid(), libc::SIGTERM);
        libc::sleep(60);
    }
}

#[test]
fn a_signal_to_the_recording_ends_the_program_and_the_trace_is_written() {
    let recorded = record_program("ended from outside", false);
    assert!(recorded.facts("status")[0].contains("signal: 15"), "{}", recorded.said);
    assert_eq!(allocations(&recorded.traces[0], 10_079).len(), 2000);
}

/// Leaves a child behind that works on alone.
fn orphan() {
    // SAFETY: the child uses only this thread's malloc.
    unsafe {
        if libc::fork() == 0 {
            libc::setsid();
            libc::usleep(100_000);
            many_mallocs(5000, 10_091);
        }
        libc::_exit(0);
    }
}

#[test]
fn descendants_are_waited_for() {
    let recorded = record_program("orphan", true);
    let made: Vec<_> =
        recorded.traces.iter().map(|events| allocations(events, 10_091).len()).collect();
    assert!(made.contains(&5000) && made.len() == 2, "{made:?}");
}

/// Forks while other threads allocate as fast as they can.
fn fork_among_threads() {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| many_mallocs(20_000, 10_093));
        }
        for _ in 0..10 {
            // SAFETY: the child uses only malloc, which the C library keeps usable after a fork.
            unsafe {
                let child = libc::fork();
                if child == 0 {
                    many_mallocs(1000, 10_099);
                    libc::_exit(0);
                }
                let mut status = 0;
                libc::waitpid(child, &mut status, 0);
                assert_eq!(status, 0);
            }
        }
    });
}

#[test]
fn forks_among_busy_threads_lose_nothing() {
    let recorded = record_program("fork among threads", false);
    assert!(recorded.facts("status")[0].contains("exit status: 0"), "{}", recorded.said);
    assert_eq!(recorded.traces.len(), 11, "{}", recorded.said);
    assert_eq!(allocations(&recorded.traces[0], 10_093).len(), 60_000);
    for child in &recorded.traces[1..] {
        assert_eq!(allocations(child, 10_099).len(), 1000);
        assert_eq!(allocations(child, 10_093).len(), 0);
    }
    // Nothing of what the parent did was taken for a reuse of live memory.
    let notes = recorded.facts("note");
    assert!(notes.iter().all(|note| !note.contains("handed out again")), "{notes:?}");
}

/// A thread whose last destructor, run after the recorder has seen the thread end, still works.
fn late_destructor() {
    unsafe extern "C" fn destructor(_: *mut c_void) {
        many_mallocs(2000, 10_103);
    }
    let mut key = 0;
    // SAFETY: a writable key; the destructor does nothing with the value.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destructor)) }, 0);
    let thread = std::thread::spawn(move || {
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(key, c"value".as_ptr().cast()) };
        many_mallocs(1, 10_111);
    });
    thread.join().unwrap();
}

#[test]
fn what_a_thread_does_while_it_ends_comes_before_its_exit() {
    let recorded = record_program("late destructor", false);
    let events = &recorded.traces[0];
    let thread = only(events, 10_111).thread;
    let late = allocations(events, 10_103);
    assert_eq!(late.len(), 2000);
    assert!(late.iter().all(|event| event.thread == thread));
    let last = events.iter().rfind(|event| event.thread == thread).unwrap();
    assert_eq!(last.op, Op::Exit);
}

/// Children that share this process's memory until they become other programs.
fn spawns() {
    for _ in 0..10 {
        let status = std::process::Command::new("/bin/sh").args(["-c", "exit 5"]).status();
        assert_eq!(status.unwrap().code(), Some(5));
        many_mallocs(100, 10_133);
    }
}

#[test]
fn spawned_programs_leave_their_parents_record_alone() {
    let recorded = record_program("spawns", false);
    assert!(recorded.facts("status")[0].contains("exit status: 0"), "{}", recorded.said);
    assert_eq!(allocations(&recorded.traces[0], 10_133).len(), 1000);
    assert_eq!(recorded.facts("left out"), ["10"]);
}
