//! Page buffers, and a pool that keeps some of them for reuse.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

/// The bytes of a page.
pub(super) const PAGE: usize = 4096;

/// As many spare pages as the pool keeps; the rest it frees.
const SPARE: usize = 24;

/// A page of memory, aligned as a device would want it.
#[repr(C, align(4096))]
pub(super) struct Page(pub(super) [u8; PAGE]);

impl Page {
    /// A page of zeros, straight from the allocator: it never stands on the stack.
    fn zeroed() -> Box<Self> {
        let layout = Layout::new::<Self>();
        // SAFETY: the layout is not of zero size.
        let page = unsafe { alloc_zeroed(layout) }.cast::<Self>();
        if page.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: `page` came from the global allocator with the layout of `Self`, nothing else
        // owns it, and zeros are a valid `Self`.
        unsafe { Box::from_raw(page) }
    }
}

/// Spare pages.
#[derive(Default)]
pub(super) struct Pool(Vec<Box<Page>>);

impl Pool {
    /// A page, with anything in it.
    pub(super) fn take(&mut self) -> Box<Page> {
        self.0.pop().unwrap_or_else(Page::zeroed)
    }

    /// Takes a page back.
    pub(super) fn give_back(&mut self, page: Box<Page>) {
        if self.0.len() < SPARE {
            self.0.push(page);
        }
    }
}
