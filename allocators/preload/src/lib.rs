#![doc = include_str!("../README.md")]
#![cfg(target_os = "linux")]

mod c_family;
mod cxx;
mod figures;
mod settings;
mod thread;
