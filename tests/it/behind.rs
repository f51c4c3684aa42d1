//! Behind a proxy: nginx, Caddy and HAProxy with the files of `deploy/`, and an nginx that was told nothing.
//!
//! Of those files the tests change the addresses and where certificates lie, and nothing else.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::app::{Engine, Tenant, TestApp, until};
use crate::authority::Authority;
use crate::process::free_address;

const SITE: &str = "chat.shop.example";
const UPLOAD: usize = 50 << 20;
/// More than nginx lets through by itself.
const BEYOND_NGINX: usize = 2 << 20;
/// How late an event may be: HAProxy's own delay is 200 ms.
const AT_ONCE: Duration = Duration::from_millis(150);

/// A proxy in front of a gateway, gone with this.
struct Front {
    child: Child,
    http: reqwest::Client,
    url: String,
    authority: std::path::PathBuf,
    folder: tempfile::TempDir,
}

/// Fills in where this machine differs from the one of the file; what is filled in must be there.
fn filled_in(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

impl Front {
    /// `command` is given the folder of the certificates, the proxy's own port and the gateway's address.
    async fn of(
        listen: &str,
        gateway: SocketAddr,
        command: impl FnOnce(&Path, &str, &str) -> Command,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("Our authority");
        let (root, server) = (authority.file(folder.path()), authority.vouch(folder.path(), SITE));
        let both = [&server.certificate, &server.key].map(|file| std::fs::read_to_string(file).expect("PEM"));
        std::fs::write(folder.path().join("both.pem"), both.concat()).expect("a file");
        let (_, port) = listen.rsplit_once(':').expect("a port");
        let child = command(folder.path(), port, &gateway.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the proxy runs; `./test` installs it");
        until("the proxy listens", || async { tokio::net::TcpStream::connect(listen).await.ok() }).await;
        let trusted = reqwest::Certificate::from_pem(&std::fs::read(&root).expect("PEM")).expect("PEM");
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .tls_certs_only([trusted])
            .resolve(SITE, listen.parse().expect("an address"))
            .build()
            .expect("a client");
        Self { child, http, url: format!("https://{SITE}:{port}/wapid"), authority: root, folder }
    }

    async fn get(&self, tenant: &Tenant, path: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.url));
        request.header("X-API-Key", &tenant.test.key).send().await.expect("an answer")
    }

    async fn post(&self, tenant: &Tenant, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).header("X-API-Key", &tenant.test.key);
        let answer = request.json(&body).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What `curl` is answered, as whoever writes scripts calls it.
    async fn curl(&self, tenant: &Tenant, path: &str, arguments: &[&str]) -> Value {
        let (_, port) = self.url.strip_suffix("/wapid").and_then(|url| url.rsplit_once(':')).expect("a port");
        let output = Command::new("curl")
            .args(["-sS", "--noproxy", "*", "--resolve", &format!("{SITE}:{port}:127.0.0.1"), "--cacert"])
            .arg(&self.authority)
            .args(["-H", &format!("X-API-Key: {}", tenant.test.key)])
            .args(arguments)
            .arg(format!("{}{path}", self.url))
            .output()
            .await
            .expect("curl runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("no JSON: {}\n{told}", String::from_utf8_lossy(&output.stdout));
        })
    }
}

/// A gateway that knows where the world finds it.
async fn gateway(listen: &str) -> TestApp {
    let (_, port) = listen.rsplit_once(':').expect("a port");
    let url = format!("https://{SITE}:{port}/wapid");
    TestApp::with(Engine::Sqlite, |config| config.public_url = Some(url.parse().expect("a site"))).await
}

/// A gateway, and a proxy in front of it: see [`Front::of`].
async fn fronted(command: impl FnOnce(&Path, &str, &str) -> Command) -> (TestApp, Front) {
    let listen = free_address();
    let app = gateway(&listen).await;
    let front = Front::of(&listen, app.gateway().address, command).await;
    (app, front)
}

/// HAProxy with these settings.
fn haproxy(folder: &Path, settings: &str) -> Command {
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, settings).expect("a file");
    let program = if Path::new("/usr/sbin/haproxy").exists() { "/usr/sbin/haproxy" } else { "haproxy" };
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(file);
    command
}

