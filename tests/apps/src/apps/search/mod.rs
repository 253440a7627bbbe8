//! A full-text search engine in memory: documents come and go, queries find them.
//!
//! New documents gather in maps of words; every so often these become a segment: an fst of the
//! words, and their postings as compressed pages. Segments of one tier are merged into one of the
//! next. Queries unpack pages into a cache of page buffers; the documents themselves lie packed in
//! pages too, as they would on a disk.

mod pages;
mod segment;
mod store;

use crate::Checksum;
use crate::workload::{Draw, Scale, VOCABULARY, word};
use pages::Pool;
use rustc_hash::FxHashMap;
use segment::Segment;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use store::Store;

const DOCUMENTS: usize = 1800;
const PER_SEGMENT: usize = 40;
const MERGE: usize = 4;

/// Indexes, deletes and searches; the checksum is of what every query found.
pub fn run(scale: Scale) -> u64 {
    let mut draw = Draw::seeded(11);
    let mut found = Checksum::EMPTY;
    let mut engine = Engine::default();
    for document in 0..scale.of(DOCUMENTS) as u32 {
        let words = 30 + draw.skewed(200);
        engine.add(document, draw.text(words));
        if draw.once_in(8) {
            engine.delete(draw.below(document as usize + 1) as u32);
        }
        match draw.below(4) {
            0 => {
                let words = [word(draw.skewed(VOCABULARY)), word(draw.skewed(VOCABULARY))];
                for hit in engine.with_all(&words) {
                    found.text(engine.snippet(hit, &words[0]).as_str());
                }
            }
            1 => {
                let start = word(draw.below(VOCABULARY));
                let mut counts = engine.starting_with(&start[..2]);
                counts.sort_by(|(a, many), (b, few)| few.cmp(many).then(a.cmp(b)));
                for (word, count) in counts.iter().take(10) {
                    found.text(word);
                    found.number(*count as u64);
                }
            }
            _ => {}
        }
    }
    found.number(engine.segments.len() as u64);
    found.finish()
}

/// Where a word stands: documents in order, in each the places in order.
type Postings = BTreeMap<u32, Vec<u32>>;

#[derive(Default)]
struct Engine {
    /// Packed texts; those of deleted documents are gone.
    texts: Store,
    fresh: FxHashMap<String, Postings>,
    fresh_documents: usize,
    segments: Vec<Segment>,
    pool: Pool,
}

impl Engine {
    fn add(&mut self, document: u32, text: String) {
        for (place, word) in words(&text).enumerate() {
            if !self.fresh.contains_key(word) {
                self.fresh.insert(word.to_owned(), Postings::new());
            }
            let postings = self.fresh.get_mut(word).expect("it is there now");
            postings.entry(document).or_default().push(place as u32);
        }
        self.texts.put(document, &lz4_flex::compress_prepend_size(text.as_bytes()), &mut self.pool);
        self.fresh_documents += 1;
        if self.fresh_documents == PER_SEGMENT {
            self.fresh_documents = 0;
            let words = std::mem::take(&mut self.fresh).into_iter().collect();
            self.segments.push(Segment::write(words, 0, &mut self.pool));
            self.merge();
        }
    }

    fn delete(&mut self, document: u32) {
        self.texts.remove(document, &mut self.pool);
    }

    /// Merges the last segments as long as `MERGE` of them are of one tier.
    fn merge(&mut self) {
        while let Some(start) = self.segments.len().checked_sub(MERGE) {
            let tier = self.segments[start].tier;
            if self.segments[start..].iter().any(|segment| segment.tier != tier) {
                return;
            }
            let mut words: BTreeMap<String, Postings> = BTreeMap::new();
            for segment in self.segments.split_off(start) {
                for (word, mut postings) in segment.read_all(&mut self.pool) {
                    postings.retain(|document, _| self.texts.has(*document));
                    words.entry(word).or_default().append(&mut postings);
                }
                segment.give_back(&mut self.pool);
            }
            words.retain(|_, postings| !postings.is_empty());
            self.segments.push(Segment::write(words, tier + 1, &mut self.pool));
        }
    }

    /// The documents that have all these words.
    fn with_all(&mut self, words: &[String]) -> BTreeSet<u32> {
        let mut hits: Option<BTreeSet<u32>> = None;
        for word in words {
            let mut documents: BTreeSet<u32> =
                self.fresh.get(word).into_iter().flat_map(|found| found.keys().copied()).collect();
            for segment in &self.segments {
                documents.extend(segment.find(word, &mut self.pool).into_keys());
            }
            documents.retain(|document| self.texts.has(*document));
            hits = Some(match hits {
                Some(before) => before.intersection(&documents).copied().collect(),
                None => documents,
            });
        }
        hits.unwrap_or_default()
    }

    /// The indexed words with this start, and in how many documents each stands or stood.
    fn starting_with(&mut self, start: &str) -> Vec<(String, usize)> {
        let mut counts: FxHashMap<String, usize> = FxHashMap::default();
        for (word, postings) in self.fresh.iter().filter(|(word, _)| word.starts_with(start)) {
            *counts.entry(word.clone()).or_default() += postings.len();
        }
        for segment in &self.segments {
            for word in segment.starting_with(start) {
                let documents = segment.documents(&word, &mut self.pool);
                *counts.entry(word).or_default() += documents;
            }
        }
        counts.into_iter().collect()
    }

    /// The text around the first `word` of a document.
    fn snippet(&self, document: u32, word: &str) -> String {
        let text =
            lz4_flex::decompress_size_prepended(self.texts.get(document)).expect("add packed it");
        let text = String::from_utf8(text).expect("add packed a string");
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let place = words.iter().position(|at| at.trim_end_matches('.') == word).unwrap_or(0);
        words[place.saturating_sub(4)..words.len().min(place + 5)].join(" ")
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace().map(|word| word.trim_end_matches('.'))
}
