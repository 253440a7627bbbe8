#![doc = include_str!("../README.md")]
#![cfg(target_os = "linux")]

pub mod c_family;
pub mod cxx;
pub mod figures;
#[cfg(all(
    target_arch = "x86_64",
    target_env = "gnu",
    not(any(test, debug_assertions, feature = "profile"))
))]
mod no_unwinder;
#[cfg(feature = "profile")]
mod profile;
mod settings;
mod thread;
