//! Log analytics as a pipeline: one thread reads, three parse, one aggregates.
//!
//! The reader sends chunks of JSON lines, a parser turns each chunk into a batch of records, the
//! aggregator puts the batches back in order and keeps what it needs. So a chunk is freed by a
//! parser, and a record by the aggregator.

use crate::Checksum;
use crate::workload::{Draw, Scale, word};
use crossbeam_channel::{Receiver, Sender, bounded};
use regex_lite::Regex;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::thread;

const CHUNKS: usize = 900;
const LINES: usize = 64;
const PARSERS: usize = 3;
const RECENT_ERRORS: usize = 20;

/// Runs the pipeline; the checksum is of the report, a JSON text.
pub fn run(scale: Scale) -> u64 {
    let chunks = scale.of(CHUNKS);
    let (to_parsers, unparsed) = bounded(16);
    let (to_aggregator, parsed) = bounded(16);
    let reader = thread::spawn(move || read(chunks, &to_parsers));
    let parsers: Vec<_> = (0..PARSERS)
        .map(|_| {
            let (unparsed, to_aggregator) = (unparsed.clone(), to_aggregator.clone());
            thread::spawn(move || parse(&unparsed, &to_aggregator))
        })
        .collect();
    // Each stage ends when all senders before it are gone, these two included.
    drop((unparsed, to_aggregator));
    let aggregator = thread::spawn(move || aggregate(&parsed));

    reader.join().expect("the reader does not panic");
    for parser in parsers {
        parser.join().expect("no parser panics");
    }
    let report = aggregator.join().expect("the aggregator does not panic");
    Checksum::of(report)
}

/// Something and its place in the input.
struct Numbered<T> {
    nth: usize,
    item: T,
}

struct Record {
    service: String,
    route: String,
    user: String,
    status: u64,
    micros: u64,
    error: Option<String>,
}

fn read(chunks: usize, to_parsers: &Sender<Numbered<String>>) {
    let mut draw = Draw::seeded(7);
    for nth in 0..chunks {
        let mut item = String::new();
        for _ in 0..LINES {
            item += &line(&mut draw);
            item.push('\n');
        }
        if to_parsers.send(Numbered { nth, item }).is_err() {
            return;
        }
    }
}

fn line(draw: &mut Draw) -> String {
    let service = draw.pick(&["shop", "search", "accounts", "media", "mail"]);
    let path = match draw.below(4) {
        0 => format!("/items/{}/reviews", draw.below(5000)),
        1 => format!("/users/{}/avatar.{}", draw.below(900), draw.pick(&["png", "webp"])),
        2 => format!("/search?q={}", draw.text(2).replace(' ', "+")),
        _ => format!("/{}", word(draw.skewed(60))),
    };
    let status = if draw.once_in(25) { 500 } else { 200 };
    let mut line = format!(
        r#"{{"service":"{service}","request":{{"method":"GET","path":"{path}","user":"u{}"}},"status":{status},"micros":{},"tags":["{}","{}"]"#,
        draw.skewed(700),
        200 + draw.skewed(90_000),
        word(draw.below(30)),
        word(draw.below(30)),
    );
    if status == 500 {
        let words = 10 + draw.below(50);
        line += &format!(
            r#","error":{{"kind":"{}","trace":"{}"}}"#,
            word(draw.below(9)),
            draw.text(words)
        );
    }
    line.push('}');
    line
}

fn parse(unparsed: &Receiver<Numbered<String>>, to_aggregator: &Sender<Numbered<Vec<Record>>>) {
    let identifier = Regex::new(r"/\d+").expect("the pattern is well-formed");
    let query = Regex::new(r"\?.*$|\.[a-z]+$").expect("the pattern is well-formed");
    for Numbered { nth, item } in unparsed {
        let item = item
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).expect("the reader wrote JSON");
                let request = &value["request"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let path = identifier.replace_all(request["path"].as_str().unwrap_or(""), "/N");
                Record {
                    service: text(&value["service"]),
                    route: query.replace(&path, "").into_owned(),
                    user: text(&request["user"]),
                    status: value["status"].as_u64().unwrap_or(0),
                    micros: value["micros"].as_u64().unwrap_or(0),
                    error: value["error"]["trace"].as_str().map(str::to_owned),
                }
            })
            .collect();
        if to_aggregator.send(Numbered { nth, item }).is_err() {
            return;
        }
    }
}

#[derive(Default)]
struct Route {
    micros: Vec<u64>,
    failed: u64,
    users: FxHashMap<String, u32>,
    recent_errors: VecDeque<String>,
}

fn aggregate(parsed: &Receiver<Numbered<Vec<Record>>>) -> String {
    let mut routes: BTreeMap<(String, String), Route> = BTreeMap::new();
    let mut early = BTreeMap::new();
    let mut next = 0;
    for Numbered { nth, item } in parsed {
        early.insert(nth, item);
        while let Some(batch) = early.remove(&next) {
            next += 1;
            for record in batch {
                let route = routes.entry((record.service, record.route)).or_default();
                route.micros.push(record.micros);
                route.failed += u64::from(record.status >= 500);
                *route.users.entry(record.user).or_default() += 1;
                if let Some(error) = record.error {
                    route.recent_errors.push_back(error);
                    if route.recent_errors.len() > RECENT_ERRORS {
                        route.recent_errors.pop_front();
                    }
                }
            }
        }
    }
    let report: Vec<Value> =
        routes.into_iter().map(|(name, route)| describe(&name, route)).collect();
    serde_json::to_string_pretty(&report).expect("a value is always written")
}

fn describe((service, name): &(String, String), mut route: Route) -> Value {
    route.micros.sort_unstable();
    let mut users: Vec<_> = route.users.into_iter().collect();
    users.sort_by(|(a, many), (b, few)| few.cmp(many).then(a.cmp(b)));
    users.truncate(5);
    json!({
        "service": service,
        "route": name,
        "requests": route.micros.len(),
        "failed": route.failed,
        "median": route.micros[route.micros.len() / 2],
        "worst": route.micros.last(),
        "heaviest": users,
        "errors": route.recent_errors,
    })
}
