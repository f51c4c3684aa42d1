//! Imports point one way. A new arrow fails here, and is either a mistake or a line in ARCHITECTURE.md.

use std::path::{Path, PathBuf};

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Lines of code that name `what`, in files under `under`, except in `allowed`.
fn offenders(under: &str, what: &str, allowed: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    rust_files(&root.join(under), &mut files);
    assert!(!files.is_empty(), "{under} has no files");
    let mut found = vec![];
    for file in files {
        let name = file.strip_prefix(root).expect("under the root").to_string_lossy().into_owned();
        if allowed.iter().any(|allowed| name.starts_with(allowed)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a readable file");
        for (number, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if !code.starts_with("//") && code.contains(what) {
                found.push(format!("{name}:{}: {code}", number + 1));
            }
        }
    }
    found
}

#[test]
fn imports_point_one_way() {
    // (under, must not name, except in)
    let rules: &[(&str, &str, &[&str])] = &[
        ("src", "whatsapp_rust::", &["src/link/whatsapp/"]),
        ("src", "sqlx::", &[]),
        ("src/link", "crate::session", &[]),
        ("src/link", "crate::api", &[]),
        ("src/link", "wapid_core::store", &[]),
        ("src/link", "wapid_sandbox", &[]),
        ("src/session", "crate::api", &[]),
        // What a tenant names is fetched in one place, which vets it. The others go where we name.
        ("src", "reqwest::Client", &["src/outgoing/", "src/link/fetch.rs", "src/cli/"]),
        ("src/outgoing", "crate::", &[]),
        ("src/door", "crate::", &[]),
        // Files go in and out; how they travel is others' business.
        ("src/media", "crate::api", &[]),
        ("src/media", "crate::session", &[]),
        ("src/media", "crate::link", &[]),
        ("src/media", "axum", &[]),
        ("src/media", "wacore", &[]),
        // A page is read and shown; whose text it is below is others' business.
        ("src/preview", "crate::api", &[]),
        ("src/preview", "crate::session", &[]),
        ("src/preview", "crate::link", &[]),
        ("src", "html5gum", &["src/preview/page.rs", "src/recipients/markup.rs"]),
        ("src", "object_store::", &["src/media/shelf/bucket.rs"]),
        ("src/api", "crate::link", &["src/api/sessions.rs"]),
        // Rules are the same for every front: requests, names and statuses are the fronts' own.
        ("src/usecases", "crate::api", &[]),
        ("src/usecases", "axum", &[]),
        ("src/usecases", "utoipa", &[]),
        ("src/usecases", "ApiError", &[]),
        ("src/usecases", "serde(", &[]),
        ("src/usecases", "crate::link", &["src/usecases/sessions.rs"]),
        ("src/caller", "crate::api", &[]),
        ("src/caller", "axum", &[]),
        ("src/session", "crate::usecases", &[]),
        ("src/media", "crate::usecases", &[]),
        ("src/delivery", "crate::usecases", &[]),
        ("src/api", "crate::run", &[]),
        ("src/api", "crate::cli", &[]),
        ("src/api", "wacore", &[]),
        ("src/session", "wacore", &[]),
        ("core/src", "wapid_keystore", &[]),
        ("core/src", "wapid_sandbox", &[]),
        ("core/src", "wapid::", &[]),
        ("core/src", "wacore", &[]),
        ("core/src", "axum", &[]),
        // What an event says is a struct of `event/`, which `openapi.json` describes.
        ("core/src/store", "json!", &[]),
        ("core/src/event", "crate::store", &[]),
        // The ledger is read from the bottom up: its phases know neither the batch nor the calls.
        ("core/src/store/ledger", "super::batch", &["core/src/store/ledger/task.rs"]),
        ("core/src/store/ledger", "super::calls", &["core/src/store/ledger/plans.rs"]),
        ("keystore/src", "wapid_sandbox", &[]),
        ("keystore/src", "whatsapp_rust", &[]),
        ("workers/src", "wapid_keystore", &[]),
        ("workers/src", "wapid_sandbox", &[]),
        ("workers/src", "apalis", &["workers/src/queue.rs"]),
        ("core/src", "wapid_workers", &[]),
        ("src/api", "wapid_workers", &[]),
        ("sandbox/src", "wapid_core", &[]),
        ("sandbox/src", "wapid_keystore", &[]),
        ("sandbox/src", "whatsapp_rust", &[]),
    ];
    let mut found = vec![];
    for (under, what, allowed) in rules {
        for line in offenders(under, what, allowed) {
            found.push(format!("{under} must not name {what}: {line}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn handlers_never_hold_the_unscoped_rows() {
    // What a caller reaches goes through `TenantStore`; `Store` itself is for the caller's key, the
    // clock and health.
    for method in ["all_sessions", "session_by_key", "save_session", "accept(", "settle(", "receive("] {
        let found = offenders("src/api", method, &[]);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn fronts_write_through_use_cases() {
    // What a call may change is decided in `usecases/`, for every front alike.
    let of_jobs = ["create_job", "change_job", "retry_failed"];
    let of_webhooks =
        ["create_endpoint", "change_endpoint", "remove_endpoint", "switch_endpoint", "rotate_secret"];
    let of_missed = ["recover_since", "begin_recovery", "cancel_recovery", "deliver_again"];
    let of_sessions = ["ensure_session"];
    for method in of_jobs.into_iter().chain(of_sessions).chain(of_webhooks).chain(of_missed) {
        let found = offenders("src/api", &format!("store.{method}("), &[]);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let mut names: Vec<_> =
            std::fs::read_dir(dir).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}