/// Everything that is not a plain request and its answer.
async fn works(app: &TestApp, front: &mut Front) {
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    shop.phone("5511900000002").await;
    let send = json!({"to": "5511900000002", "message": "through a proxy"});
    front.post(&shop, "/api/whatsapp/session/main/send", send).await;
    assert_eq!(front.get(&shop, "/metrics").await.status(), 404, "metrics are for this machine");
    assert_eq!(front.get(&shop, "/no/such").await.json::<Value>().await.unwrap()["code"], "NOT_FOUND");

    let waiting = waits(front, &shop);
    let other = app.tenant("other").await;
    let rest = async {
        events_flow(front, &other).await;
        socket(front, &other).await;
        files(front, &shop).await;
    };
    tokio::join!(waiting, rest);
    session.send("5511900000002", "afterwards").await.ok();
    assert!(front.child.try_wait().expect("our own child").is_none(), "the proxy ended");
}

/// As long as one may wait, and nothing happens.
async fn waits(front: &Front, shop: &Tenant) {
    let begun = Instant::now();
    let answer = front.get(shop, "/api/whatsapp/events?after=now&types=optout.added&wait=50").await;
    assert_eq!(answer.status(), 200, "after {:?}", begun.elapsed());
    assert_eq!(answer.json::<Value>().await.expect("JSON")["events"], json!([]));
    assert!(begun.elapsed() < Duration::from_secs(49), "{:?}", begun.elapsed());
}

async fn opt_out(tenant: &Tenant, last: u8) {
    tenant.test.post("/api/whatsapp/opt-outs", json!({"phone": format!("551190000{last:04}")})).await.ok();
}

