//! Answers that are kept, for requests that come again byte by byte. Off unless asked for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::error::{Code, Result};

/// What the cache holds and how it was used since it was last resized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Requests that were answered from the cache.
    pub hits: u64,
    /// Requests that were not.
    pub misses: u64,
    /// The number of answers that are kept.
    pub entries: usize,
    /// The bytes that they take, with their requests.
    pub bytes: usize,
    /// The most bytes that they may take; 0 when the cache is off.
    pub capacity: usize,
}

/// The least recently used answers go first.
struct Cache {
    answers: LruCache<Box<[u8]>, Result<Box<str>>>,
    stats: CacheStats,
}

static CACHE: Mutex<Option<Cache>> = Mutex::new(None);

/// The capacity, to be looked at without the lock.
static CAPACITY: AtomicUsize = AtomicUsize::new(0);

/// What an entry takes beside its texts, about.
const OVERHEAD: usize = 160;

fn lock() -> MutexGuard<'static, Option<Cache>> {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Empties the cache and lets it take up to `capacity` bytes; 0, as at the beginning, turns it off.
pub fn resize_cache(capacity: usize) {
    let mut cache = lock();
    CAPACITY.store(capacity, Ordering::Relaxed);
    *cache = (capacity > 0).then(|| Cache {
        answers: LruCache::unbounded(),
        stats: CacheStats { capacity, ..CacheStats::default() },
    });
}

/// What the cache holds and how it was used.
pub fn cache_stats() -> CacheStats {
    lock().as_ref().map(|cache| cache.stats).unwrap_or_default()
}

/// Whether answers are kept.
pub(super) fn is_on() -> bool {
    CAPACITY.load(Ordering::Relaxed) > 0
}

/// The answer to a request that was asked before.
pub(super) fn get(request: &[u8]) -> Option<Result<String>> {
    let mut guard = lock();
    let cache = guard.as_mut()?;
    let found = cache.answers.get(request).cloned();
    match &found {
        Some(_) => cache.stats.hits += 1,
        None => cache.stats.misses += 1,
    }
    found.map(|answer| answer.map(String::from))
}

/// Keeps an answer or an error that would be the same again.
pub(super) fn put(request: &[u8], answer: &Result<String>) {
    let text = match answer {
        Ok(text) => text.len(),
        Err(e) if matches!(e.code, Code::Timeout | Code::Budget | Code::Cancelled | Code::Internal) => return,
        Err(e) => e.message.len(),
    };
    let size = |request: usize, text: usize| request + text + OVERHEAD;
    let mut guard = lock();
    let Some(Cache { answers, stats }) = guard.as_mut() else { return };
    let bytes = size(request.len(), text);
    if bytes > stats.capacity || answers.contains(request) {
        return;
    }
    answers.put(request.into(), answer.clone().map(String::into_boxed_str));
    stats.bytes += bytes;
    while stats.bytes > stats.capacity
        && let Some((request, answer)) = answers.pop_lru()
    {
        stats.bytes -= size(request.len(), answer.map_or_else(|e| e.message.len(), |text| text.len()));
    }
    stats.entries = answers.len();
}
