//! A ring of packet buffers in a `static`, as a driver has: the interrupt fills buffers, the program
//! reads them; none is allocated, and none is copied.

use std::collections::VecDeque;

use strata_pool::{PoolBox, StaticPool};

/// A frame as the wire has it.
struct Packet {
    len: usize,
    bytes: [u8; 1500],
}

type Packets = StaticPool<Packet, 64, 1>;
static PACKETS: Packets = StaticPool::new();

/// What a receive interrupt does: a buffer if there is one, or the packet is dropped.
fn receive(wire: &[u8]) -> Option<PoolBox<'static, Packet, Packets>> {
    let mut packet = PACKETS.alloc(Packet { len: 0, bytes: [0; 1500] }).ok()?;
    packet.len = wire.len().min(1500);
    let len = packet.len;
    packet.bytes[..len].copy_from_slice(&wire[..len]);
    Some(packet)
}

fn main() {
    let (mut queue, mut dropped, mut sum) = (VecDeque::with_capacity(64), 0, 0_u64);
    for n in 0..1000_u32 {
        match receive(&n.to_le_bytes()) {
            Some(packet) => queue.push_back(packet),
            None => dropped += 1,
        }
        // The program is a little slower than the wire.
        if n % 4 != 0
            && let Some(packet) = queue.pop_front()
        {
            sum += packet.bytes[..packet.len].iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
    }
    println!("{} in the queue, {dropped} dropped, {sum} read", queue.len());
    assert_eq!(PACKETS.live(), queue.len());
    drop(queue);
    assert_eq!(PACKETS.live(), 0);
}
