//! What the program costs while nobody looks at it.

use std::fs;

use tributary_testkit::{Desktop, eventually, need_all, run, within};

use crate::shell::{Computer, LIMIT};

/// What the shell may hold with no window open, bytes.
const BUDGET: u64 = 120 << 20;
/// What the code of an unoptimised build takes more of it.
const UNOPTIMISED: u64 = if cfg!(debug_assertions) { 40 << 20 } else { 0 };

#[test]
fn a_closed_window_leaves_no_process_behind() {
    if !need_all(Desktop::NEEDS) {
        return;
    }
    let mut computer = Computer::new();
    computer.start_hidden();
    let shell = computer.pid();
    assert_eq!(family(shell), [shell], "there was no window yet");
    assert!(memory(shell) <= BUDGET + UNOPTIMISED, "{} MiB before a window was open", memory(shell) >> 20);

    for _ in 0..2 {
        // A second start shows the window of the first.
        run(computer.command(Computer::program())).ok();
        computer.desktop.await_window("Tributary", LIMIT);
        eventually(LIMIT, "the window has a page", || (family(shell).len() > 1).then_some(()));
        computer.desktop.press_key("alt+F4");
        if within(LIMIT, || (family(shell) == [shell]).then_some(())).is_none() {
            panic!("it has processes left: {:?}", family(shell).into_iter().map(name).collect::<Vec<_>>());
        }
    }
    assert!(memory(shell) <= BUDGET + UNOPTIMISED, "{} MiB after the window was closed", memory(shell) >> 20);
}

/// The proportional share of a process and its children in the machine's memory, bytes. One that ends meanwhile has none.
fn memory(shell: u32) -> u64 {
    let share = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    };
    family(shell).into_iter().filter_map(share).sum()
}

/// What the system calls a process.
fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// A process and its children: those of the web view are not started by others in between.
fn family(shell: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("the system tells of its processes");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.is_some_and(|parent| parent.trim() == shell.to_string())
    };
    pids.filter(|pid| *pid == shell || is_child(pid)).collect()
}
