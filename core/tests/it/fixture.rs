//! A fresh database per test, and a shop with a session to play with.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use wapid_core::clock::{At, Clock};
use wapid_core::content::{Body, Content, Medium, Words};
use wapid_core::event::SessionEvent;
use wapid_core::id::{EventId, MediaId, MessageKey, SessionId};
use wapid_core::key::{ApiKey, Mode};
use wapid_core::message::{Status, new_wa_id};
use wapid_core::phone::{Phone, Recipient};
use wapid_core::store::ledger::{
    Accepted, Idempotency, Inbound, Intent, Outcome, Owner, ReceiptNews, Refused, Settlement,
};
use wapid_core::store::sessions::SessionSettings;
use wapid_core::store::tenants::NewTenant;
use wapid_core::store::{Db, Durability, Store, StoreError, TenantStore};
use wapid_core::tenant::Tenant;

/// 2026-03-08 10:30 UTC.
pub const START: At = At(1_772_965_800_000);
pub const MASTER: [u8; 32] = [7; 32];

/// Runs each named test on SQLite and on Postgres: `both!(a_fact, another)`.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::fixture::TestDb::sqlite().run(super::$name).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(db) = $crate::fixture::TestDb::postgres().await {
                    db.run(super::$name).await;
                }
            })*
        }
    };
}
pub(crate) use both;

/// An empty database, and a clock that stands still.
#[derive(Clone)]
pub struct TestDb {
    pub url: String,
    pub clock: Clock,
    home: Arc<Home>,
}

enum Home {
    /// Deleted when the last clone goes.
    Folder {
        _folder: tempfile::TempDir,
    },
    Server {
        admin: String,
        name: String,
    },
}

impl TestDb {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("wapid.db").display());
        Self { url, clock: Clock::manual(START), home: Arc::new(Home::Folder { _folder: folder }) }
    }

    pub async fn postgres() -> Option<Self> {
        let Ok(admin) = std::env::var("WAPID_TEST_POSTGRES") else {
            let meant = std::env::var("WAPID_TEST_SQLITE_ONLY").is_ok_and(|v| v == "1");
            assert!(meant, "set WAPID_TEST_POSTGRES, or WAPID_TEST_SQLITE_ONLY=1 to leave Postgres out");
            return None;
        };
        let name = format!("wapid_test_{:016x}", rand::random::<u64>());
        let mut server = PgConnection::connect(&admin).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(create)).execute(&mut server).await.unwrap();
        let (server, _) = admin.rsplit_once('/').expect("the URL names a database");
        let url = format!("{server}/{name}");
        Some(Self { url, clock: Clock::manual(START), home: Arc::new(Home::Server { admin, name }) })
    }

    /// Runs a test and clears up after it, passed or failed.
    pub async fn run<F: Future<Output = ()> + Send + 'static>(self, test: impl FnOnce(Self) -> F) {
        let result = tokio::spawn(test(self.clone())).await;
        if let Home::Server { admin, name } = &*self.home {
            let mut server = PgConnection::connect(admin).await.unwrap();
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            sqlx::query(AssertSqlSafe(drop)).execute(&mut server).await.unwrap();
        }
        if let Err(failed) = result {
            std::panic::resume_unwind(failed.into_panic());
        }
    }

    /// A store as one process has it; a second call is a second process.
    pub async fn store(&self) -> Store {
        Store::open(&self.url, Durability::Process, &MASTER, self.clock.clone()).await.unwrap()
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> &str {
        self.url.trim_start_matches("sqlite://")
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(*self.home, Home::Folder { .. })
    }
}

/// A tenant with one live session, "main".
#[derive(Clone)]
pub struct Shop {
    pub store: Store,
    pub tenant: Tenant,
    pub live_key: String,
    pub test_key: String,
    pub owner: Owner,
}

impl Shop {
    pub async fn new(store: &Store, name: &str) -> Self {
        Self::with(store, name, "UTC", None).await
    }

    pub async fn with(store: &Store, name: &str, time_zone: &str, daily_limit: Option<i64>) -> Self {
        let new = NewTenant {
            id: None,
            name: name.into(),
            time_zone: time_zone.into(),
            daily_limit,
            session_limit: None,
        };
        let (tenant, live, test) = store.create_tenant(new).await.unwrap();
        let text = |key: ApiKey| key.reveal().to_owned();
        let owner = session(store, &tenant, Mode::Live, "main").await;
        Self { store: store.clone(), tenant, live_key: text(live), test_key: text(test), owner }
    }

    pub fn live(&self) -> TenantStore {
        self.store.tenant(self.tenant.id.clone(), Mode::Live)
    }

    pub async fn add_session(&self, id: &str) -> Owner {
        session(&self.store, &self.tenant, Mode::Live, id).await
    }

    pub fn intent(&self) -> Intent {
        intent(&self.owner)
    }

    /// Accepts one message; panics if it is refused.
    pub async fn accept(&self) -> (MessageKey, String) {
        accept(&self.store, self.intent()).await
    }

    pub async fn settle(&self, key: &MessageKey, outcome: Outcome) {
        self.store.settle(self.settlement(key, outcome)).await.unwrap();
    }

    pub fn settlement(&self, key: &MessageKey, outcome: Outcome) -> Settlement {
        Settlement {
            owner: self.owner.clone(),
            key: key.clone(),
            epoch: 1,
            outcome,
            at: self.store.clock().now(),
        }
    }

