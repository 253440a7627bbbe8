//! The forwarding that every peer needs.

/// Implements `GlobalAlloc` for a peer by forwarding to its crate's own implementation, so that
/// what is measured is what its users get. `inner` is a field or an expression of `self`.
#[allow(unused_macros, reason = "dlmalloc alone needs no forwarding")]
macro_rules! forward {
    ($type:ty, $self:ident => $inner:expr) => {
        // SAFETY: every method forwards the caller's own arguments to the same method of the
        // peer's implementation, whose obligations and promises are those of `GlobalAlloc`.
        unsafe impl std::alloc::GlobalAlloc for $type {
            #[inline]
            unsafe fn alloc(&$self, layout: std::alloc::Layout) -> *mut u8 {
                // SAFETY: the caller's obligations are those of the method called.
                unsafe { std::alloc::GlobalAlloc::alloc($inner, layout) }
            }

            #[inline]
            unsafe fn dealloc(&$self, ptr: *mut u8, layout: std::alloc::Layout) {
                // SAFETY: as above.
                unsafe { std::alloc::GlobalAlloc::dealloc($inner, ptr, layout) }
            }

            #[inline]
            unsafe fn alloc_zeroed(&$self, layout: std::alloc::Layout) -> *mut u8 {
                // SAFETY: as above.
                unsafe { std::alloc::GlobalAlloc::alloc_zeroed($inner, layout) }
            }

            #[inline]
            unsafe fn realloc(
                &$self,
                ptr: *mut u8,
                layout: std::alloc::Layout,
                new_size: usize,
            ) -> *mut u8 {
                // SAFETY: as above.
                unsafe { std::alloc::GlobalAlloc::realloc($inner, ptr, layout, new_size) }
            }
        }
    };
}

#[allow(unused_imports, reason = "dlmalloc alone needs no forwarding")]
pub(in crate::subject) use forward;
