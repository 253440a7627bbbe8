//! Delta debugging (Zeller and Hildebrandt, 2002): parts are left out, halves first, then finer ones.

use crate::error::Result;

/// Leaves out of `items` what `holds` does not need; it holds for all of them, and is asked until it
/// answers `None`: no time is left.
///
/// What comes out is minimal by one, given time: without any single item it does not hold. `holds`
/// is asked about n² parts at the worst, and about n log n where few items matter.
pub(super) fn ddmin<T: Copy>(
    mut items: Vec<T>,
    mut holds: impl FnMut(&[T]) -> Result<Option<bool>>,
) -> Result<Vec<T>> {
    let mut parts = 2;
    while items.len() > 1 {
        let length = items.len().div_ceil(parts);
        let mut shorter = None;
        // From the end: what was there last is needed least often.
        for start in (0..items.len()).step_by(length).rev() {
            let rest: Vec<T> = items[..start]
                .iter()
                .chain(&items[items.len().min(start + length)..])
                .copied()
                .collect();
            if rest.is_empty() {
                continue;
            }
            match holds(&rest)? {
                None => return Ok(items),
                Some(true) => {
                    shorter = Some(rest);
                    break;
                }
                Some(false) => {}
            }
        }
        match shorter {
            Some(rest) => {
                items = rest;
                parts = (parts - 1).max(2);
            }
            None if length == 1 => break,
            None => parts = (parts * 2).min(items.len()),
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: u32, needed: &[u32]) -> (Vec<u32>, usize) {
        let mut asked = 0;
        let found = ddmin((0..count).collect(), |part| {
            asked += 1;
            Ok(Some(needed.iter().all(|item| part.contains(item))))
        });
        (found.unwrap(), asked)
    }

    #[test]
    fn what_is_needed_stays_and_nothing_else() {
        for needed in [&[3][..], &[0, 99], &[10, 11, 12, 50], &[99]] {
            assert_eq!(run(100, needed).0, needed);
        }
        assert_eq!(run(1, &[0]).0, [0]);
        let (found, asked) = run(10_000, &[1234, 8765]);
        assert_eq!(found, [1234, 8765]);
        assert!(asked < 400, "{asked}");
    }

    #[test]
    fn without_time_what_was_found_so_far_stands() {
        let mut left = 3;
        let found = ddmin((0..64).collect::<Vec<u32>>(), |part| {
            left -= 1;
            Ok((left >= 0).then(|| part.contains(&5)))
        });
        let found = found.unwrap();
        assert!(found.contains(&5) && found.len() < 64, "{found:?}");
    }
}
