//! Memory: limits for what libgit2 keeps, and giving back what a storm of work left behind.
//!
//! Both settle for the whole process. Left alone, libgit2 keeps up to 256 MiB of objects that it read and maps packs as
//! a whole, and glibc has a heap for each thread and keeps there what was freed: tens of MiB that a program in the tray
//! should not hold.
#![allow(unsafe_code)]

use std::sync::Once;

/// Objects that libgit2 keeps after it read them, bytes: the trees of a large folder's way from the top to a file.
const CACHE: libc::ssize_t = 4 << 20;

/// What of packs is mapped at a time, bytes, and in pieces of what size.
const MAPPED: (usize, usize) = (32 << 20, 1 << 20);

/// Freed memory that is worth giving back, bytes.
#[cfg(target_env = "gnu")]
const WORTH_TRIMMING: usize = 4 << 20;

/// Limits what libgit2 and the allocator keep. To be called at the very start, before there are threads; later calls do
/// nothing.
pub fn limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // One heap instead of one for each thread: measured after 10,000 files, half the memory and no more time.
        #[cfg(target_env = "gnu")]
        // SAFETY: takes two integers, and locks what it changes.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
        // SAFETY: these write plain integers that libgit2 reads when it opens a pack or caches an object. They ask to
        // be called while no other thread does; here no repository is open yet, and `Once` keeps the calls apart.
        let set = unsafe {
            git2::opts::set_cache_max_size(CACHE)
                .and_then(|()| git2::opts::set_mwindow_size(MAPPED.1))
                .and_then(|()| git2::opts::set_mwindow_mapped_limit(MAPPED.0))
        };
        if let Err(error) = set {
            tracing::warn!(%error, "libgit2's memory cannot be limited");
        }
    });
}

/// Gives memory that was freed back to the system, when there is enough of it. Takes a moment: not for hot paths.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: neither takes a pointer; both lock the allocator's arenas themselves.
    unsafe {
        if libc::mallinfo2().fordblks > WORTH_TRIMMING {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_goes_back_to_the_system() {
        limit();
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
        };
        // Small pieces, and one that is kept behind them, so that the allocator cannot give them back by itself.
        let many: Vec<Vec<u8>> = (0..400_000).map(|_| vec![1; 100]).collect();
        let kept = vec![2_u8; 100];
        drop(many);
        let before = resident();
        give_back();
        assert!(resident() + (20 << 20) < before, "{before} bytes before, {} after", resident());
        drop(kept);
    }
}
