//! How long files are kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use wapid_core::clock::{At, Clock};

use super::MEDIA;
use crate::app::{Engine, TestApp, until};

/// The files of blobs that lie in a gateway's data folder.
pub fn blobs(dir: &Path) -> Vec<PathBuf> {
    let mut folders = vec![dir.join("media")];
    let mut found = vec![];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// Each start tidies.
async fn start_again(app: &mut TestApp) {
    app.stop().await;
    app.start().await;
}

async fn files_are_kept_as_long_as_the_tenant_says(engine: Engine) {
    let clock = Clock::manual(At(1_772_965_800_000));
    let mut app = TestApp::with_clock(engine, clock).await;
    let (keep, forget) = (app.tenant("keep").await, app.tenant("forget").await);
    let settings = forget.test.get("/api/whatsapp/settings").await.ok();
    assert_eq!(settings["mediaKeepDays"], 30);
    for days in [0, 3_651] {
        let wrong = json!({"mediaKeepDays": days});
        forget.test.put("/api/whatsapp/settings", wrong).await.refused(400, "INVALID_REQUEST");
    }
    let settings = forget.test.put("/api/whatsapp/settings", json!({"mediaKeepDays": 2})).await.ok();
    assert_eq!(settings["mediaKeepDays"], 2);
    let kept = keep.test.upload("", "text/plain", "kept").await.ok();
    assert_eq!(kept["expiresAt"], "2026-04-07T10:30:00.000Z");
    let gone = forget.test.upload("", "text/plain", "gone").await.ok();
    assert_eq!(gone["expiresAt"], "2026-03-10T10:30:00.000Z");
    assert_eq!(blobs(app.dir.path()).len(), 2);

    app.clock.advance(Duration::from_secs(2 * 86_400));
    start_again(&mut app).await;
    let dir = app.dir.path().to_owned();
    until("one file is left", || async { (blobs(&dir).len() == 1).then_some(()) }).await;
    // Its address is another one by now.
    let forget = crate::app::Caller::new(app.url(), &forget.test.key);
    let keep = crate::app::Caller::new(app.url(), &keep.test.key);
    let id = |media: &serde_json::Value| media["mediaId"].as_str().expect("an id").to_owned();
    forget.get(&format!("{MEDIA}/{}", id(&gone))).await.refused(404, "MEDIA_NOT_FOUND");
    assert_eq!(forget.get(MEDIA).await.ok(), json!({"media": [], "used": 0}));
    assert_eq!(keep.content(&kept).await, b"kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_as_long_as_the_tenant_says_on_sqlite() {
    files_are_kept_as_long_as_the_tenant_says(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_as_long_as_the_tenant_says_on_postgres() {
    files_are_kept_as_long_as_the_tenant_says(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_databases_in_one_folder_leave_each_other_alone() {
    let clock = Clock::manual(At(1_772_965_800_000));
    let mut app = TestApp::with_clock(Engine::Sqlite, clock).await;
    let shop = app.tenant("shop").await;
    let media = shop.test.upload("", "text/plain", "mine").await.ok();
    app.stop().await;
    let (first, second) = (app.config.database_url.clone(), app.dir.path().join("second.db"));
    app.config.database_url = Some(format!("sqlite://{}", second.display()).into());
    app.clock.advance(Duration::from_secs(2 * 3_600));
    app.start().await;
    let stranger = app.tenant("stranger").await;
    stranger.test.upload("", "text/plain", "theirs").await.ok();
    app.gateway().media.tidy(app.clock.now()).await.expect("it tidies");
    app.stop().await;
    app.config.database_url = first;
    app.start().await;
    let shop = crate::app::Caller::new(app.url(), &shop.test.key);
    assert_eq!(shop.content(&media).await, b"mine");
    assert_eq!(blobs(app.dir.path()).len(), 2);
}
