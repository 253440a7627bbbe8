//! Random programs on a space, and what forks and strangers do.

use core::mem::MaybeUninit;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use strata_core::source::Region;

use super::shadow::{Naive, Op, ZONE, ops_of, run};
use super::*;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (table, share, value) = (0..12_usize, 0..1000_u64, any::<u32>());
    let one = prop_oneof![
        4 => (table.clone(), value).prop_map(|(t, v)| Op::Push(t, v)),
        3 => (table.clone(), 0..150_u64, value).prop_map(|(t, n, v)| Op::Extend(t, n, v)),
        1 => (table.clone(), table.clone(), share.clone())
            .prop_map(|(t, of, at)| Op::PushShared(t, of, at)),
        2 => table.clone().prop_map(Op::Fork),
        3 => (table.clone(), share.clone()).prop_map(|(t, at)| Op::ForkPrefix(t, at)),
        6 => (table.clone(), share.clone(), value).prop_map(|(t, at, v)| Op::Write(t, at, v)),
        2 => (table.clone(), share).prop_map(|(t, at)| Op::Truncate(t, at)),
        1 => table.prop_map(Op::Release),
    ];
    proptest::collection::vec(one, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_read_what_was_written_to_them(ops in ops()) {
        run(&ops, 1 << 20);
    }

    #[test]
    fn and_where_nodes_run_out_nothing_changes(ops in ops()) {
        run(&ops, 20 << 10);
    }
}

#[test]
fn a_fork_of_many_pages_costs_no_node_and_a_write_one_a_level() {
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); 1 << 20];
    let region = Region::new(&mut buffer);
    let mut space = PageSpace::new(Naive::new(), ZONE, &region).unwrap();
    let mut table = space.table();
    space.extend(&mut table, 500).unwrap();
    assert_eq!(space.stats().nodes, 8 + 1);
    let mut fork = space.fork(&table).unwrap();
    assert_eq!(space.stats().nodes, 9);
    assert!(matches!(space.write(&mut fork, 130), Ok(Write::CopyNeeded { .. })));
    assert_eq!((space.stats().nodes, space.stats().frames), (11, 501));
    // What the fork left is the table's alone again but for the nodes that they still share.
    assert!(matches!(space.write(&mut table, 130), Ok(Write::Ready(_))));
    let prefix = space.fork_prefix(&table, 256).unwrap();
    assert_eq!(space.stats().nodes, 12, "four whole leaves below a root of its own");
    for table in [table, fork, prefix] {
        space.release(table);
    }
    assert_eq!((space.stats().nodes, space.stats().frames), (0, 0));
}

#[test]
fn a_stranger_s_table_is_refused_or_nonsense_and_no_more() {
    let (mut one, mut two) =
        (vec![MaybeUninit::uninit(); 64 << 10], vec![MaybeUninit::uninit(); 4096]);
    let (one, two) = (Region::new(&mut one), Region::new(&mut two));
    let mut space = PageSpace::new(Naive::new(), ZONE, &one).unwrap();
    let mut other = PageSpace::new(Naive::new(), ZONE, &two).unwrap();
    let mut table = space.table();
    space.extend(&mut table, 100).unwrap();
    assert_eq!(other.translate(&table, 3), None);
    assert_eq!(other.write(&mut table, 3), Err(TableError::OutOfRange));
    other.release(table);
    assert_eq!(other.stats().frames, 0);
}

/// The programs of the fuzzer, out of bytes by chance.
#[test]
fn bytes_are_programs_too() {
    let mut state = 7_u64;
    let mut byte = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 56) as u8
    };
    for length in [1 << 20, 20 << 10] {
        for _ in 0..40 {
            let bytes: Vec<u8> = (0..400).map(|_| byte()).collect();
            run(&ops_of(&bytes), length);
        }
    }
}
