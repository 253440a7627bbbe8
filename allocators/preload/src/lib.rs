#![doc = include_str!("../README.md")]
#![cfg(target_os = "linux")]

pub mod c_family;
pub mod cxx;
pub mod figures;
mod settings;
mod thread;
