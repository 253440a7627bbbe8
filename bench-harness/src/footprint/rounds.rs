//! Scenarios that do the same several times: new threads, batches, a load that comes and goes.

use super::blocks::{Block, Law, Random, table};
use super::dirty::minor_faults;
use super::pages::page_bytes;
use super::stage::Stage;
use crate::subject::Subject;
use std::io;
use std::sync::Barrier;
use std::time::Instant;

/// Threads of a round of churn.
const THREADS: usize = 8;
/// Blocks of each thread.
const EACH: usize = 2000;
/// Blocks of each thread that outlive it.
const OUTLIVE: usize = EACH / 50;

/// Rounds of new threads that leave a few blocks to the main thread.
pub(super) fn thread_churn<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    let blocks = table::<Block>(THREADS * EACH)?;
    warm(THREADS)?;
    if !stage.begin()? {
        return Ok(());
    }
    let subject = stage.subject;
    for round in 0..stage.job.scaled(50, 2) {
        std::thread::scope(|scope| {
            for (index, part) in blocks.chunks_mut(EACH).enumerate() {
                let random = Random::new((round * THREADS + index) as u64 + 1);
                let work = move || churn(subject, random, part);
                std::thread::Builder::new().spawn_scoped(scope, work)?;
            }
            io::Result::Ok(())
        })?;
        let mut live = 0;
        for part in blocks.chunks(EACH) {
            live += part[..OUTLIVE].iter().map(|block| block.bytes() as u64).sum::<u64>();
        }
        stage.glance((2 * round + 1) as f64 / 2.0, live)?;
        for block in blocks.chunks(EACH).flat_map(|part| &part[..OUTLIVE]) {
            // SAFETY: 1. the thread that allocated it has ended and freed only those behind.
            unsafe { block.free(subject) };
        }
        stage.glance((round + 1) as f64, 0)?;
    }
    stage.point("end")
}

/// What one thread does: allocates its blocks and frees, in random order, all but the first.
fn churn<S: Subject>(subject: &S, mut random: Random, blocks: &mut [Block]) {
    for block in &mut *blocks {
        *block = Block::allocate(subject, Law::Mixed.bytes(&mut random), 1);
    }
    random.shuffle(blocks);
    for block in &blocks[OUTLIVE..] {
        // SAFETY: 1. it was allocated above.
        unsafe { block.free(subject) };
    }
}

/// Runs and ends `count` threads at once, so that their stacks, which the C library keeps, and what
/// the start of a thread costs whoever the subject is, are there before the base is read.
pub(super) fn warm(count: usize) -> io::Result<()> {
    let all = Barrier::new(count);
    std::thread::scope(|scope| {
        for _ in 0..count {
            std::thread::Builder::new().spawn_scoped(scope, || {
                let deep = [1_u8; 32 << 10];
                std::hint::black_box(&deep);
                all.wait();
            })?;
        }
        Ok(())
    })
}

/// Rounds of a batch of 8 KiB blocks.
pub(super) fn batches<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    let blocks = table::<Block>(1000)?;
    stage.value("page", page_cost()?);
    if !stage.begin()? {
        return Ok(());
    }
    let subject = stage.subject;
    for round in 1..=12 {
        let (start, faults) = (Instant::now(), minor_faults());
        for block in &mut *blocks {
            *block = Block::allocate(subject, 8 << 10, 4096);
        }
        for block in &*blocks {
            // SAFETY: 1. it was allocated above.
            unsafe { block.free(subject) };
        }
        stage.round(start.elapsed().as_nanos() as u64, minor_faults() - faults);
        stage.glance(f64::from(round), 0)?;
    }
    stage.point("end")
}

/// Nanoseconds that a page costs to give back and to get again, on this machine now.
fn page_cost() -> io::Result<f64> {
    const PAGES: usize = 2000;
    let (page, bytes) = (page_bytes(), PAGES * page_bytes());
    // SAFETY: a new mapping at an address of the kernel's choice disturbs no other; what follows
    // stays within it.
    unsafe {
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE);
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let begun = Instant::now();
            libc::madvise(start, bytes, libc::MADV_DONTNEED);
            for at in (0..bytes).step_by(page) {
                start.cast::<u8>().add(at).write_volatile(1);
            }
            best = best.min(begun.elapsed().as_nanos() as f64 / PAGES as f64);
        }
        libc::munmap(start, bytes);
        Ok(best)
    }
}

/// A load that comes and goes five times, and what is left of it while nearly nothing happens.
pub(super) fn cyclic<S: Subject>(stage: &mut Stage<S>) -> io::Result<()> {
    const TIMES: u32 = 5;
    let total = stage.job.scaled(64 << 20, 1 << 16);
    let blocks = table::<Block>(Law::Mixed.count(Random::new(1), total))?;
    if !stage.begin()? {
        return Ok(());
    }
    let subject = stage.subject;
    let start = Instant::now();
    let now = || start.elapsed().as_secs_f64() * 1e3;
    let pause = stage.job.time(200);
    stage.sample(now(), 0)?;
    for time in 1..=TIMES {
        let mut random = Random::new(1);
        let mut live = 0;
        for block in &mut *blocks {
            *block = Block::allocate(subject, Law::Mixed.bytes(&mut random), 1);
            live += block.bytes() as u64;
        }
        stage.sample(now(), live)?;
        if time == 1 {
            stage.value("load", live as f64);
        }
        for block in &*blocks {
            // SAFETY: 1. it was allocated above.
            unsafe { block.free(subject) };
        }
        stage.sample(now(), 0)?;
        if time < TIMES {
            std::thread::sleep((pause * time).saturating_sub(start.elapsed()));
            stage.sample(now(), 0)?;
        }
    }
    stage.point("stopped")?;
    for _ in 0..5 {
        std::thread::sleep(stage.job.time(500));
        stage.sample(now(), 0)?;
        let block = Block::allocate(subject, 40 << 10, 1);
        // SAFETY: 1. it was just allocated.
        unsafe { block.free(subject) };
        stage.sample(now(), 0)?;
    }
    stage.point("later")
}
