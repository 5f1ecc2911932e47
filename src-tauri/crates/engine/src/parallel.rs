//! The same work on many small things, on several of the machine's cores.

use std::num::NonZero;
use std::thread;

/// Fewer things than this are done before another thread has started.
const FEW: usize = 32;

/// More threads than this wait for the disk, not for a core.
const MOST_THREADS: usize = 4;

/// Does `work` on each of `items`; the results are in their order. Blocks.
///
/// # Panics
/// When `work` does.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(MOST_THREADS).min(items.len() / FEW);
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    thread::scope(|scope| {
        let mut shares = items.chunks(items.len().div_ceil(threads));
        // This thread does its share too.
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> =
            shares.map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<R>>())).collect();
        let mut results: Vec<R> = own.iter().map(work).collect();
        for other in others {
            match other.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_what_they_are_of() {
        for count in [0, 1, FEW - 1, FEW, 2 * FEW, 1_001] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>(), "{count}");
        }
    }
}