    pub async fn receipt(&self, wa_id: &str, status: Status) {
        let wa_ids = vec![wa_id.to_owned()];
        let at = self.store.clock().now();
        let news = ReceiptNews { owner: self.owner.clone(), by: Default::default(), wa_ids, status, at };
        self.store.note_receipt(news).await.unwrap();
    }

    pub async fn status(&self, key: &MessageKey) -> Status {
        self.live().message(key).await.unwrap().expect("the message is in the log").status
    }

    pub async fn used(&self) -> i64 {
        self.live().usage_today().await.unwrap().0
    }

    /// The kinds of this tenant's live events, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let events = self.live().events_after(None, 10_000).await.unwrap();
        events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }
}

async fn session(store: &Store, tenant: &Tenant, mode: Mode, id: &str) -> Owner {
    let id = SessionId::parse(id).unwrap();
    let scoped = store.tenant(tenant.id.clone(), mode);
    let (row, _) = scoped.ensure_session(&id, SessionSettings::default()).await.unwrap();
    Owner { tenant: row.tenant, mode, session: row.key, session_id: row.id }
}

pub async fn accept(store: &Store, intent: Intent) -> (MessageKey, String) {
    let wa_id = intent.wa_id.clone();
    match store.accept(intent).await.unwrap() {
        Accepted::New { key, .. } => (key, wa_id),
        Accepted::Repeat { key } => panic!("{key} was accepted before"),
    }
}

pub fn phone() -> Phone {
    Phone::parse("5511900000001", None).unwrap()
}

pub fn text(message: impl Into<String>) -> Content {
    Content::text(message)
}

/// A picture without bytes, with that caption.
pub fn picture(caption: &str) -> Content {
    let medium = Medium {
        words: Words::plain(caption),
        media: MediaId::new(),
        file_name: None,
        view_once: false,
        gif: false,
    };
    Body::Image(medium).into()
}

pub fn intent(owner: &Owner) -> Intent {
    Intent {
        owner: owner.clone(),
        to: Recipient::Person(phone()),
        asked: None,
        lid: None,
        content: text("hello"),
        wa_id: new_wa_id(),
        epoch: 1,
        idempotency: None,
        job: None,
    }
}

pub fn idempotent(owner: &Owner, key: &str, fingerprint: u8) -> Intent {
    let expires_at = START.plus_ms(24 * 3_600_000);
    let idempotency = Idempotency { key: key.into(), fingerprint: [fingerprint; 32], expires_at };
    Intent { idempotency: Some(idempotency), ..intent(owner) }
}

pub fn inbound(owner: &Owner, wa_id: &str) -> Inbound {
    Inbound {
        owner: owner.clone(),
        wa_id: wa_id.parse().unwrap(),
        chat: "987@lid".into(),
        sender: "987@lid".into(),
        phone: Some(phone()),
        lid: Some("987".into()),
        sender_name: Some("Ana".into()),
        from_me: false,
        is_group: false,
        content: text("hi there"),
        file: None,
        sent_at: At(START.0 - 5_000),
    }
}

/// What is told of a session that changed.
pub fn session_event(owner: &Owner) -> SessionEvent {
    SessionEvent {
        session_id: owner.session_id.to_string(),
        status: "ready",
        reason: None,
        phone_number: None,
        expected_phone_number: None,
        logged_out: None,
        since: START.0,
    }
}

pub fn failed() -> Outcome {
    Outcome::Failed { code: "NOT_ON_WHATSAPP".into(), error: "nobody there".into() }
}

/// How many were accepted as new and how many were refused for the limit; panics on anything else.
pub fn count(results: &[Result<Accepted, Refused>]) -> (usize, usize) {
    let new = results.iter().filter(|r| matches!(r, Ok(Accepted::New { .. }))).count();
    let over = results.iter().filter(|r| matches!(r, Err(Refused::LimitReached { .. }))).count();
    assert_eq!(new + over, results.len(), "{results:?}");
    (new, over)
}

/// Runs a statement as somebody with a shell would.
pub async fn execute(store: &Store, sql: &str) -> u64 {
    let sql = AssertSqlSafe(sql.to_owned());
    match store.db() {
        Db::Sqlite { write, .. } => sqlx::query(sql).execute(write).await.unwrap().rows_affected(),
        Db::Postgres(pool) => sqlx::query(sql).execute(pool).await.unwrap().rows_affected(),
    }
}

/// Runs calls side by side and answers in their order.
pub async fn together<T: Send + 'static>(
    calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// The log as tests read it.
pub trait Told {
    /// Events after the one of that id, oldest first.
    async fn events_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Value>, StoreError>;
}

impl Told for TenantStore {
    async fn events_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<Value>, StoreError> {
        let after = match after {
            Some(id) => self.position_of(&EventId(id.to_owned())).await?.expect("the event is in the log"),
            None => 0,
        };
        let page = self.events(after, limit, usize::MAX).await?;
        Ok(page
            .events
            .into_iter()
            .map(|event| {
                json!({
                    "id": event.id,
                    "sessionId": event.session_id,
                    "seq": event.seq,
                    "kind": event.kind,
                    "occurredAt": event.occurred_at.0,
                    "position": event.position,
                    "data": serde_json::from_str::<Value>(event.data.get()).unwrap(),
                })
            })
            .collect())
    }
}
