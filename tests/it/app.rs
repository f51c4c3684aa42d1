//! A gateway with its sandbox, in this process, and a caller's view of it.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use clap::Parser as _;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wapid::config::Config;
use wapid::run::Gateway;
use wapid_core::clock::Clock;
use wapid_core::store::tenants::NewTenant;

use crate::description::{Heard, expect_described, expect_described_event};

/// How long anything may take before a test gives up on it.
const DEADLINE: Duration = Duration::from_secs(30);

/// Which engine a test runs on. Every promise holds on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs one async body as two tests, one per engine.
#[macro_export]
macro_rules! on_both_engines {
    ($(#[$meta:meta])* async fn $name:ident($app:ident: $ty:ty) $body:block) => {
        mod $name {
            use super::*;
            async fn story($app: $ty) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                story($crate::app::TestApp::on($crate::app::Engine::Sqlite).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                story($crate::app::TestApp::on($crate::app::Engine::Postgres).await).await;
            }
        }
    };
}

/// A database of one test, dropped with it.
pub struct Database {
    pub url: String,
    admin: Option<(String, String)>,
}

impl Database {
    /// # Panics
    /// On Postgres without `WAPID_TEST_POSTGRES`: `./test` starts one.
    pub async fn new(engine: Engine, dir: &std::path::Path) -> Self {
        if engine == Engine::Sqlite {
            return Self { url: format!("sqlite://{}", dir.join("wapid.db").display()), admin: None };
        }
        let server = std::env::var("WAPID_TEST_POSTGRES")
            .expect("WAPID_TEST_POSTGRES names a Postgres server; `./test` starts one and sets it");
        let name = format!("wapid_it_{}", hex::encode(rand::random::<[u8; 8]>()));
        execute(&server, format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&server).expect("WAPID_TEST_POSTGRES is a URL");
        url.set_path(&name);
        Self { url: url.into(), admin: Some((server, name)) }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((server, name)) = self.admin.take() else { return };
        // A thread of its own: a runtime may be ending around us.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(execute(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
            }
        });
        let _ = dropped.join();
    }
}

async fn execute(server: &str, sql: String) {
    use sqlx::{AssertSqlSafe, Connection as _};
    let mut connection = sqlx::PgConnection::connect(server).await.expect("the test Postgres answers");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the statement is right");
}

/// A running gateway.
pub struct TestApp {
    gateway: Option<Gateway>,
    pub config: Config,
    pub clock: Clock,
    pub dir: tempfile::TempDir,
    pub database: Database,
}

#[derive(clap::Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// A gateway's settings for a test, on a free port. Its webhooks may go to this machine.
pub fn settings(dir: &std::path::Path, database_url: &str) -> Config {
    let dir = dir.to_str().expect("a temporary path is UTF-8");
    let arguments = [
        "wapid",
        "--data-dir",
        dir,
        "--database-url",
        database_url,
        "--listen",
        "127.0.0.1:0",
        "--ssrf-allow",
        "127.0.0.1",
    ];
    Settings::parse_from(arguments).config
}

impl TestApp {
    /// Does something to the database that no caller could.
    pub async fn execute(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.database.url.starts_with("postgres") {
            let pool = sqlx::PgPool::connect(&self.database.url).await.expect("the database opens");
            sqlx::raw_sql(sql).execute(&pool).await.expect("the statement is right");
        } else {
            let pool = sqlx::SqlitePool::connect(&self.database.url).await.expect("the database opens");
            sqlx::raw_sql(sql).execute(&pool).await.expect("the statement is right");
        }
    }

    pub async fn new() -> Self {
        Self::on(Engine::Sqlite).await
    }

    pub async fn on(engine: Engine) -> Self {
        Self::with(engine, |_| {}).await
    }

    /// With settings of its own.
    pub async fn with(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        Self::build(engine, Clock::System, change).await
    }

    /// With a clock that the test turns.
    pub async fn with_clock(engine: Engine, clock: Clock) -> Self {
        Self::build(engine, clock, |_| {}).await
    }

    pub async fn build(engine: Engine, clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let database = Database::new(engine, dir.path()).await;
        let mut config = settings(dir.path(), &database.url);
        change(&mut config);
        let mut app = Self { gateway: None, config, clock, dir, database };
        app.start().await;
        app
    }

    /// Starts the gateway (again), on the same data.
    pub async fn start(&mut self) {
        let gateway = Gateway::start(&self.config, self.clock.clone()).await.expect("the gateway starts");
        self.gateway = Some(gateway);
    }

