//! A fresh database per test, on either engine.
//!
//! Postgres is the server that `WAPID_TEST_POSTGRES` names; without it the Postgres half fails, so
//! that nobody takes half a proof for a whole one, unless `WAPID_TEST_SQLITE_ONLY=1` says so.

use std::path::PathBuf;

use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use wapid_core::id::SessionKey;
use wapid_core::seal::Seal;
use wapid_core::store::{Db, Durability};
use wapid_keystore::{Keystore, Keystores};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Makes a test for each engine of `async fn fact(database: Database)`.
macro_rules! on_both_engines {
    ($($fact:ident),+ $(,)?) => {$(
        mod $fact {
            use crate::engine::{Database, Engine};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let database = Database::fresh(Engine::Sqlite).await.expect("SQLite needs no server");
                super::$fact(&database).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(database) = Database::fresh(Engine::Postgres).await {
                    super::$fact(&database).await;
                }
            }
        }
    )+};
}
pub(crate) use on_both_engines;

pub struct Database {
    pub url: String,
    pub db: Db,
    home: Home,
}

enum Home {
    Directory(TempDir),
    Server { admin: String, name: String },
}

impl Database {
    /// `None` where the Postgres half was waived.
    pub async fn fresh(engine: Engine) -> Option<Self> {
        match engine {
            Engine::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", directory.path().join("wapid.db").display());
                Some(Self::migrated(url, Home::Directory(directory)).await)
            }
            Engine::Postgres => {
                let Ok(admin) = std::env::var("WAPID_TEST_POSTGRES") else {
                    let waived = std::env::var("WAPID_TEST_SQLITE_ONLY").is_ok_and(|v| v == "1");
                    assert!(waived, "set WAPID_TEST_POSTGRES to a server's URL, or WAPID_TEST_SQLITE_ONLY=1");
                    return None;
                };
                let name = format!("wapid_{}", SessionKey::new());
                execute(&admin, format!("CREATE DATABASE {name}")).await;
                let mut url = url::Url::parse(&admin).expect("WAPID_TEST_POSTGRES is a URL");
                url.set_path(&name);
                Some(Self::migrated(url.into(), Home::Server { admin, name }).await)
            }
        }
    }

    async fn migrated(url: String, home: Home) -> Self {
        let db = connect(&url).await;
        match &db {
            Db::Sqlite { write, .. } => sqlx::migrate!("../migrations/sqlite").run(write).await.unwrap(),
            Db::Postgres(pool) => {
                let pool = pool.without_deadlines();
                sqlx::migrate!("../migrations/postgres").run(pool).await.unwrap();
            }
        }
        Self { url, db, home }
    }

    pub fn keystores(&self) -> Keystores {
        Keystores::new(self.db.clone(), seal())
    }

    /// A session nobody used before.
    pub fn keystore(&self) -> Keystore {
        self.keystores().of(SessionKey::new())
    }

    /// Where SQLite keeps its files.
    pub fn files(&self) -> Vec<PathBuf> {
        let Home::Directory(directory) = &self.home else { return Vec::new() };
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Home::Server { admin, name } = &self.home else { return };
        let (admin, sql) = (admin.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&admin, sql));
        });
        dropping.join().expect("a test's database can be dropped");
    }
}

pub fn seal() -> Seal {
    Seal::new(&[7; 32])
}

/// What a kill of the process may take is the same at either durability, and this one spares the disk.
pub async fn connect(url: &str) -> Db {
    Db::connect(url, Durability::Process).await.unwrap()
}

async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}
