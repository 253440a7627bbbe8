//! Without measures against misuse (`hardened/`): what stands in their place, and is never called.

use core::alloc::Layout;
use core::ptr;

use crate::stocks::Stocks;

/// Whether any measure is taken.
pub(crate) const ON: bool = false;

pub(crate) fn take(_stocks: &Stocks, _layout: Layout) -> *mut u8 {
    ptr::null_mut()
}

pub(crate) fn take_zeroed(_stocks: &Stocks, _layout: Layout) -> *mut u8 {
    ptr::null_mut()
}

/// Bytes of a block behind the program's.
pub(crate) const WORD: usize = 0;

pub(crate) fn take_at_hand(_stocks: &Stocks, _class: usize, _size: usize) -> *mut u8 {
    ptr::null_mut()
}

pub(crate) unsafe fn put(_stocks: &Stocks, _block: *mut u8, _layout: Layout) {}

pub(crate) unsafe fn resize(_: &Stocks, _block: *mut u8, _: Layout, _new: Layout) -> *mut u8 {
    ptr::null_mut()
}

pub(crate) fn good_size(layout: Layout) -> usize {
    layout.size()
}

pub(crate) mod by_address {
    use super::*;

    pub(crate) unsafe fn free(_stocks: &Stocks, _block: *mut u8, _said: Option<Layout>) {}

    pub(crate) unsafe fn usable_len(_block: *mut u8) -> usize {
        0
    }

    pub(crate) unsafe fn resize(_: &Stocks, _block: *mut u8, _new: Option<Layout>) -> *mut u8 {
        ptr::null_mut()
    }
}
