//! A system that this crate does not know: nothing is called, and every answer is that of a thing
//! that is not there.

use core::ffi::c_void;

pub(crate) use crate::memory::sys::keep_errno;

pub(crate) fn create_key(_destructor: unsafe extern "C" fn(*mut c_void)) -> Option<u32> {
    None
}

pub(crate) unsafe fn set_key(_key: u32, _value: *mut c_void) -> bool {
    false
}

pub(crate) unsafe fn pin(_address: usize) -> bool {
    false
}

pub(crate) unsafe fn at_fork(
    _prepare: unsafe extern "C" fn(),
    _parent: unsafe extern "C" fn(),
    _child: unsafe extern "C" fn(),
) -> bool {
    false
}

pub(crate) fn thread_id() -> usize {
    1
}

pub(crate) fn stack_top() -> Option<usize> {
    None
}

pub(crate) fn random() -> Option<u64> {
    None
}

pub(crate) fn coarse_millis() -> u64 {
    0
}

pub(crate) fn nanos() -> u64 {
    0
}

pub(crate) fn address_space() -> Option<usize> {
    None
}
