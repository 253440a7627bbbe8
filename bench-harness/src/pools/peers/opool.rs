//! The crate `opool`: values in a bounded queue, moved in and out.

use super::described;
use crate::pools::{Payload, PoolLocal, PoolSubject};
use crate::subject::Description;
use opool::{Pool, PoolAllocator, RefGuard};

pub(super) const VERSION: &str = "0.2.0";

/// `Pool`, full of values from the beginning.
pub struct Opool(Pool<Values, Payload>);

/// Makes a value.
#[derive(Debug)]
pub struct Values;

impl PoolAllocator<Payload> for Values {
    fn allocate(&self) -> Payload {
        Payload::new(0)
    }
}

impl PoolSubject for Opool {
    type Local<'a> = &'a Pool<Values, Payload>;
    /// A value lies in its guard.
    const STAYS: bool = false;

    fn describe() -> Description {
        described("opool", VERSION, "filled")
    }

    fn new(capacity: usize) -> Option<Self> {
        Some(Self(Pool::new_prefilled(capacity, Values)))
    }

    fn local(&self) -> Self::Local<'_> {
        &self.0
    }
}

impl<'a> PoolLocal for &'a Pool<Values, Payload> {
    type Held = RefGuard<'a, Values, Payload>;

    #[inline(always)]
    fn take(&mut self, word: u64) -> Option<Self::Held> {
        let mut held = self.get();
        *held = Payload::new(word);
        Some(held)
    }

    #[inline(always)]
    fn give(&mut self, held: Self::Held) {
        drop(held);
    }

    fn value<'b>(&'b self, held: &'b Self::Held) -> &'b Payload {
        held
    }
}
