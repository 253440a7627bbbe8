//! Every kernel asks for what it says, gives all of it back, and calls no heap but the subject's.

use super::{ALL, Family, Kernel, Pace, Turn, Window, Wish, find, pairs, run};
use crate::subject::{Description, Subject};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

#[derive(Default)]
struct Book {
    live: HashMap<usize, Layout>,
    most: usize,
    /// In order of allocation.
    asked: Vec<Layout>,
}

/// The system's allocator, which knows every live block.
#[derive(Default)]
struct Watched(Mutex<Book>);

// SAFETY: both methods are the system allocator's, with the caller's own arguments.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the method called.
        let block = unsafe { System.alloc(layout) };
        let mut book = self.0.lock().unwrap();
        assert_eq!(book.live.insert(block.addr(), layout), None);
        book.most = book.most.max(book.live.len());
        book.asked.push(layout);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let known = self.0.lock().unwrap().live.remove(&block.addr());
        assert_eq!(known, Some(layout), "freed as it was allocated");
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }
}

// SAFETY: 1: the system allocator's; 2: there is no usable size.
unsafe impl Subject for Watched {
    fn describe(&self) -> Description {
        Description { name: "watched".into(), ..Description::default() }
    }
}

fn watched(kernel: &Kernel, rounds: u64) -> Book {
    let (subject, mut window) = (Watched::default(), Window::new(rounds, Pace::Fixed(2)));
    assert!(run(&subject, kernel.index, &mut window), "{}", kernel.name);
    assert!(window.nanos > 0, "{}", kernel.name);
    let book = subject.0.into_inner().unwrap();
    assert!(book.live.is_empty(), "{}: {} blocks left", kernel.name, book.live.len());
    book
}

fn rounds(kernel: &Kernel) -> u64 {
    match kernel.family {
        // Gigabytes in all.
        Family::LargePair | Family::Growth | Family::Calloc => 1,
        _ if kernel.pairs > 1 => 3,
        _ => 2000,
    }
}

#[test]
fn every_kernel_frees_what_it_allocates_and_does_so_many_pairs() {
    for kernel in &ALL {
        let rounds = rounds(kernel);
        let book = watched(kernel, rounds);
        let set_up = match kernel.family {
            Family::LiveSet => 65_536,
            Family::Churn => 4096,
            _ => 0,
        };
        // Warming up, and twice what is asked for.
        let rounds = rounds.div_ceil(4) + 2 * rounds;
        let expected = set_up + pairs(kernel.index, rounds);
        assert_eq!(book.asked.len() as u64, expected, "{}", kernel.name);
        let live = match kernel.family {
            Family::SmallPair | Family::MediumPair => 1..=1,
            Family::Batch => 1000..=1000,
            Family::LiveSet => 65_536..=65_536,
            Family::Churn => 4096..=4096,
            Family::CrossThread => 1..=1024,
            Family::ThreadChurn => 2000..=16_000,
            Family::Aligned => 1..=1000,
            Family::LargePair | Family::Calloc => 1..=1,
            // The block that grows, and the one that it is copied into.
            Family::Growth => 2..=2,
        };
        assert!(live.contains(&book.most), "{}: {} live", kernel.name, book.most);
    }
}

#[test]
fn windows_come_as_they_are_asked_for_and_each_tells_of_itself() {
    for kernel in &ALL {
        let mut wishes = vec![Wish::End, Wish::More, Wish::Warm];
        let mut told: Vec<Option<Turn>> = Vec::new();
        let mut ask = |turn: Option<Turn>| {
            told.push(turn);
            wishes.pop().unwrap_or(Wish::End)
        };
        let subject = Watched::default();
        let mut window = Window::new(rounds(kernel).min(200), Pace::Asked(&mut ask));
        assert!(run(&subject, kernel.index, &mut window));
        assert!(subject.0.into_inner().unwrap().live.is_empty(), "{}", kernel.name);
        let nanos = window.nanos;
        assert!(told[0].is_none() && told.len() == 3, "{}", kernel.name);
        let turns: Vec<Turn> = told.into_iter().flatten().collect();
        assert!(turns.iter().all(|turn| turn.rounds > 0 && turn.reference > 0));
        assert_eq!(turns.iter().map(|turn| turn.nanos).sum::<u64>(), nanos, "{}", kernel.name);
    }
}

