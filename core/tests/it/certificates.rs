//! Postgres with TLS: whose certificate is believed, and what is said of one that is not.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use wapid_core::store::{Durability, Store};

use crate::authority::{Authority, Files, self_signed};
use crate::fixture::{MASTER, TestDb};
use crate::pgbouncer::PgBouncer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_believed_by_whom_the_url_names_and_refused_in_words() {
    if let Some(db) = TestDb::postgres().await {
        db.run(certificates).await;
    }
}

/// PgBouncer speaks TLS here, as Postgres would.
async fn tls(db: &TestDb, files: &Files) -> PgBouncer {
    let settings = [
        "client_tls_sslmode = require".to_owned(),
        format!("client_tls_cert_file = {}", files.certificate.display()),
        format!("client_tls_key_file = {}", files.key.display()),
    ];
    PgBouncer::before(&db.url, "session", &settings.each_ref().map(String::as_str)).await
}

async fn told(bouncer: &PgBouncer, db: &TestDb, mode: &str, root: Option<&Path>) -> Option<String> {
    let root = root.map(|root| format!("&sslrootcert={}", root.display())).unwrap_or_default();
    let url = format!("{}?sslmode={mode}{root}", bouncer.url());
    match Store::open(&url, Durability::Process, &MASTER, db.clock.clone()).await {
        Ok(store) => {
            store.close().await;
            None
        }
        Err(problem) => Some(problem.to_string()),
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // PgBouncer reads it as somebody else.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn certificates(db: TestDb) {
    let (ours, theirs) = (folder(), folder());
    let authority = Authority::new("Our authority");
    let root = authority.file(ours.path());
    let stranger = Authority::new("Somebody").file(theirs.path());

    let good = tls(&db, &authority.vouch(ours.path(), "127.0.0.1")).await;
    assert_eq!(told(&good, &db, "verify-full", Some(&root)).await, None);
    assert_eq!(told(&good, &db, "require", None).await, None);
    for whom in [Some(stranger.as_path()), None] {
        let said = told(&good, &db, "verify-full", whom).await.unwrap();
        assert!(said.contains("nobody whom we trust") && said.contains("sslrootcert="), "{said}");
    }

    let other = tls(&db, &authority.vouch(ours.path(), "db.example")).await;
    let said = told(&other, &db, "verify-full", Some(&root)).await.unwrap();
    assert!(said.contains("for another name"), "{said}");
    assert_eq!(told(&other, &db, "verify-ca", Some(&root)).await, None);

    let lone = self_signed(ours.path(), "127.0.0.1", false);
    let named = tls(&db, &lone).await;
    assert_eq!(told(&named, &db, "verify-full", Some(&lone.certificate)).await, None);
    let lone = self_signed(theirs.path(), "127.0.0.1", true);
    let named = tls(&db, &lone).await;
    let said = told(&named, &db, "verify-full", Some(&lone.certificate)).await.unwrap();
    assert!(said.contains("self-signed") && said.contains("CA:FALSE"), "{said}");

    let plain = PgBouncer::before(&db.url, "session", &[]).await;
    let said = told(&plain, &db, "verify-full", Some(&root)).await.unwrap();
    assert!(said.contains("does not support TLS"), "{said}");
}
