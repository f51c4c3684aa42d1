//! `wapid sandbox`: whom its phones obey, and what it says at its start.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(90);
const CHOSEN: &str = "a-token-that-somebody-chose";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wapid"));
    command.arg("sandbox").args(arguments).env_remove("WAPID_SANDBOX_TOKEN").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs until it is dropped; what it says of itself in JSON.
async fn started(mut command: Command) -> (Child, Value) {
    let mut child = command.arg("--json").spawn().expect("wapid starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it says where it listens");
    let line = line.expect("a readable line").expect("a line");
    (child, serde_json::from_str(&line).expect("JSON"))
}

async fn refused(command: &mut Command) -> String {
    let ended: Output =
        tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("wapid runs");
    assert!(!ended.status.success());
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

/// The status of a call that makes a phone, with a token or without.
async fn make_phone(sandbox: &Value, token: Option<&str>) -> u16 {
    // What a gateway in this process would have done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let listen = sandbox["listen"].as_str().expect("an address").replace("0.0.0.0", "127.0.0.1");
    let mut call = http.post(format!("http://{listen}/control/shop/phones"));
    if let Some(token) = token {
        call = call.bearer_auth(token);
    }
    let answer = call.json(&json!({"phone": "5511900000001", "name": "Shop"})).send().await;
    answer.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn the_phones_of_a_sandbox_alone_obey_the_token_that_it_prints() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = |folder: &Path| command(&["--listen", "127.0.0.1:0", "--folder", &folder.to_string_lossy()]);
    let (mut process, first) = started(kept(folder.path())).await;
    let token = first["token"].as_str().expect("a token");
    assert!(token.len() >= 32, "a short token is guessed");
    assert_eq!(make_phone(&first, None).await, 401);
    assert_eq!(make_phone(&first, Some(CHOSEN)).await, 401);
    assert_eq!(make_phone(&first, Some(token)).await, 201);
    process.kill().await.expect("ours");
    let (_process, again) = started(kept(folder.path())).await;
    assert_eq!(again["token"], first["token"], "it is kept with the rest");
    let (_process, other) = started(command(&["--listen", "127.0.0.1:0"])).await;
    assert_ne!(other["token"], first["token"]);
}

#[tokio::test]
async fn a_token_may_be_chosen_and_must_not_be_short() {
    let mut by_environment = command(&["--listen", "127.0.0.1:0"]);
    by_environment.env("WAPID_SANDBOX_TOKEN", CHOSEN);
    let by_option = command(&["--listen", "127.0.0.1:0", "--sandbox-token", CHOSEN]);
    for chosen in [by_environment, by_option] {
        let (_process, sandbox) = started(chosen).await;
        assert_eq!(sandbox["token"], CHOSEN);
        assert_eq!(make_phone(&sandbox, Some(CHOSEN)).await, 201);
    }
    let told = refused(&mut command(&["--listen", "127.0.0.1:0", "--sandbox-token", "secret"])).await;
    assert!(told.contains("at least 16"), "{told}");
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_wapid"));
    gateway.args(["--sandbox-url", "http://127.0.0.1:1", "--sandbox-key", &"0".repeat(64)]);
    let told = refused(gateway.env_remove("WAPID_SANDBOX_TOKEN")).await;
    assert!(told.contains("--sandbox-token"), "{told}");
}

#[tokio::test]
async fn a_sandbox_that_other_machines_reach_says_so() {
    for (listen, is_open) in [("127.0.0.1:0", false), ("0.0.0.0:0", true)] {
        let (mut process, sandbox) = started(command(&["--listen", listen])).await;
        // It warns before it says where it listens.
        process.start_kill().expect("ours");
        let mut warned = String::new();
        process.stderr.take().expect("a pipe").read_to_string(&mut warned).await.expect("reads");
        assert_eq!(warned.contains("where other machines reach it"), is_open, "{sandbox}: {warned}");
        assert!(!warned.contains(sandbox["token"].as_str().expect("a token")), "a log holds the token");
    }
}
