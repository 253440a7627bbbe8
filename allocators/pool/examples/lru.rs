//! A linked hash map whose entries live in a pool and are named by handles: the order of use is a list
//! through the entries, without a pointer and without `unsafe`.

use std::collections::HashMap;
use std::hash::Hash;

use strata_pool::{Handle, HandlePool};

/// An entry and its neighbours in the order of use.
struct Entry<K, V> {
    key: K,
    value: V,
    newer: Option<Handle<Entry<K, V>>>,
    older: Option<Handle<Entry<K, V>>>,
}

/// The last `room` entries that were used.
struct Lru<K, V> {
    entries: HandlePool<Entry<K, V>>,
    by_key: HashMap<K, Handle<Entry<K, V>>>,
    newest: Option<Handle<Entry<K, V>>>,
    oldest: Option<Handle<Entry<K, V>>>,
    room: usize,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    fn new(room: usize) -> Result<Self, strata_pool::ConfigError> {
        let (entries, by_key) = (HandlePool::new()?, HashMap::new());
        Ok(Self { entries, by_key, newest: None, oldest: None, room })
    }

    /// Takes an entry out of the order.
    fn unlink(&mut self, handle: Handle<Entry<K, V>>) {
        let (newer, older) = (self.entries[handle].newer, self.entries[handle].older);
        match newer {
            Some(newer) => self.entries[newer].older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.entries[older].newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Makes an entry the newest.
    fn link(&mut self, handle: Handle<Entry<K, V>>) {
        let before = self.newest.replace(handle);
        self.entries[handle].newer = None;
        self.entries[handle].older = before;
        match before {
            Some(before) => self.entries[before].newer = Some(handle),
            None => self.oldest = Some(handle),
        }
    }

    fn get(&mut self, key: &K) -> Option<&V> {
        let handle = *self.by_key.get(key)?;
        self.unlink(handle);
        self.link(handle);
        Some(&self.entries[handle].value)
    }

    fn put(&mut self, key: K, value: V) {
        if let Some(&handle) = self.by_key.get(&key) {
            self.entries[handle].value = value;
            self.unlink(handle);
            return self.link(handle);
        }
        if self.by_key.len() == self.room
            && let Some(oldest) = self.oldest
        {
            self.unlink(oldest);
            let gone = self.entries.remove(oldest).expect("the oldest is there");
            self.by_key.remove(&gone.key);
        }
        let entry = Entry { key: key.clone(), value, newer: None, older: None };
        if let Ok(handle) = self.entries.insert(entry) {
            self.by_key.insert(key, handle);
            self.link(handle);
        }
    }
}

fn main() -> Result<(), strata_pool::ConfigError> {
    let mut cache = Lru::new(1000)?;
    let (mut hits, mut seed) = (0, 1_u64);
    for _ in 0..100_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = (seed >> 33) % 1500;
        if cache.get(&key).is_some_and(|value| *value == key * key) {
            hits += 1;
        } else {
            cache.put(key, key * key);
        }
    }
    println!("{hits} hits, {} entries, {:?}", cache.by_key.len(), cache.entries.stats());
    assert_eq!(cache.entries.len(), cache.by_key.len());
    assert!(cache.entries.validate().is_ok());
    Ok(())
}
