//! Values for the shell's own tests.

use tributary_status::{FolderState, FolderStatus, Problem, ProblemAction, ProblemCode, Settings, Snapshot};

/// An engine with nothing set up.
pub fn snapshot() -> Snapshot {
    Snapshot {
        version: "0.1.0".into(),
        event: 0,
        state: FolderState::UpToDate,
        sentence: "Up to date.".into(),
        account: None,
        folders: Vec::new(),
        pairings: Vec::new(),
        peers: Vec::new(),
        problems: Vec::new(),
        settings: Settings::default(),
    }
}

/// A folder with nothing to do.
pub fn folder(path: &str) -> FolderStatus {
    let status = FolderStatus::new(path, FolderState::UpToDate, "Up to date");
    FolderStatus { uuid: "c0ffee00-6d1c-4c5c-9a3e-2f4a9b1d0001".into(), files: 3, bytes: 30, ..status }
}

/// A refused password.
pub fn problem(subject: &str) -> Problem {
    Problem {
        code: ProblemCode::PasswordRefused,
        sentence: format!("{subject} does not accept the password."),
        hint: "Enter it again.".into(),
        since: "2026-11-23T10:00:00Z".into(),
        action: Some(ProblemAction::EnterPassword),
        needs_you: true,
        subject: subject.into(),
    }
}

/// Runs a test on a session bus of its own: the test starts itself again under `dbus-run-session`, because which bus
/// is the session's is in the environment, which tests of one process share.
pub fn on_own_bus(test: &str, body: impl Future<Output = ()>) {
    const INSIDE: &str = "TRIBUTARY_TEST_ON_OWN_BUS";
    if std::env::var_os(INSIDE).is_some() {
        let limit = std::time::Duration::from_secs(30);
        tauri::async_runtime::block_on(async { tokio::time::timeout(limit, body).await.expect("in time") });
        return;
    }
    if !tributary_testkit::need("dbus-run-session") {
        return;
    }
    let status = std::process::Command::new("dbus-run-session")
        .arg("--")
        .arg(std::env::current_exe().expect("tests are a program"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        // No portal, keyring or panel of the person's session may answer.
        .env_remove("DBUS_STARTER_ADDRESS")
        .env_remove("DISPLAY")
        .status()
        .expect("dbus-run-session is installed");
    assert!(status.success(), "{test} failed on its own bus");
}
