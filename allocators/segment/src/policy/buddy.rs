//! The binary buddy system.

use super::Index;
use super::list;
use crate::metadata::{Bookkeeping, MOST_UNITS, Name, Piece, UNIT_BITS};

/// Blocks of powers of two, at multiples of their own length; a freed block is joined with its buddy,
/// the one that it was cut from (Knowlton 1965).
///
/// O(log of the region) for every call. Requests are rounded up to a power of two of units, header
/// included in band; a third of the memory is lost to that in the mean.
///
/// # Invariants
///
/// 1. The list of an order has the free segments of 2^order units, each at a multiple of that; no two of
///    them are buddies.
/// 2. An order's bit in `orders` is set while its list has a segment.
#[derive(Debug)]
pub struct Buddy {
    orders: u32,
    heads: [u32; UNIT_BITS as usize],
}

impl Index for Buddy {
    const NEW: Self = Self { orders: 0, heads: [0; UNIT_BITS as usize] };
    const JOINS_ALL: bool = false;
    const CUTS: u32 = UNIT_BITS;

    #[inline]
    fn shape(len: u32, align: u32) -> Option<u32> {
        let shaped = len.max(align).checked_next_power_of_two()?;
        (shaped <= MOST_UNITS).then_some(shaped)
    }

    #[inline]
    fn cut(len: u32, need: u32) -> Option<u32> {
        (len > need).then_some(len / 2)
    }

    #[inline]
    fn lump(place: u32, len: u32) -> u32 {
        let fits = 1 << len.ilog2();
        if place == 0 { fits } else { fits.min(1 << place.trailing_zeros()) }
    }

    #[inline]
    fn joins(low: u32, low_len: u32, high_len: u32) -> bool {
        low_len == high_len && low & low_len == 0
    }

    fn take<M: Bookkeeping>(&mut self, meta: &mut M, need: u32) -> Option<Piece> {
        let fits = self.orders & u32::MAX << need.ilog2();
        if fits == 0 {
            return None;
        }
        let order = fits.trailing_zeros();
        let piece = Piece { name: Name(self.heads[order as usize]), len: 1 << order };
        self.remove(meta, piece);
        Some(piece)
    }

    fn insert<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) {
        debug_assert!(piece.len.is_power_of_two());
        let order = piece.len.trailing_zeros();
        list::push(meta, &mut self.heads[order as usize], piece.name);
        self.orders |= 1 << order;
    }

    fn remove<M: Bookkeeping>(&mut self, meta: &mut M, piece: Piece) -> bool {
        let order = piece.len.trailing_zeros();
        let head = &mut self.heads[order as usize];
        list::unlink(meta, head, piece.name);
        if *head == 0 {
            self.orders &= !(1 << order);
        }
        false
    }

    fn largest<M: Bookkeeping>(&self, _: &M) -> u32 {
        if self.orders == 0 { 0 } else { 1 << self.orders.ilog2() }
    }

    fn validate<M: Bookkeeping>(&self, meta: &M, seen: &mut dyn FnMut(Piece)) -> bool {
        let mut sound = true;
        for (order, &head) in self.heads.iter().enumerate() {
            sound &= (head != 0) == (self.orders >> order & 1 == 1);
            sound &= list::validate(meta, head, &mut |name| {
                let len = meta.len(name);
                sound &= len == 1 << order && meta.place(name) & (len - 1) == 0;
                seen(Piece { name, len });
            });
        }
        sound
    }
}
