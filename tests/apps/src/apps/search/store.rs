//! The packed texts of documents, in pages.

use super::pages::{PAGE, Page, Pool};
use rustc_hash::FxHashMap;

/// Texts one behind the other in pages. A page whose texts are all gone is given back.
#[derive(Default)]
pub(super) struct Store {
    places: FxHashMap<u32, Place>,
    pages: Vec<Option<Held>>,
}

/// Where a text lies.
struct Place {
    page: usize,
    start: usize,
    len: usize,
}

struct Held {
    page: Box<Page>,
    filled: usize,
    texts: usize,
}

impl Store {
    /// Keeps a text, which fits in a page.
    pub(super) fn put(&mut self, document: u32, text: &[u8], pool: &mut Pool) {
        let fits = |held: &Held| held.filled + text.len() <= PAGE;
        if !self.pages.last().and_then(Option::as_ref).is_some_and(fits) {
            self.pages.push(Some(Held { page: pool.take(), filled: 0, texts: 0 }));
        }
        let page = self.pages.len() - 1;
        let held = self.pages[page].as_mut().expect("it was just looked at");
        let start = held.filled;
        held.filled += text.len();
        held.texts += 1;
        held.page.0[start..held.filled].copy_from_slice(text);
        self.places.insert(document, Place { page, start, len: text.len() });
    }

    /// The text of a document there is.
    pub(super) fn get(&self, document: u32) -> &[u8] {
        let &Place { page, start, len } = &self.places[&document];
        &self.pages[page].as_ref().expect("it has texts").page.0[start..start + len]
    }

    pub(super) fn has(&self, document: u32) -> bool {
        self.places.contains_key(&document)
    }

    /// Forgets a document, if there is such.
    pub(super) fn remove(&mut self, document: u32, pool: &mut Pool) {
        let Some(place) = self.places.remove(&document) else { return };
        let held = &mut self.pages[place.page];
        let texts = &mut held.as_mut().expect("it has texts").texts;
        *texts -= 1;
        if *texts == 0 {
            pool.give_back(held.take().expect("it has a page").page);
        }
    }
}
