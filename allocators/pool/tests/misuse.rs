//! Blocks that are put back twice, or where they do not belong, each in a process of its own.

#![cfg(unix)]

use std::alloc::Layout;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::ptr::NonNull;

use strata_pool::{BlockPool, Misuse, StaticPool};

fn pool() -> BlockPool {
    BlockPool::new(Layout::new::<[u64; 8]>()).unwrap()
}

/// Runs the test of that name again as a child, and asserts that it is stopped with the message.
fn stopped(name: &str, message: &str, misuse: impl FnOnce()) {
    if env::var_os("STRATA_CHILD").is_some() {
        misuse();
        // SAFETY: nothing else is running that the end of the process would disturb.
        std::process::exit(0);
    }
    let out = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--test-threads=1", "--nocapture"])
        .env("STRATA_CHILD", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(text.contains(message), "{name}: {text}");
    assert_eq!(out.status.signal(), Some(6), "{name}: SIGABRT");
}

#[test]
fn a_block_put_back_twice_is_found_when_magazines_are_emptied() {
    stopped(
        "a_block_put_back_twice_is_found_when_magazines_are_emptied",
        "strata: a block was freed twice",
        || {
            let pool = pool();
            let block = pool.allocate().unwrap();
            // SAFETY: none: this is the misuse.
            unsafe {
                pool.deallocate(block);
                pool.deallocate(block);
            }
            pool.trim(0);
        },
    );
}

#[test]
fn a_block_of_another_pool_is_found() {
    stopped(
        "a_block_of_another_pool_is_found",
        "strata: a freed block is not of this pool",
        || {
            let (pool, other) = (pool(), pool());
            let (_own, block) = (pool.allocate().unwrap(), other.allocate().unwrap());
            // SAFETY: none: this is the misuse.
            unsafe { pool.deallocate(block) };
            pool.trim(0);
        },
    );
}

#[test]
fn an_address_inside_a_block_is_found() {
    stopped(
        "an_address_inside_a_block_is_found",
        "strata: a freed address is not where a block begins",
        || {
            let pool = pool();
            let block = pool.allocate().unwrap();
            // SAFETY: none: this is the misuse.
            unsafe { pool.deallocate(block.add(8)) };
            pool.trim(0);
        },
    );
}

#[test]
fn a_value_that_is_not_in_a_static_pool_is_found_at_once() {
    stopped(
        "a_value_that_is_not_in_a_static_pool_is_found_at_once",
        "strata: a value was put back that is not in its static pool",
        || {
            static POOL: StaticPool<u64, 4, 1> = StaticPool::new();
            let one = POOL.alloc(1).unwrap();
            let place = one.into_raw();
            for _ in 0..2 {
                // SAFETY: none the second time: this is the misuse.
                drop(unsafe { strata_pool::PoolBox::from_raw(place, &POOL) });
            }
        },
    );
}

#[test]
fn who_asks_is_told_what_an_address_is() {
    let pool = pool();
    let block = pool.allocate().unwrap();
    assert_eq!(pool.look_up(block.as_ptr()), Ok(()));
    assert_eq!(pool.look_up(&raw const pool as *const u8), Err(Misuse::Foreign));
    // SAFETY: in the block.
    assert_eq!(pool.look_up(unsafe { block.add(1) }.as_ptr()), Err(Misuse::NotABlock));
    // SAFETY: 1. each of these is a wrong address, or the block itself, once.
    unsafe {
        assert_eq!(pool.try_deallocate(block.add(8).as_ptr()), Err(Misuse::NotABlock));
        assert_eq!(pool.try_deallocate(NonNull::dangling().as_ptr()), Err(Misuse::Foreign));
        assert_eq!(pool.try_deallocate(block.as_ptr()), Ok(()));
        assert_eq!(pool.try_deallocate(block.as_ptr()), Err(Misuse::DoubleFree));
    }
    static POOL: StaticPool<u64, 4, 1> = StaticPool::new();
    let one = POOL.alloc(1).unwrap();
    let place: *const u64 = &raw const *one;
    assert_eq!(POOL.look_up(place), Ok(()));
    assert_eq!(POOL.look_up(place.wrapping_byte_add(1)), Err(Misuse::NotABlock));
    assert_eq!(POOL.look_up(place.wrapping_sub(1000)), Err(Misuse::Foreign));
    drop(one);
    assert_eq!(POOL.look_up(place), Err(Misuse::DoubleFree));
}
