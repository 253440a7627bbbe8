//! External fragmentation of a black box: the holes between its live blocks.

use super::waterfall::Block;
use crate::results::Gaps;

/// The gaps between neighbouring blocks that lie in one contiguous mapped range.
///
/// Free space, headers and metadata all count as gaps; size-segregated heaps look worse than they
/// are, since a free block of one class cannot serve another.
pub(crate) fn gaps(blocks: &[Block], mappings: &[(u64, u64)]) -> Gaps {
    let mut sorted: Vec<(u64, u64)> = blocks
        .iter()
        .map(|block| (block.start - block.header, block.start + block.usable.max(block.asked)))
        .collect();
    sorted.sort_unstable();
    let mut found = Gaps::default();
    let mut counts = [(0_u64, 0_u64); 64];
    let mut mapping = 0;
    for pair in sorted.windows(2) {
        let (end, start) = (pair[0].1, pair[1].0);
        while mapping < mappings.len() && mappings[mapping].1 < end {
            mapping += 1;
        }
        let together = mappings.get(mapping).is_some_and(|m| m.0 <= end && start <= m.1);
        if start <= end || !together {
            continue;
        }
        let gap = start - end;
        found.total += gap;
        found.largest = found.largest.max(gap);
        let power = gap.next_power_of_two().trailing_zeros() as usize;
        counts[power].0 += 1;
        counts[power].1 += gap;
    }
    found.fragmentation =
        (found.total > 0).then(|| 1.0 - found.largest as f64 / found.total as f64);
    found.histogram = counts
        .iter()
        .enumerate()
        .filter(|(_, (number, _))| *number > 0)
        .map(|(power, &(number, bytes))| (1 << power, number, bytes))
        .collect();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(start: u64, bytes: u64) -> Block {
        Block { start, asked: bytes, usable: bytes, header: 0 }
    }

    #[test]
    fn gaps_count_inside_one_mapping_only() {
        let blocks = [block(0x5000, 0x100), block(0x1000, 0x100), block(0x1200, 0x10)];
        let found = gaps(&blocks, &[(0x1000, 0x2000), (0x5000, 0x6000)]);
        assert_eq!((found.total, found.largest), (0x100, 0x100));
        assert_eq!(found.fragmentation, Some(0.0));
        assert_eq!(found.histogram, [(0x100, 1, 0x100)]);
    }
}
