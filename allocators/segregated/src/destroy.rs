//! The end of a heap as a whole.

use core::fmt;
use core::ptr::NonNull;

use strata_core::lock::RawLock;
use strata_core::{ByteCount, Source};

use crate::check::Walked;
use crate::heap::Heap;

/// A heap was to end that has live blocks. It goes on: nothing changed.
///
/// [`into_heap`](Self::into_heap) gives it back; dropping this drops the heap, with its blocks.
pub struct StillLive<S, L>
where
    S: Source<Address = NonNull<u8>>,
    L: RawLock,
{
    heap: Heap<S, L>,
    blocks: usize,
    bytes: ByteCount,
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> StillLive<S, L> {
    /// How many blocks are live.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Their true lengths together.
    pub fn bytes(&self) -> ByteCount {
        self.bytes
    }

    /// The heap.
    pub fn into_heap(self) -> Heap<S, L> {
        self.heap
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> fmt::Debug for StillLive<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blocks, bytes) = (self.blocks, self.bytes);
        f.debug_struct("StillLive").field("blocks", &blocks).field("bytes", &bytes).finish()
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> fmt::Display for StillLive<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blocks, bytes) = (self.blocks, self.bytes.get());
        write!(f, "the heap has {blocks} live blocks of {bytes} bytes: free them, or drop the heap")
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> core::error::Error for StillLive<S, L> {}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> Heap<S, L> {
    /// Ends the heap and releases all its memory to the source, if no block is live, whichever thread
    /// allocated it.
    ///
    /// Dropping a heap releases all its memory **whatever is live**: the quick end of many blocks at once, for
    /// which nobody looks at any of them. What still points into it then dangles. Collections that borrow the
    /// heap cannot: while one of them is there, on whatever thread, neither compiles. For blocks that were
    /// allocated by hand, this is the end that asks.
    ///
    /// O(frames in use).
    ///
    /// # Errors
    ///
    /// [`StillLive`], with the heap as it was.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use core::mem::MaybeUninit;
    /// use strata_core::source::Region;
    /// use strata_segregated::Heap;
    ///
    /// let mut buffer = vec![MaybeUninit::<u8>::uninit(); 256 << 10];
    /// let heap: Heap<_> = Heap::new(Region::new(&mut buffer));
    /// let layout = Layout::new::<[u64; 6]>();
    /// let block = heap.allocate(layout)?;
    ///
    /// let still_live = heap.destroy().unwrap_err();
    /// assert_eq!((still_live.blocks(), still_live.bytes().get()), (1, 48));
    /// let heap = still_live.into_heap();
    /// // SAFETY: 1. allocated above with this layout, freed once.
    /// unsafe { heap.deallocate(block, layout) };
    /// assert!(heap.destroy().is_ok());
    /// # Ok::<(), strata_core::Exhausted>(())
    /// ```
    #[expect(
        clippy::result_large_err,
        reason = "the heap comes back, and it has nowhere to box it"
    )]
    pub fn destroy(self) -> Result<(), StillLive<S, L>> {
        let (mut blocks, mut bytes) = (0, 0);
        self.walk(&mut |piece| {
            if let Walked::Block { len, .. } = piece {
                blocks += 1;
                bytes += len.get();
            }
        });
        if blocks == 0 {
            return Ok(());
        }
        Err(StillLive { heap: self, blocks, bytes: ByteCount(bytes) })
    }

    /// Whether an address lies in memory that the heap's blocks with a class, or up to 1 MiB long, are in. O(1).
    ///
    /// ```
    /// # use core::alloc::Layout;
    /// # use core::mem::MaybeUninit;
    /// # use strata_core::source::Region;
    /// # use strata_segregated::Heap;
    /// # let mut buffer = vec![MaybeUninit::<u8>::uninit(); 256 << 10];
    /// let heap: Heap<_> = Heap::new(Region::new(&mut buffer));
    /// let block = heap.allocate(Layout::new::<u64>())?;
    /// assert!(heap.contains(block.as_ptr()) && !heap.contains((&raw const heap).cast()));
    /// # Ok::<(), strata_core::Exhausted>(())
    /// ```
    pub fn contains(&self, address: *const u8) -> bool {
        self.central.territories.locate(address.addr()).is_some()
    }
}