#[test]
fn sizes_and_alignments_are_those_of_the_name() {
    for kernel in &ALL {
        let asked = watched(kernel, rounds(kernel)).asked;
        let sizes: HashSet<_> = asked.iter().map(Layout::size).collect();
        let (least, most) = (*sizes.iter().min().unwrap(), *sizes.iter().max().unwrap());
        let most_asked = most;
        let named = kernel.name.rsplit('-').next().unwrap().parse::<usize>();
        let align = match kernel.family {
            Family::Aligned => 64,
            Family::Growth if kernel.name.contains("table") => 16,
            _ => 8,
        };
        assert!(asked.iter().all(|layout| layout.align() == align), "{}", kernel.name);
        let mib = 1 << 20;
        match (kernel.family, named) {
            (Family::LargePair, Ok(most)) if kernel.name.contains("mixed") => {
                assert!((64 << 10..=most * mib).contains(&least), "{}", kernel.name);
                assert!((64 << 10..=most * mib).contains(&most_asked), "{}", kernel.name);
            }
            (Family::Growth, Ok(entries)) if kernel.name.contains("table") => {
                assert_eq!((least, most_asked), (16 * 17, (entries * 17) << 10), "{}", kernel.name);
            }
            (Family::Growth, Ok(most)) => {
                let first = if kernel.name.contains("steps") { 64 << 10 } else { 64 };
                assert_eq!((least, most_asked), (first, most * mib), "{}", kernel.name);
            }
            (Family::LiveSet | Family::ThreadChurn, _) => {
                assert!((16..20).contains(&least) && (2040..2048).contains(&most));
                // Every power of two is as likely as the others.
                for power in 4..=10 {
                    let range = 1 << power..2 << power;
                    let count = asked.iter().filter(|l| range.contains(&l.size())).count();
                    let share = count as f64 / asked.len() as f64;
                    assert!((share - 1.0 / 7.0).abs() < 0.01, "{}: {share}", kernel.name);
                }
            }
            (Family::Churn, _) => assert!(least == 8 && most == 1024),
            (Family::Aligned, _) => assert!((48..52).contains(&least) && most > 1020),
            (_, Ok(bytes)) => assert_eq!((least, most), (bytes, bytes), "{}", kernel.name),
            (_, Err(_)) => assert!((8..12).contains(&least) && most > 1020, "{}", kernel.name),
        }
    }
}

#[test]
fn a_kernel_asks_for_the_same_every_time() {
    for kernel in ALL.iter().filter(|kernel| kernel.threads == 1) {
        let asked = || watched(kernel, rounds(kernel)).asked;
        assert_eq!(asked(), asked(), "{}", kernel.name);
    }
}

#[test]
fn names_are_found_with_and_without_the_prefix() {
    let names: HashSet<_> = ALL.iter().map(|kernel| kernel.name).collect();
    assert_eq!(names.len(), ALL.len());
    for (index, kernel) in ALL.iter().enumerate() {
        assert_eq!(kernel.index, index);
        for name in [kernel.name, &*kernel.full_name()] {
            assert_eq!(find(name).map(|found| found.index), Some(index));
        }
    }
    assert!(find("kernel:").is_none() && find("pair-7").is_none());
    assert!(!find("batch-rnd-8192").unwrap().counts_alone());
    assert!(find("batch-rnd-64").unwrap().counts_alone());
    assert!(find("pair-8192").unwrap().counts_alone());
}

#[test]
fn orders_by_chance_are_permutations() {
    let mut table = [0; 1000];
    super::random::Random::new(9).permutation(&mut table);
    let all: HashSet<_> = table.iter().copied().collect();
    assert!(all == (0..1000).collect() && !table.is_sorted());
}
