//! Rounding to powers of two, for numbers and for pointers that keep their provenance.
//!
//! All of these take `align` as a power of two and assert it in debug builds.

use core::ptr::NonNull;

/// Whether `value` is a multiple of `align`.
///
/// ```
/// assert!(strata_core::align::is_aligned(48, 16));
/// assert!(!strata_core::align::is_aligned(40, 16));
/// ```
#[inline]
pub const fn is_aligned(value: usize, align: usize) -> bool {
    debug_assert!(align.is_power_of_two());
    value & (align - 1) == 0
}

/// The greatest multiple of `align` that is not above `value`.
///
/// ```
/// assert_eq!(strata_core::align::align_down(47, 16), 32);
/// ```
#[inline]
pub const fn align_down(value: usize, align: usize) -> usize {
    debug_assert!(align.is_power_of_two());
    value & !(align - 1)
}

/// The least multiple of `align` that is not below `value`, or `None` where it does not fit in a
/// `usize`.
///
/// ```
/// use strata_core::align::align_up;
/// assert_eq!(align_up(33, 16), Some(48));
/// assert_eq!(align_up(usize::MAX, 16), None);
/// ```
#[inline]
pub const fn align_up(value: usize, align: usize) -> Option<usize> {
    debug_assert!(align.is_power_of_two());
    match value.checked_add(align - 1) {
        Some(sum) => Some(sum & !(align - 1)),
        None => None,
    }
}

/// Bytes from `value` to the next multiple of `align`; less than `align`.
///
/// ```
/// assert_eq!(strata_core::align::padding(33, 16), 15);
/// ```
#[inline]
pub const fn padding(value: usize, align: usize) -> usize {
    debug_assert!(align.is_power_of_two());
    value.wrapping_neg() & (align - 1)
}

/// `pointer` moved up to a multiple of `align`, with its provenance. The result may lie past the
/// object; compare addresses before using it. `None` at the end of the address space.
///
/// ```
/// # use core::ptr::NonNull;
/// use strata_core::align::pointer_up;
/// let mut buffer = [0u8; 64];
/// let first = NonNull::new(buffer.as_mut_ptr()).unwrap();
/// let aligned = pointer_up(first, 32).unwrap();
/// assert_eq!(aligned.addr().get() % 32, 0);
/// // SAFETY: at most 31 bytes up: inside the buffer, and the provenance is the buffer's.
/// unsafe { aligned.write(7) };
/// assert!(buffer.contains(&7));
/// ```
#[inline]
pub fn pointer_up(pointer: NonNull<u8>, align: usize) -> Option<NonNull<u8>> {
    NonNull::new(pointer.as_ptr().wrapping_add(padding(pointer.addr().get(), align)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_with_division() {
        for shift in 0..8 {
            let align = 1 << shift;
            for value in 0..600 {
                assert_eq!(align_down(value, align), value / align * align);
                assert_eq!(align_up(value, align), Some(value.div_ceil(align) * align));
                assert_eq!(value + padding(value, align), value.div_ceil(align) * align);
                assert_eq!(is_aligned(value, align), value % align == 0);
            }
        }
    }

    #[test]
    fn the_end_of_the_address_space_is_none() {
        assert_eq!(align_up(usize::MAX - 15, 16), Some(usize::MAX - 15));
        assert_eq!(align_up(usize::MAX - 14, 16), None);
        let last = NonNull::new(core::ptr::without_provenance_mut::<u8>(usize::MAX)).unwrap();
        assert_eq!(pointer_up(last, 4096), None);
    }
}
