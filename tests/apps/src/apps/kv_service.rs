//! A key-value server and its clients over loopback.
//!
//! Connections are tasks on a tokio runtime; the keys live in shards, each owned by a thread of
//! its own that takes requests from a channel. So a value is allocated by the worker that read it
//! from a socket and freed by the shard that replaces it; an answer goes the other way.
//!
//! Each client writes keys of its own, so its answers do not depend on the others.

use crate::Checksum;
use crate::workload::{Draw, Scale, word};
use rustc_hash::FxHashMap;
use std::hash::Hasher;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const WORKERS: usize = 4;
const SHARDS: usize = 4;
const CLIENTS: usize = 24;
const REQUESTS: usize = 900;
const KEYS: usize = 500;

/// Runs the server and its clients; the checksum is of every answer and of what is left stored.
pub fn run(scale: Scale) -> u64 {
    let (shards, owners): (Vec<_>, Vec<_>) = (0..SHARDS)
        .map(|_| {
            let (sender, requests) = mpsc::channel();
            (sender, thread::spawn(move || own_shard(&requests)))
        })
        .unzip();

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_io()
        .build()
        .expect("tokio starts its threads");
    let answers = runtime.block_on(serve_clients(shards, scale.of(REQUESTS)));
    drop(runtime);

    // The last sender is gone with the runtime, so every shard ends.
    let mut sum = answers.expect("loopback works");
    for owner in owners {
        sum = sum.wrapping_add(owner.join().expect("no shard panics"));
    }
    sum
}

async fn serve_clients(shards: Vec<mpsc::Sender<Request>>, requests: usize) -> io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let mut connections = Vec::with_capacity(CLIENTS);
        for _ in 0..CLIENTS {
            let (stream, _) = listener.accept().await?;
            connections.push(tokio::spawn(serve(stream, shards.clone())));
        }
        for connection in connections {
            connection.await??;
        }
        io::Result::Ok(())
    });
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| tokio::spawn(be_client(address, client, requests))).collect();

    let mut sum = 0u64;
    for client in clients {
        sum = sum.wrapping_add(client.await??);
    }
    server.await??;
    Ok(sum)
}

/// What a connection asks of a shard; the answer is `None` where there is no such key.
struct Request {
    key: String,
    command: Command,
    answer: oneshot::Sender<Option<Vec<u8>>>,
}

enum Command {
    Get,
    Delete,
    Set(Vec<u8>),
    Append(Vec<u8>),
}

/// Owns the keys of one shard until nobody can ask any more; returns a checksum of the rest.
fn own_shard(requests: &mpsc::Receiver<Request>) -> u64 {
    let mut values: FxHashMap<String, Vec<u8>> = FxHashMap::default();
    for Request { key, command, answer } in requests {
        let found = match command {
            Command::Get => values.get(&key).cloned(),
            Command::Delete => values.remove(&key),
            Command::Set(value) => values.insert(key, value).map(|_| b"replaced".to_vec()),
            Command::Append(more) => {
                let value = values.entry(key).or_default();
                value.extend_from_slice(&more);
                Some(value.len().to_string().into_bytes())
            }
        };
        // A connection that went away wants no answer.
        let _ = answer.send(found);
    }
    values.iter().fold(0, |sum, (key, value)| {
        let mut one = Checksum::EMPTY;
        one.text(key);
        one.write(value);
        sum.wrapping_add(one.finish())
    })
}

/// Serves one connection: lines of a command, a key and the length of the value that follows.
async fn serve(stream: TcpStream, shards: Vec<mpsc::Sender<Request>>) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_ascii_whitespace();
        let (verb, key) = (words.next().unwrap_or(""), words.next().unwrap_or("").to_owned());
        let mut value = vec![0; words.next().and_then(|len| len.parse().ok()).unwrap_or(0)];
        input.read_exact(&mut value).await?;
        let command = match verb {
            "SET" => Command::Set(value),
            "APPEND" => Command::Append(value),
            "DELETE" => Command::Delete,
            _ => Command::Get,
        };
        let (answer, answered) = oneshot::channel();
        let shard = &shards[Checksum::of(&key) as usize % shards.len()];
        shard.send(Request { key, command, answer }).map_err(io::Error::other)?;
        let mut reply = Vec::new();
        match answered.await.map_err(io::Error::other)? {
            Some(found) => {
                reply.extend_from_slice(format!("+{}\n", found.len()).as_bytes());
                reply.extend_from_slice(&found);
            }
            None => reply.extend_from_slice(b"-\n"),
        }
        output.write_all(&reply).await?;
    }
}

/// Sends its requests, one at a time, and returns a checksum of the answers.
async fn be_client(address: SocketAddr, client: usize, requests: usize) -> io::Result<u64> {
    let mut draw = Draw::seeded(client as u64);
    let mut answers = Checksum::EMPTY;
    let (input, mut output) = TcpStream::connect(address).await?.into_split();
    let mut input = BufReader::new(input);
    let mut line = String::new();
    for _ in 0..requests {
        let number = draw.skewed(KEYS);
        let key = format!("{}:{client}:{}", word(number), number);
        let words = 1 + draw.skewed(300);
        let request = match draw.below(10) {
            0..=3 => {
                let value = draw.text(words);
                format!("SET {key} {}\n{value}", value.len())
            }
            4 => {
                let more = draw.text(1 + words / 8);
                format!("APPEND {key} {}\n{more}", more.len())
            }
            5 => format!("DELETE {key}\n"),
            _ => format!("GET {key}\n"),
        };
        output.write_all(request.as_bytes()).await?;
        line.clear();
        input.read_line(&mut line).await?;
        let found = line.trim_end().strip_prefix('+').and_then(|len| len.parse().ok());
        let mut value = vec![0; found.unwrap_or(0)];
        input.read_exact(&mut value).await?;
        answers.text(&line);
        answers.write(&value);
    }
    Ok(answers.finish())
}
