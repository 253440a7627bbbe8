//! A part of the index that no longer changes.

use super::Postings;
use super::pages::{PAGE, Page, Pool};
use fst::automaton::{Automaton, Str};
use fst::{IntoStreamer, Map, MapBuilder, Streamer};

/// Words in order, and their postings behind one another, cut into pages that are packed apart.
pub(super) struct Segment {
    /// How many merges it comes from.
    pub(super) tier: u32,
    /// From a word to where its postings start in the unpacked bytes.
    words: Map<Vec<u8>>,
    packed: Vec<Vec<u8>>,
    /// The pages read last, unpacked.
    cache: std::cell::RefCell<Vec<(usize, Box<Page>)>>,
}

const CACHED: usize = 12;

impl Segment {
    /// Packs words with their postings.
    pub(super) fn write(
        words: std::collections::BTreeMap<String, Postings>,
        tier: u32,
        pool: &mut Pool,
    ) -> Self {
        let mut starts = MapBuilder::memory();
        let mut writer = Writer { packed: Vec::new(), page: pool.take(), filled: 0 };
        for (word, postings) in &words {
            starts.insert(word, writer.written()).expect("a tree gives its words in order");
            writer.number(postings.len() as u32);
            let mut last_document = 0;
            for (&document, places) in postings {
                writer.number(document - last_document);
                writer.number(places.len() as u32);
                let mut last_place = 0;
                for &place in places {
                    writer.number(place - last_place);
                    last_place = place;
                }
                last_document = document;
            }
        }
        let packed = writer.finish(pool);
        let words = Map::new(starts.into_inner().expect("memory takes every byte"));
        let words = words.expect("the builder made it");
        Self { tier, words, packed, cache: Default::default() }
    }

    /// The postings of a word, empty if it does not occur.
    pub(super) fn find(&self, word: &str, pool: &mut Pool) -> Postings {
        self.words.get(word).map_or_else(Postings::new, |start| self.read(start, pool))
    }

    /// In how many documents a word occurs.
    pub(super) fn documents(&self, word: &str, pool: &mut Pool) -> usize {
        self.words.get(word).map_or(0, |start| self.number(&mut (start as usize), pool) as usize)
    }

    /// The words that start so.
    pub(super) fn starting_with(&self, start: &str) -> Vec<String> {
        let matching = self.words.search(Str::new(start).starts_with()).into_stream();
        matching.into_str_keys().expect("the words were strings")
    }

    /// Every word with its postings.
    pub(super) fn read_all(&self, pool: &mut Pool) -> Vec<(String, Postings)> {
        let mut all = Vec::new();
        let mut words = self.words.stream();
        while let Some((word, start)) = words.next() {
            let word = String::from_utf8(word.to_vec()).expect("the words were strings");
            all.push((word, self.read(start, pool)));
        }
        all
    }

    /// Ends the segment; its unpacked pages return to the pool.
    pub(super) fn give_back(self, pool: &mut Pool) {
        for (_, page) in self.cache.into_inner() {
            pool.give_back(page);
        }
    }

    fn read(&self, start: u64, pool: &mut Pool) -> Postings {
        let mut at = start as usize;
        let mut postings = Postings::new();
        let mut document = 0;
        for _ in 0..self.number(&mut at, pool) {
            document += self.number(&mut at, pool);
            let mut place = 0;
            let places = (0..self.number(&mut at, pool))
                .map(|_| {
                    place += self.number(&mut at, pool);
                    place
                })
                .collect();
            postings.insert(document, places);
        }
        postings
    }

    /// Reads a number, seven bits a byte, the last byte without its top bit.
    fn number(&self, at: &mut usize, pool: &mut Pool) -> u32 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = self.byte(*at, pool);
            *at += 1;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    fn byte(&self, at: usize, pool: &mut Pool) -> u8 {
        let (wanted, offset) = (at / PAGE, at % PAGE);
        let mut cache = self.cache.borrow_mut();
        if let Some(place) = cache.iter().rposition(|(number, _)| *number == wanted) {
            let newest = cache.len() - 1;
            cache.swap(place, newest);
            return cache[newest].1.0[offset];
        }
        let mut page = pool.take();
        lz4_flex::decompress_into(&self.packed[wanted], &mut page.0).expect("write packed it");
        let byte = page.0[offset];
        if cache.len() == CACHED {
            pool.give_back(cache.remove(0).1);
        }
        cache.push((wanted, page));
        byte
    }
}

struct Writer {
    packed: Vec<Vec<u8>>,
    page: Box<Page>,
    filled: usize,
}

impl Writer {
    fn written(&self) -> u64 {
        (self.packed.len() * PAGE + self.filled) as u64
    }

    fn number(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn byte(&mut self, byte: u8) {
        self.page.0[self.filled] = byte;
        self.filled += 1;
        if self.filled == PAGE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.packed.push(lz4_flex::compress(&self.page.0[..self.filled]));
        self.filled = 0;
    }

    fn finish(mut self, pool: &mut Pool) -> Vec<Vec<u8>> {
        if self.filled > 0 {
            self.flush();
        }
        pool.give_back(self.page);
        self.packed
    }
}
