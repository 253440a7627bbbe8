//! A system that this crate does not know: everything fails, nothing is called.

use core::ffi::CStr;
use core::ops::Range;
use core::ptr::NonNull;

#[cfg(not(strata_loom))]
use strata_core::sync::{AtomicU32, yield_now};

use super::HugePages;
use crate::OsError;

pub(crate) fn keep_errno<R>(call: impl FnOnce() -> R) -> R {
    call()
}

pub(crate) fn page_size() -> usize {
    4096
}

/// The answer to every call.
fn unknown<T>(op: &'static str) -> Result<T, OsError> {
    Err(OsError { op, errno: 0 })
}

pub(crate) fn map(_len: usize, _align: usize, committed: bool) -> Result<NonNull<u8>, OsError> {
    unknown(if committed { "map" } else { "reserve" })
}

pub(crate) fn reserve_within(
    _range: Range<usize>,
    _len: usize,
    _align: usize,
) -> Result<NonNull<u8>, OsError> {
    unknown("reserve_within")
}

pub(crate) unsafe fn commit(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("commit")
}

pub(crate) unsafe fn decommit(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("decommit")
}

pub(crate) unsafe fn guard(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("guard")
}

pub(crate) unsafe fn unguard(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("unguard")
}

pub(crate) unsafe fn purge(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("purge")
}

pub(crate) unsafe fn purge_lazily(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("purge")
}

pub(crate) unsafe fn release(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("release")
}

pub(crate) unsafe fn grow(_at: NonNull<u8>, _len: usize, _new_len: usize) -> Result<(), OsError> {
    unknown("grow")
}

pub(crate) unsafe fn remap(
    _at: NonNull<u8>,
    _len: usize,
    _new_len: usize,
    _align: usize,
) -> Result<NonNull<u8>, OsError> {
    unknown("remap")
}

pub(crate) unsafe fn relocate(
    _from: NonNull<u8>,
    _to: NonNull<u8>,
    _len: usize,
) -> Result<(), OsError> {
    unknown("relocate")
}

pub(crate) unsafe fn advise_huge(
    _at: NonNull<u8>,
    _len: usize,
    _wish: HugePages,
) -> Result<(), OsError> {
    unknown("advice on huge pages")
}

pub(crate) unsafe fn collapse(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("huge pages at once")
}

pub(crate) unsafe fn populate(_at: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    unknown("populate")
}

pub(crate) unsafe fn resident(
    _at: NonNull<u8>,
    _len: usize,
    _out: &mut [u8],
) -> Result<(), OsError> {
    unknown("a look at what is in memory")
}

pub(crate) unsafe fn name(_at: NonNull<u8>, _len: usize, _name: &CStr) -> Result<(), OsError> {
    unknown("naming of memory")
}

pub(crate) unsafe fn dump(_at: NonNull<u8>, _len: usize, _wanted: bool) -> Result<(), OsError> {
    unknown("choice of dumped memory")
}

#[cfg(not(strata_loom))]
pub(crate) fn wait(_word: &AtomicU32, _value: u32) {
    yield_now();
}

#[cfg(not(strata_loom))]
pub(crate) fn wake_one(_word: &AtomicU32) {}