    /// Stops it as SIGTERM does.
    pub async fn stop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
    }

    pub fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("the gateway runs")
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.gateway().address)
    }

    /// A tenant without limits, with its keys.
    pub async fn tenant(&self, name: &str) -> Tenant {
        self.tenant_with(name, "UTC", None, None).await
    }

    pub async fn tenant_with(
        &self,
        name: &str,
        time_zone: &str,
        daily_limit: Option<i64>,
        session_limit: Option<i64>,
    ) -> Tenant {
        let new = NewTenant {
            id: None,
            name: name.to_owned(),
            time_zone: time_zone.to_owned(),
            daily_limit,
            session_limit,
        };
        let (_, live, test) = self.gateway().store.create_tenant(new).await.expect("a tenant");
        Tenant {
            live_key: live.reveal().to_owned(),
            test: Caller::new(self.url(), test.reveal()),
            live: Caller::new(self.url(), live.reveal()),
        }
    }
}

/// A tenant's two callers.
pub struct Tenant {
    pub live_key: String,
    pub test: Caller,
    pub live: Caller,
}

impl Tenant {
    /// Puts a phone on the sandbox and links a session to it by QR.
    pub async fn linked(&self, session: &str, phone: &str) -> Session<'_> {
        self.phone(phone).await;
        self.test.post("/api/whatsapp/session", json!({"sessionId": session})).await.ok();
        let session = Session { caller: &self.test, id: session.to_owned(), phone: phone.to_owned() };
        let status = session.until_status("qr_ready").await;
        self.test
            .post(&format!("/api/sandbox/phones/{phone}/scan"), json!({"qr": status["qrText"]}))
            .await
            .ok();
        session.until_ready().await;
        session
    }

    pub async fn phone<'a>(&'a self, phone: &str) -> Phone<'a> {
        self.test.post("/api/sandbox/phones", json!({"phone": phone, "name": "Somebody"})).await.ok();
        Phone { caller: &self.test, phone: phone.to_owned() }
    }
}

/// A session of a test tenant.
pub struct Session<'a> {
    pub caller: &'a Caller,
    pub id: String,
    pub phone: String,
}

impl Session<'_> {
    pub fn path(&self, tail: &str) -> String {
        format!("/api/whatsapp/session/{}{tail}", self.id)
    }

    pub async fn status(&self) -> Value {
        self.caller.get(&self.path("/status")).await.ok()
    }

    pub async fn until_status(&self, word: &str) -> Value {
        let is = |status: &Value| status["status"] == word;
        until_reads(DEADLINE, &format!("status {word}"), || self.status(), is).await
    }

    pub async fn until_reason(&self, word: &str) -> Value {
        let is = |status: &Value| status["reason"] == word;
        until_reads(DEADLINE, &format!("reason {word}"), || self.status(), is).await
    }

    pub async fn until_ready(&self) -> Value {
        self.until_status("ready").await
    }

    pub async fn send(&self, to: &str, message: &str) -> Answer {
        self.caller.post(&self.path("/send"), json!({"to": to, "message": message})).await
    }

    pub async fn fault(&self, kind: &str) {
        self.fault_with(json!({"kind": kind})).await;
    }

    pub async fn fault_with(&self, mut fault: Value) {
        fault["sessionId"] = self.id.clone().into();
        if fault["phone"].is_null() {
            fault["phone"] = self.phone.clone().into();
        }
        self.caller.post("/api/sandbox/faults", fault).await.ok();
    }

    /// Waits until `pick` finds something among this session's events of that type, oldest first.
    pub async fn until_events(&self, kind: &str, pick: impl Fn(&[Value]) -> Option<Value>) -> Value {
        let path = format!("/api/whatsapp/events?types={kind}&sessionId={}&limit=1000", self.id);
        until(&format!("{kind} of the session {}", self.id), || async {
            let log = self.caller.get(&path).await.ok();
            pick(log["events"].as_array().expect("events"))
        })
        .await
    }

    /// The log's row of a message, once it has that status.
    pub async fn until_logged(&self, message_id: &str, status: &str) -> Value {
        until(&format!("{message_id} {status}"), || async {
            let log = self.caller.get("/api/whatsapp/messages?limit=100").await.ok();
            let rows = log["messages"].as_array().expect("messages");
            rows.iter().find(|row| row["messageId"] == message_id && row["status"] == status).cloned()
        })
        .await
    }
}

/// A phone of the sandbox.
pub struct Phone<'a> {
    caller: &'a Caller,
    pub phone: String,
}

impl<'a> Phone<'a> {
    /// One that is on the sandbox already.
    pub fn of(caller: &'a Caller, phone: &str) -> Self {
        Self { caller, phone: phone.to_owned() }
    }
}

impl Phone<'_> {
    pub fn path(&self, tail: &str) -> String {
        format!("/api/sandbox/phones/{}{tail}", self.phone)
    }

    pub fn caller(&self) -> &Caller {
        self.caller
    }

    pub async fn inbox(&self) -> Value {
        self.caller.get(&self.path("/messages")).await.ok()
    }

    /// Waits until the phone shows this text, and answers with the message.
    pub async fn until_shows(&self, text: &str) -> Value {
        until(&format!("the phone shows {text:?}"), || async {
            let inbox = self.inbox().await;
            let shown = inbox["messages"].as_array().expect("messages");
            shown.iter().find(|message| message["message"] == text).cloned()
        })
        .await
    }

    pub async fn send(&self, to: &str, text: &str) -> String {
        let sent = json!({"to": to, "type": "text", "message": text});
        let answer = self.caller.post(&self.path("/messages"), sent).await.ok();
        answer["messageId"].as_str().expect("an id").to_owned()
    }
}

