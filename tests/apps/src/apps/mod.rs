//! The programs, one a file.

use crate::App;

pub mod frames;
pub mod kv_service;
pub mod log_pipeline;
pub mod routes;
pub mod script;
pub mod search;
pub mod syntax;
pub mod tiles;
pub mod wiki_threads;

/// Every program, by the name of its executable.
pub const ALL: &[(&str, App)] = &[
    ("frames", frames::run),
    ("kv-service", kv_service::run),
    ("log-pipeline", log_pipeline::run),
    ("routes", routes::run),
    ("script", script::run),
    ("search", search::run),
    ("syntax", syntax::run),
    ("tiles", tiles::run),
    ("wiki-threads", wiki_threads::run),
];
