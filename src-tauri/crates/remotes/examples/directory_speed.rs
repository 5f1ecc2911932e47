//! How fast the directory remote is: 10,000 contents of 1 KiB and one of 1 GiB, stored, flushed and retrieved.
//!
//! `cargo run --release -p tributary-remotes --example directory_speed [small|large]`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for a person's eyes")]

use std::sync::Arc;
use std::time::Instant;

use tributary_formats::{Backend, Key, KeyHasher, RepoUuid};
use tributary_remotes::{
    Download, LocalSettings, Meter, NoChunkRecords, RemoteName, Unverifiable, Upload, from_config,
};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let which = std::env::args().nth(1);
    let wanted = |name: &str| which.as_deref().is_none_or(|which| which == name);
    if wanted("small") {
        runtime.block_on(measure("10,000 x 1 KiB", 10_000, 1024));
    }
    if wanted("large") {
        runtime.block_on(measure("1 x 1 GiB", 1, 1 << 30));
    }
}

async fn measure(name: &str, count: usize, size: usize) {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["source", "place", "partial"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let backend = Backend::parse("SHA256E").unwrap();
    let mut content = vec![7; size];
    let keys: Vec<Key> = (0..count)
        .map(|number| {
            content[..8].copy_from_slice(&(number as u64).to_le_bytes());
            let mut hasher = KeyHasher::new(&backend).unwrap();
            hasher.update(&content);
            let key = hasher.finish(b"f.dat");
            std::fs::write(dir.path().join("source").join(key.to_string()), &content).unwrap();
            key
        })
        .collect();
    rustix::fs::sync();
    let config = [("type", "directory"), ("encryption", "none")].into_iter().collect();
    let local = LocalSettings {
        name: RemoteName::new("usb"),
        repository: RepoUuid::parse("here").unwrap(),
        directory: Some(dir.path().join("place")),
        marked: false,
        cost: None,
        chunk_records: Arc::new(NoChunkRecords),
    };
    let remote = from_config(&RepoUuid::parse("there").unwrap(), &config, &local).unwrap();
    let upload = |key: &Key| Upload {
        key: key.clone(),
        source: dir.path().join("source").join(key.to_string()),
        meter: Meter::silent(),
    };
    let before = cpu_seconds();
    let start = Instant::now();
    for stored in remote.store_many(keys.iter().map(upload).collect()).await {
        stored.unwrap();
    }
    let stored = start.elapsed();
    let cpu = cpu_seconds() - before;
    remote.flush().await.unwrap();
    let flushed = start.elapsed();
    let download = |key: &Key| Download {
        key: key.clone(),
        partial: dir.path().join("partial").join(key.to_string()),
        unverifiable: Unverifiable::Refuse,
        meter: Meter::silent(),
    };
    let start = Instant::now();
    for file in remote.retrieve_many(keys.iter().map(download).collect()).await {
        file.unwrap();
    }
    let retrieved = start.elapsed();
    println!(
        "{name}: stored {stored:.2?} ({cpu:.2} s of processor), with flush {flushed:.2?}; retrieved {retrieved:.2?}"
    );
}

/// Processor time of this process, user and system: what a busy machine does not change.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