async fn events_flow(front: &Front, other: &Tenant) {
    let mut stream = front.get(other, "/api/whatsapp/events/stream").await;
    assert_eq!(
        (stream.status().as_u16(), &stream.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    // The beginning is not what is measured.
    opt_out(other, 1).await;
    next_data(&mut stream).await;
    let mut lateness = Vec::new();
    for last in 2..10 {
        let happened = async {
            opt_out(other, last).await;
            Instant::now()
        };
        let (happened, heard) = tokio::join!(happened, async {
            next_data(&mut stream).await;
            Instant::now()
        });
        lateness.push(heard.saturating_duration_since(happened));
    }
    lateness.sort();
    assert!(lateness[lateness.len() / 2] < AT_ONCE, "{lateness:?}");
}

async fn next_data(stream: &mut reqwest::Response) {
    let mut text = String::new();
    while !(text.contains("data: ") && text.ends_with("\n\n")) {
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await;
        let chunk = chunk.expect("an event in time").expect("the stream goes on").expect("and does not end");
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
}

async fn socket(front: &Front, other: &Tenant) {
    let request = front.http.get(format!("{}/api/whatsapp/events/socket?after=now", front.url));
    let answer = request
        .header("X-API-Key", &other.test.key)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 101);
    let upgraded = answer.upgrade().await.expect("a socket");
    let mut socket = tokio_websockets::ClientBuilder::new().take_over(upgraded);
    opt_out(other, 20).await;
    loop {
        let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("in time");
        let message = message.expect("open").expect("whole");
        match message.as_text() {
            Some(text) if text.contains("optout.added") => return,
            _ => assert!(message.is_ping(), "{message:?}"),
        }
    }
}

async fn files(front: &Front, shop: &Tenant) {
    for (size, name) in [(UPLOAD, "big.pdf"), (BEYOND_NGINX, "small.pdf")] {
        let bytes: Vec<u8> = b"%PDF-1.4\n".iter().copied().chain((0..=250).cycle().take(size)).collect();
        std::fs::write(front.folder.path().join(name), &bytes).expect("a file");
    }
    let file = |name: &str| front.folder.path().join(name).display().to_string();
    let (big, small) = (format!("@{}", file("big.pdf")), format!("@{}", file("small.pdf")));
    let form = format!("file={small};type=application/pdf");
    let pdf = "content-type: application/pdf";
    for (size, arguments) in [
        (UPLOAD, &["-H", pdf, "-H", "Expect: 100-continue", "--data-binary", &big][..]),
        (BEYOND_NGINX, &["-H", pdf, "-H", "Transfer-Encoding: chunked", "--data-binary", &small]),
        (BEYOND_NGINX, &["-F", "type=document", "-F", &form]),
    ] {
        let stored = front.curl(shop, "/api/whatsapp/media?fileName=invoice.pdf", arguments).await;
        assert_eq!(stored["size"], size + b"%PDF-1.4\n".len(), "{arguments:?}: {stored}");
    }
    let stored = front.curl(shop, "/api/whatsapp/media", &["-F", "type=document", "-F", &form]).await;
    let path = format!("/api/whatsapp/media/{}/link", stored["mediaId"].as_str().expect("an id"));
    let link = front.post(shop, &path, json!({})).await["url"].as_str().expect("a URL").to_owned();
    assert!(link.starts_with(&front.url), "{link} leads elsewhere");
    let read = front.http.get(link).send().await.expect("an answer").bytes().await.expect("a file");
    assert!(
        read == std::fs::read(file("small.pdf")).expect("ours"),
        "the file differs: {} bytes",
        read.len()
    );
    let refused = front.curl(shop, "/api/whatsapp/media", &["-F", "type=image", "-F", &form]).await;
    assert!(refused["code"].is_string(), "the gateway's own answer: {refused}");
}

fn nginx(folder: &Path, sites: &str) -> Command {
    std::fs::write(folder.join("site.conf"), sites).expect("a file");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {}/{what};\n", folder.display()))
        .concat();
    let main = format!(
        "daemon off; pid {0}/nginx.pid; error_log {0}/error.log;\nevents {{}}\nhttp {{ access_log off;\n{temporary}include {0}/site.conf; }}\n",
        folder.display()
    );
    let main = if is_root() { format!("user root;\n{main}") } else { main };
    std::fs::write(folder.join("nginx.conf"), main).expect("a file");
    let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    command
}

fn is_root() -> bool {
    let me = std::process::Command::new("id").arg("-u").output().expect("id runs");
    me.stdout.trim_ascii() == b"0"
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_behind_nginx() {
    let (app, mut front) = fronted(|folder, port, gateway| {
        let site = filled_in(
            include_str!("../../deploy/nginx.conf"),
            &[
                ("listen 443", &format!("listen 127.0.0.1:{port}")),
                ("/etc/ssl/chat.shop.example.pem", &path(folder, "server.pem")),
                ("/etc/ssl/chat.shop.example.key", &path(folder, "server.key")),
                ("127.0.0.1:8080", gateway),
            ],
        );
        nginx(folder, &site)
    })
    .await;
    works(&app, &mut front).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_behind_caddy() {
    let (app, mut front) = fronted(|folder, port, gateway| {
        let (certificate, key) = (path(folder, "server.pem"), path(folder, "server.key"));
        let site = format!("{SITE}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}\n");
        let file = filled_in(
            include_str!("../../deploy/Caddyfile"),
            &[("chat.shop.example {\n", &site), ("127.0.0.1:8080", gateway)],
        );
        let settings = folder.join("Caddyfile");
        // No other port of this machine is to be taken, and no authority asked.
        let apart = "{\n\tadmin off\n\tauto_https off\n}\n";
        std::fs::write(&settings, format!("{apart}{file}")).expect("a file");
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(settings);
        command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
        command
    })
    .await;
    works(&app, &mut front).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_behind_haproxy() {
    let (app, mut front) = fronted(|folder, port, gateway| {
        let file = filled_in(
            include_str!("../../deploy/haproxy.cfg"),
            &[
                ("bind :443", &format!("bind 127.0.0.1:{port}")),
                ("/etc/ssl/chat.shop.example.both.pem", &path(folder, "both.pem")),
                ("127.0.0.1:8080", gateway),
            ],
        );
        haproxy(folder, &file)
    })
    .await;
    works(&app, &mut front).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_flow_through_an_nginx_that_was_told_nothing() {
    let (app, front) = fronted(|folder, port, gateway| {
        let (certificate, key) = (path(folder, "server.pem"), path(folder, "server.key"));
        let site = format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
             location /wapid/ {{ proxy_pass http://{gateway}/; }} }}"
        );
        nginx(folder, &site)
    })
    .await;
    let other = app.tenant("other").await;
    events_flow(&front, &other).await;
}

/// Of Debian: 50 s for an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_is_answered_before_haproxy_as_installed_gives_it_up() {
    let (app, front) = fronted(|folder, port, gateway| {
        let file = format!(
            "defaults\n mode http\n timeout connect 5000\n timeout client 50000\n timeout server 50000\n\
             frontend site\n bind 127.0.0.1:{port} ssl crt {}\n http-request replace-path /wapid/(.*) /\\1\n \
             default_backend wapid\nbackend wapid\n server gateway {gateway}\n",
            path(folder, "both.pem")
        );
        haproxy(folder, &file)
    })
    .await;
    let shop = app.tenant("shop").await;
    waits(&front, &shop).await;
}
