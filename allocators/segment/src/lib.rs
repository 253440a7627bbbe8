#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(any(feature = "std", strata_loom, test))]
extern crate std;
