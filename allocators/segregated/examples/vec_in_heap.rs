//! Collections in a heap over a static buffer: no system call, no global allocator.
//!
//! ```sh
//! cargo run -p strata-segregated --example vec_in_heap --features allocator-api2
//! ```

use std::alloc::Layout;
use std::mem::MaybeUninit;

use allocator_api2::vec::Vec;
use strata_core::source::Region;
use strata_segregated::Heap;

const LEN: usize = 1 << 20;
static mut BUFFER: [MaybeUninit<u8>; LEN] = [MaybeUninit::uninit(); LEN];

fn main() {
    // SAFETY: `main` runs once, and nothing else names the buffer.
    let buffer: &'static mut [MaybeUninit<u8>] = unsafe { &mut BUFFER[..] };
    // For threads to share it, this would be `Locked::new(Region::new(buffer))`.
    let heap: Heap<_> = Heap::new(Region::new(buffer));

    let mut squares = Vec::new_in(&heap);
    squares.extend((0..1000_u64).map(|n| n * n));
    println!("{} squares, the last is {}", squares.len(), squares[999]);

    // Whoever chooses a capacity can have all of a block.
    let layout = Layout::new::<[u8; 1001]>();
    let odd: Vec<u8, _> = Vec::with_capacity_in(heap.good_size(layout), &heap);
    println!("instead of 1001 bytes it has {}", odd.capacity());

    // More than the buffer has is an error, not the end of the process.
    let mut much: Vec<u8, _> = Vec::new_in(&heap);
    println!("{LEN} bytes in one piece: {}", much.try_reserve(LEN).is_ok());

    drop((squares, odd, much));
    let allocated = heap.stats().allocated.map_or(0, |bytes| bytes.get());
    println!("allocated in the end: {allocated} bytes");
}