/// Somebody with a key.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    pub url: String,
    pub key: String,
}

/// What the gateway answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The whole of it, as `openapi.json` describes it.
    pub async fn of(method: &Method, path: &str, answer: reqwest::Response) -> Self {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let answer = Self { status, headers, text: answer.text().await.expect("a body") };
        let content_type = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        expect_described(&Heard {
            method: method.as_str(),
            path,
            status: status.as_u16(),
            content_type: content_type.unwrap_or_default(),
            body: &answer.text,
        });
        answer.expect_a_time_to_come_back();
        answer
    }

    /// Whoever is told "too many" hears when it is worth trying again, and when a limit begins anew.
    fn expect_a_time_to_come_back(&self) {
        if self.status != 429 {
            return;
        }
        let (header, told) = (self.headers.get("retry-after"), self.json());
        let seconds = told["retryAfter"].as_u64().unwrap_or_else(|| panic!("no seconds: {}", self.text));
        assert_eq!(header.map(HeaderValue::as_bytes), Some(seconds.to_string().as_bytes()), "{}", self.text);
        if ["SENT_LIMIT_EXCEEDED", "NUMBER_CHECK_LIMIT"].contains(&self.code().as_str()) {
            assert!(told["resetAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{}", self.text);
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The body of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        self.json()
    }

    /// Asserts the seed's error shape, this status and this code; answers the body.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{}", self.text);
        self.json()
    }

    /// The code of an error in the seed's shape.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        let error = body["error"].as_str().unwrap_or_else(|| panic!("no error text: {}", self.text));
        assert!(!error.is_empty());
        body["code"].as_str().unwrap_or_else(|| panic!("no code: {}", self.text)).to_owned()
    }
}

impl Caller {
    pub fn new(url: String, key: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE * 2).build().expect("a client");
        Self { http, url, key: key.to_owned() }
    }

    /// For what is no JSON.
    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], None).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, &[], Some(body.to_string().into_bytes())).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, &[], Some(body.to_string().into_bytes())).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, &[], Some(body.to_string().into_bytes())).await
    }

    /// What a stream says at once: up to its first sign of life, and what comes with it.
    pub async fn events_of(&self, path: &str, query: &str) -> String {
        let url = format!("{}{path}?{query}", self.url);
        let mut answer =
            self.http.get(url).header("X-API-Key", &self.key).send().await.expect("the gateway answers");
        assert_eq!(answer.status(), 200);
        let mut said = String::new();
        while let Ok(Ok(Some(chunk))) = tokio::time::timeout(Duration::from_millis(300), answer.chunk()).await
        {
            said.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
        let data: Vec<&str> = said.lines().filter(|line| line.starts_with("data:")).collect();
        for event in
            data.iter().filter_map(|line| serde_json::from_str(line.trim_start_matches("data: ")).ok())
        {
            expect_described_event(&event);
        }
        data.join("\n")
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.expect("the gateway answers");
        Answer::of(&method, path, answer).await
    }
}

/// Asks until there is an answer; gives up after 30 s, naming what it waited for.
#[track_caller]
pub fn until<T, F, Fut>(what: &str, ask: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    until_within(DEADLINE, what, ask)
}

/// The same with a deadline of its own, for what the protocol itself makes slow.
#[track_caller]
pub fn until_within<T, F, Fut>(deadline: Duration, what: &str, ask: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    insist(deadline, what, ask, |answer| answer.ok_or("nothing"))
}

/// Reads until it is as wanted; giving up, says how it was last.
#[track_caller]
pub fn until_reads<F, Fut>(
    deadline: Duration,
    what: &str,
    read: F,
    is: impl Fn(&Value) -> bool,
) -> impl Future<Output = Value>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Value>,
{
    insist(deadline, what, read, move |seen| if is(&seen) { Ok(seen) } else { Err(seen) })
}

#[track_caller]
fn insist<A, T, E, F, Fut>(
    deadline: Duration,
    what: &str,
    mut ask: F,
    judge: impl Fn(A) -> Result<T, E>,
) -> impl Future<Output = T>
where
    E: Display,
    F: FnMut() -> Fut,
    Fut: Future<Output = A>,
{
    let (what, caller) = (what.to_owned(), std::panic::Location::caller());
    async move {
        let started = Instant::now();
        loop {
            match judge(ask().await) {
                Ok(answer) => return answer,
                Err(seen) => assert!(
                    started.elapsed() < deadline,
                    "waited {deadline:?} for {what}, at {caller}; found last: {seen}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
