//! Buffers in the memory of a device that the processor cannot touch: bookkeeping out of band.
//!
//! The device has 1 MiB at an address of its own. Nothing is written there: a segment is a base and a
//! length, to be passed to the device.

use strata_segment::{AllocError, Entry, GoodFit, OutOfBand, SegmentId, Segments};

const BASE: u64 = 0x4000_0000;
const BYTES: u64 = 1 << 20;
/// The device wants buffers at multiples of 256 bytes.
const UNIT: u64 = 256;

/// The device's memory; no more than 200 pieces, used and free.
struct Device {
    memory: Segments<GoodFit<0, 0>, OutOfBand<[Entry; 200]>>,
}

impl Device {
    fn new() -> Self {
        let mut memory = Segments::out_of_band([Entry::EMPTY; 200], UNIT);
        memory.add_range(BASE, BYTES).expect("one range, and entries for it");
        Self { memory }
    }

    /// A buffer; the kind of its contents is its tag.
    fn buffer(&mut self, bytes: u64, kind: u32) -> Result<SegmentId, AllocError> {
        let id = self.memory.allocate_range(bytes, UNIT)?;
        self.memory.set_tag(id, kind).expect("just allocated");
        Ok(id)
    }

    fn show(&self, id: SegmentId) {
        let (base, len) = (self.memory.base(id), self.memory.len(id));
        if let (Some(base), Some(len), Some(kind)) = (base, len, self.memory.tag(id)) {
            println!("{base:#x}..{:#x}, kind {kind}", base + len);
        }
    }
}

fn main() {
    let mut device = Device::new();
    let textures: Vec<_> =
        (1..9).map(|n| device.buffer(n * 10_000, 1).expect("there is room")).collect();
    let queue = device.buffer(4096, 2).expect("there is room");
    for &id in textures.iter().skip(1).step_by(2) {
        device.memory.free(id).expect("a buffer of ours");
    }
    assert!(device.memory.free(textures[1]).is_err(), "a second free is an error");

    let stats = device.memory.stats();
    println!(
        "{} of {} bytes are free, the longest {}",
        stats.free, stats.total, stats.largest_free
    );
    for (from, count) in stats.histogram().filter(|&(_, count)| count > 0) {
        println!("  {count} free segments of {from} bytes to twice as many");
    }
    // The queue needs no place above a hole: it slides down, and the caller has the device copy it.
    device.show(queue);
    if let Some(slide) = device.memory.slide_down(queue) {
        println!("copy {} bytes from {:#x} to {:#x}", slide.len, slide.from, slide.to);
    }
    device.show(queue);
    device.memory.validate().expect("all entries agree");
}
