//! What a gateway writes is for its own user alone, whatever the user's umask says.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::process::Command;

use crate::app::{Caller, Tenant, until};
use crate::process::{Home, free_address};

/// The command with another umask.
fn under_umask(mask: &str, of: &Command) -> Command {
    let of = of.as_std();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("umask {mask} && exec \"$0\" \"$@\"")])
        .arg(of.get_program())
        .args(of.get_args());
    for (name, value) in of.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.kill_on_drop(true);
    command
}

/// Everything below a folder, with its mode.
fn modes(folder: &Path, into: &mut Vec<(PathBuf, u32)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // A temporary file may be gone by now.
        let Ok(about) = std::fs::symlink_metadata(&path) else { continue };
        into.push((path.clone(), about.permissions().mode() & 0o777));
        if about.is_dir() {
            modes(&path, into);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_writes_is_for_its_own_user_alone() {
    let above = tempfile::tempdir().expect("a folder");
    let (data, other) = (above.path().join("data"), above.path().join("elsewhere"));
    // One that was there is left as it was.
    std::fs::create_dir(&other).expect("a folder");
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).expect("its owner may");
    let home = Home {
        dir: data.clone(),
        database: format!("sqlite://{}/wapid.db", other.display()),
        listen: free_address(),
        sandbox: None,
        redis: None,
        master_key: None,
    };
    // The database is made by a command that ends, and used by one that runs on.
    let made = under_umask("000", home.command().args(["tenant", "create", "--name", "shop", "--json"]));
    let made = { made }.output().await.expect("output");
    let keys: serde_json::Value = serde_json::from_slice(&made.stdout).expect("one line of JSON");
    let key = |name: &str| keys[name].as_str().expect("a key").to_owned();
    let process = home.start_with(under_umask("000", &home.command())).await;
    let url = format!("http://{}", home.listen);
    let shop = Tenant {
        live_key: key("liveKey"),
        test: Caller::new(url.clone(), &key("testKey")),
        live: Caller::new(url, &key("liveKey")),
    };
    until("the gateway is ready", || async {
        reqwest::get(format!("http://{}/readyz", home.listen))
            .await
            .ok()
            .filter(|answer| answer.status().is_success())
    })
    .await;
    let session = shop.linked("main", "5511900000001").await;
    let ana = shop.phone("5511900000002").await;
    session.send(&ana.phone, "hello").await.ok();
    // A file that arrives, one that leaves, and a list.
    let file =
        json!({"to": "5511900000001", "type": "document", "mediaBase64": "JVBERi0xLjQ=", "message": ""});
    shop.test.post(&ana.path("/messages"), file).await.ok();
    session.until_events("media.stored", |events| events.first().cloned()).await;
    let file = json!({"to": ana.phone, "type": "document", "mediaBase64": "JVBERi0xLjQKJSVFT0YK", "fileName": "a.pdf"});
    shop.test.post(&session.path("/send"), file).await.ok();
    crate::jobs::lists::form(
        &session,
        "/send-bulk/preview",
        &[("message", "Hi")],
        Some(("l.csv", b"phone\n5511900000002\n".to_vec())),
    )
    .await
    .ok();
    let mut found =
        vec![(data.clone(), std::fs::metadata(&data).expect("it is there").permissions().mode() & 0o777)];
    modes(&data, &mut found);
    modes(&other, &mut found);
    let open: Vec<_> = found.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
    let names: Vec<_> = found.iter().map(|(path, _)| path.display().to_string()).collect();
    for part in
        ["wapid.db", "wapid.db-wal", "sandbox.db", "lock", "master.key", "instance", "uploads", "media"]
    {
        assert!(names.iter().any(|name| name.ends_with(part)), "{part} is not among {names:?}");
    }
    let other = std::fs::metadata(&other).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(other, 0o755);
    process.kill().await;
}
