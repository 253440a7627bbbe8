//! Newtypes for the units of the suite, so that mixing them does not compile.
//!
//! ```compile_fail,E0308
//! use strata_core::{FrameId, Order};
//! fn free(_frame: FrameId, _order: Order) {}
//! free(Order::new(3).unwrap(), FrameId(0)); // the wrong way round
//! ```
//!
//! ```compile_fail,E0308
//! use strata_core::{ByteCount, SizeClass};
//! let bytes: ByteCount = SizeClass(4); // a number of a class is no count of bytes
//! ```

use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign, Sub, SubAssign};

/// A number of bytes.
///
/// Adding and subtracting panic on overflow in debug builds, as for `usize`; the `checked_` and
/// `saturating_` forms do not.
///
/// ```
/// use strata_core::ByteCount;
/// let two = ByteCount::kib(2);
/// assert_eq!(two + ByteCount(512), ByteCount(2560));
/// assert_eq!(two.to_string(), "2.0 KiB");
/// assert_eq!(ByteCount(1023).to_string(), "1023 B");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ByteCount(pub usize);

impl ByteCount {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// `n` times 1024 bytes. Panics (in a const: does not compile) when that overflows.
    pub const fn kib(n: usize) -> Self {
        Self(n.checked_mul(1 << 10).expect("a count of bytes fits in usize"))
    }

    /// `n` times 1024 KiB. Panics (in a const: does not compile) when that overflows.
    pub const fn mib(n: usize) -> Self {
        Self(n.checked_mul(1 << 20).expect("a count of bytes fits in usize"))
    }

    /// The bare number.
    pub const fn get(self) -> usize {
        self.0
    }

    /// The sum, or `None` where it overflows.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` where `other` is greater.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// The difference, zero where `other` is greater.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for ByteCount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for ByteCount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for ByteCount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl SubAssign for ByteCount {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for ByteCount {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let step = (self.0.ilog2() / 10) as usize;
        let value = self.0 as f64 / (1u64 << (10 * step)) as f64;
        write!(f, "{value:.1} {}", UNITS[step - 1])
    }
}

/// A power of two of frames: order `n` is `2^n` frames. At most [`Order::MAX`].
///
/// ```
/// use strata_core::Order;
/// let huge = Order::new(9).unwrap();
/// assert_eq!(huge.frames(), 512);
/// assert_eq!(Order::covering(513), Order::new(10));
/// assert_eq!(Order::new(64), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Order(u8);

impl Order {
    /// The greatest order whose frames can be counted in a `u64`.
    pub const MAX: Self = Self(63);

    /// Order `n`, or `None` above [`Order::MAX`].
    pub const fn new(n: u8) -> Option<Self> {
        if n <= Self::MAX.0 { Some(Self(n)) } else { None }
    }

    /// The least order of at least `frames` frames (zero counts as one), or `None` where there is
    /// none.
    pub const fn covering(frames: u64) -> Option<Self> {
        match frames.checked_next_power_of_two() {
            Some(power) => Self::new(power.trailing_zeros() as u8),
            None => None,
        }
    }

    /// The exponent.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The number of frames, `2^order`.
    pub const fn frames(self) -> u64 {
        1 << self.0
    }
}

/// The number of a frame, counted from the start of its zone.
///
/// ```
/// use strata_core::{FrameId, Order};
/// let frame = FrameId(24);
/// assert!(frame.is_aligned(Order::new(3).unwrap()));
/// assert!(!frame.is_aligned(Order::new(4).unwrap()));
/// assert_eq!(frame.checked_add(8), Some(FrameId(32)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct FrameId(pub u64);

impl FrameId {
    /// The bare number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether a run of `order` may start here.
    pub const fn is_aligned(self, order: Order) -> bool {
        self.0 & (order.frames() - 1) == 0
    }

    /// The frame `frames` further, or `None` where its number overflows.
    pub const fn checked_add(self, frames: u64) -> Option<Self> {
        match self.0.checked_add(frames) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

/// The number of a block size among those that an allocator serves. Which size it means is the
/// allocator's to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SizeClass(pub u16);

impl SizeClass {
    /// The number as an index into a table by class.
    ///
    /// ```
    /// let blocks_by_class = [3, 1, 4];
    /// assert_eq!(blocks_by_class[strata_core::SizeClass(2).index()], 4);
    /// ```
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

static_assertions::assert_eq_size!(ByteCount, usize);
static_assertions::assert_eq_size!(FrameId, u64);
static_assertions::assert_eq_size!(Order, u8);
static_assertions::assert_eq_size!(SizeClass, u16);

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn counts_print_in_the_unit_that_fits() {
        assert_eq!(ByteCount(0).to_string(), "0 B");
        assert_eq!(ByteCount(1024).to_string(), "1.0 KiB");
        assert_eq!(ByteCount(1536).to_string(), "1.5 KiB");
        assert_eq!(ByteCount::mib(64).to_string(), "64.0 MiB");
        #[cfg(target_pointer_width = "64")]
        assert_eq!(ByteCount(usize::MAX).to_string(), "16.0 EiB");
    }

    #[test]
    fn an_order_covers_its_frames() {
        for frames in 0..2000 {
            let order = Order::covering(frames).unwrap();
            assert!(order.frames() >= frames);
            assert!(order.get() == 0 || order.frames() / 2 < frames);
        }
        assert_eq!(Order::covering(u64::MAX), None);
        assert_eq!(Order::covering(1 << 63), Some(Order::MAX));
    }
}
