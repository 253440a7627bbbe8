//! An HTTP server for a small wiki that starts a thread for every connection.
//!
//! A thread parses the request, renders the page from Markdown unless the cache that all threads
//! share has it, answers and ends. Pages are put into the cache by one thread and dropped by
//! another.
//!
//! Some pages are edited, each by one client only, which alone reads it; so what a client sees
//! does not depend on the others.

use crate::Checksum;
use crate::workload::{Draw, Scale, word};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const CLIENTS: usize = 6;
const REQUESTS: usize = 200;
const PAGES: usize = 120;
/// The first pages are edited by the client whose number is theirs modulo `CLIENTS`.
const EDITED: usize = 48;
const CACHED: usize = 40;

/// Runs the server and its clients; the checksum is of every answer.
pub fn run(scale: Scale) -> u64 {
    let requests = scale.of(REQUESTS);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    let address = listener.local_addr().expect("a bound socket has an address");
    let server = thread::spawn(move || serve(&listener, CLIENTS * requests));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| thread::spawn(move || be_client(address, client, requests)))
        .collect();
    let mut sum = 0u64;
    for client in clients {
        sum = sum.wrapping_add(client.join().expect("no client panics").expect("loopback works"));
    }
    server.join().expect("the server does not panic").expect("loopback works");
    sum
}

/// The pages' sources and, for some, what they look like.
struct Wiki {
    sources: Mutex<Vec<String>>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    rendered: FxHashMap<usize, Arc<str>>,
    oldest_first: VecDeque<usize>,
}

fn serve(listener: &TcpListener, connections: usize) -> io::Result<()> {
    let mut draw = Draw::seeded(1);
    let wiki = Arc::new(Wiki {
        sources: Mutex::new((0..PAGES).map(|page| source(page, &mut draw)).collect()),
        cache: Mutex::default(),
    });
    let mut open: Vec<thread::JoinHandle<io::Result<()>>> = Vec::new();
    for _ in 0..connections {
        let (stream, _) = listener.accept()?;
        let wiki = Arc::clone(&wiki);
        open.push(thread::spawn(move || answer(stream, &wiki)));
        for ended in open.extract_if(.., |thread| thread.is_finished()) {
            ended.join().expect("no connection panics")?;
        }
    }
    for rest in open {
        rest.join().expect("no connection panics")?;
    }
    Ok(())
}

fn answer(mut stream: TcpStream, wiki: &Wiki) -> io::Result<()> {
    let mut request = Vec::new();
    stream.read_to_end(&mut request)?;
    let mut headers = [httparse::EMPTY_HEADER; 8];
    let mut head = httparse::Request::new(&mut headers);
    let body = match head.parse(&request) {
        Ok(httparse::Status::Complete(end)) => &request[end..],
        _ => return stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n"),
    };
    let page = head.path.and_then(|path| path.strip_prefix("/page/")?.parse().ok());
    let Some(page) = page.filter(|&page: &usize| page < PAGES) else {
        return stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n");
    };
    if head.method == Some("PUT") {
        let body = String::from_utf8_lossy(body).into_owned();
        wiki.sources.lock().expect("no panic while locked")[page] = body;
        wiki.cache.lock().expect("no panic while locked").rendered.remove(&page);
        return stream.write_all(b"HTTP/1.0 204 No Content\r\n\r\n");
    }
    let html = wiki.page(page);
    let mut response = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", html.len());
    response.push_str(&html);
    stream.write_all(response.as_bytes())
}

impl Wiki {
    fn page(&self, page: usize) -> Arc<str> {
        if let Some(html) = self.cache.lock().expect("no panic while locked").rendered.get(&page) {
            return Arc::clone(html);
        }
        let source = self.sources.lock().expect("no panic while locked")[page].clone();
        let html = render(page, &source);
        let mut cache = self.cache.lock().expect("no panic while locked");
        if cache.rendered.insert(page, Arc::clone(&html)).is_none() {
            cache.oldest_first.push_back(page);
        }
        while cache.oldest_first.len() > CACHED {
            let oldest = cache.oldest_first.pop_front().expect("it is not empty");
            cache.rendered.remove(&oldest);
        }
        html
    }
}

fn render(page: usize, source: &str) -> Arc<str> {
    let mut html = format!("<!doctype html><title>{}</title>\n", word(page));
    let options = pulldown_cmark::Options::ENABLE_TABLES;
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(source, options));
    html.into()
}

/// A page of Markdown: headings, paragraphs with links and emphasis, lists, a table.
fn source(page: usize, draw: &mut Draw) -> String {
    let mut text = format!("# {}\n\n", word(page));
    for section in 0..3 + draw.below(4) {
        text += &format!("## {} {section}\n\n", draw.text(2));
        let words = 20 + draw.below(60);
        text += &format!(
            "{} *{}* and [{}][{section}].\n\n",
            draw.text(words),
            word(section),
            word(page + section)
        );
        for _ in 0..draw.below(8) {
            text += &format!("- **{}**: {}\n", draw.text(1), draw.text(6));
        }
        text += "\n| word | meaning |\n|---|---|\n";
        for _ in 0..draw.below(6) {
            text += &format!("| {} | `{}` |\n", draw.text(1), draw.text(4));
        }
        text += &format!("\n[{section}]: /page/{}\n\n", draw.below(PAGES));
    }
    text
}

fn be_client(address: SocketAddr, client: usize, requests: usize) -> io::Result<u64> {
    let mut draw = Draw::seeded(100 + client as u64);
    let mut answers = Checksum::EMPTY;
    for _ in 0..requests {
        let own = draw.below(EDITED / CLIENTS) * CLIENTS + client;
        let request = match draw.below(6) {
            0 => format!("PUT /page/{own} HTTP/1.0\r\n\r\n{}", source(own, &mut draw)),
            1 | 2 => format!("GET /page/{own} HTTP/1.0\r\nAccept: text/html\r\n\r\n"),
            _ => format!("GET /page/{} HTTP/1.0\r\n\r\n", EDITED + draw.skewed(PAGES - EDITED)),
        };
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        answers.write(&response);
    }
    Ok(answers.finish())
}
