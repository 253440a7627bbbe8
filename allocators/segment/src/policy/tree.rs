//! A binary tree of free segments with two links in each: ordered by a key from left to right, and by
//! a rank from the root down.
//!
//! With random ranks it is a treap (Seidel and Aragon 1996). With lengths as ranks and places as keys it
//! is the Cartesian tree of Stephenson's fast fits (1983), whose leftmost segment that fits is found by
//! walking down once.

use core::cmp::Ordering;

use crate::metadata::{Bookkeeping, Name, Piece};

pub(super) const LEFT: usize = 0;
pub(super) const RIGHT: usize = 1;

/// How a tree is ordered.
pub(super) trait Order {
    /// From left to right. Never equal for two segments.
    fn key<M: Bookkeeping>(meta: &M, segment: Name) -> (u32, u32);
    /// A child's is not above its parent's.
    fn rank<M: Bookkeeping>(meta: &M, segment: Name) -> u32;
}

/// A link that leads to a subtree.
#[derive(Clone, Copy)]
enum Place {
    Root,
    Child(Name, usize),
}

fn set<M: Bookkeeping>(meta: &mut M, root: &mut Name, place: Place, to: Name) {
    match place {
        Place::Root => *root = to,
        Place::Child(parent, side) => meta.set_link(parent, side, to),
    }
}

/// Puts in a segment. O(depth).
pub(super) fn insert<O: Order, M: Bookkeeping>(meta: &mut M, root: &mut Name, segment: Name) {
    let (key, rank) = (O::key(meta, segment), O::rank(meta, segment));
    let (mut place, mut at) = (Place::Root, *root);
    while !at.is_none() && O::rank(meta, at) >= rank {
        let side = if key < O::key(meta, at) { LEFT } else { RIGHT };
        place = Place::Child(at, side);
        at = meta.link(at, side);
    }
    set(meta, root, place, segment);
    // What was here is cut by the key: each node goes to one side with the subtree beyond it, and the
    // cut goes on in its other one.
    let mut ends = [Place::Child(segment, LEFT), Place::Child(segment, RIGHT)];
    while !at.is_none() {
        let below = O::key(meta, at) < key;
        let (to, inner) = if below { (LEFT, RIGHT) } else { (RIGHT, LEFT) };
        set(meta, root, ends[to], at);
        ends[to] = Place::Child(at, inner);
        at = meta.link(at, inner);
    }
    set(meta, root, ends[LEFT], Name::NONE);
    set(meta, root, ends[RIGHT], Name::NONE);
}

/// Takes out a segment that is in the tree. O(depth).
pub(super) fn remove<O: Order, M: Bookkeeping>(meta: &mut M, root: &mut Name, segment: Name) {
    let key = O::key(meta, segment);
    let (mut place, mut at) = (Place::Root, *root);
    while at != segment {
        debug_assert!(!at.is_none(), "a free segment is in the tree");
        let side = match key.cmp(&O::key(meta, at)) {
            Ordering::Less => LEFT,
            _ => RIGHT,
        };
        place = Place::Child(at, side);
        at = meta.link(at, side);
    }
    // Its two subtrees become one, the higher rank above.
    let (mut left, mut right) = (meta.link(segment, LEFT), meta.link(segment, RIGHT));
    loop {
        if left.is_none() || right.is_none() {
            let rest = if left.is_none() { right } else { left };
            set(meta, root, place, rest);
            return;
        }
        if O::rank(meta, left) >= O::rank(meta, right) {
            set(meta, root, place, left);
            place = Place::Child(left, RIGHT);
            left = meta.link(left, RIGHT);
        } else {
            set(meta, root, place, right);
            place = Place::Child(right, LEFT);
            right = meta.link(right, LEFT);
        }
    }
}

/// Tells `seen` of every segment, by rising key; whether keys and ranks are in order. Walks without a
/// stack: each next one is looked for from the root.
pub(super) fn validate<O: Order, M: Bookkeeping>(
    meta: &M,
    root: Name,
    seen: &mut dyn FnMut(Piece),
) -> bool {
    let mut last = None;
    loop {
        let (mut next, mut at) = (Name::NONE, root);
        while !at.is_none() {
            if !meta.is_free(at) {
                return false;
            }
            for child in [meta.link(at, LEFT), meta.link(at, RIGHT)] {
                if !child.is_none() && O::rank(meta, child) > O::rank(meta, at) {
                    return false;
                }
            }
            if last.is_none_or(|last| O::key(meta, at) > last) {
                (next, at) = (at, meta.link(at, LEFT));
            } else {
                at = meta.link(at, RIGHT);
            }
        }
        if next.is_none() {
            return true;
        }
        last = Some(O::key(meta, next));
        seen(Piece { name: next, len: meta.len(next) });
    }
}
