//! Why a database is not there, for whoever starts wapid.
//!
//! sqlx would try for as long as its pool may wait and then say that the pool timed out. So a connection is made before
//! the pool, and what it meets is said here. The password is in no sentence.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::pooler::{self, Between};
use super::{Result, StoreError};

/// A host that drops packets answers nothing at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Postgres is starting or shutting down.
const NOT_YET: &str = "57P03";

/// How often a Postgres is asked that is starting.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Connects, and looks who is between.
///
/// # Errors
/// [`StoreError::Away`], with what is wrong and what to do about it.
pub(super) async fn knock(options: &PgConnectOptions) -> Result<()> {
    let answered = timeout(ANSWER_WITHIN, async {
        loop {
            match pooler::look(options).await {
                Err(sqlx::Error::Database(problem)) if problem.code().as_deref() == Some(NOT_YET) => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                answer => return answer,
            }
        }
    });
    let place = place(options);
    Err(StoreError::Away(match answered.await {
        Ok(Ok(Between::Nobody | Between::SessionPooler)) => return Ok(()),
        Ok(Ok(Between::SharingPooler(mode))) => format!(
            "{place} is a pooler that gives its connections to somebody else after each {mode}. What wapid sets, locks, \
             prepares and listens to belongs to a connection: set pool_mode = session for this database (PgBouncer), or \
             let WAPID_DATABASE_URL name Postgres itself"
        ),
        Ok(Err(problem)) => sentence(options, &problem),
        Err(_) => {
            let seconds = ANSWER_WITHIN.as_secs();
            format!(
                "{place} does not answer within {seconds} s; is a firewall between, or a pooler with no connection left?"
            )
        }
    }))
}

fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("Postgres at {}", socket.display()),
        None => format!("Postgres at {}:{}", options.get_host(), options.get_port()),
    }
}

fn sentence(options: &PgConnectOptions, problem: &sqlx::Error) -> String {
    let (place, user) = (place(options), options.get_username());
    match problem {
        sqlx::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => {
                format!(
                    "nobody answers for {place} (connection refused); does it run, and is the port right?"
                )
            }
            ErrorKind::NotFound if options.get_socket().is_some() => {
                format!("there is no socket for {place}")
            }
            ErrorKind::TimedOut => format!("{place} does not answer; is a firewall between?"),
            // What rustls says comes as an error of the socket.
            ErrorKind::InvalidData => tls_sentence(&place, &error.to_string()),
            // The standard library has no kind for a name that nobody knows.
            _ if error.to_string().contains("lookup") => {
                format!("the name server knows no host {}; is it spelt right?", options.get_host())
            }
            _ => format!("{place} cannot be reached: {error}"),
        },
        sqlx::Error::Tls(error) => tls_sentence(&place, &error.to_string()),
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("28P01") => format!("{place} refuses the password of user {user}"),
            Some("28000") => format!("{place} does not let user {user} in: {}", error.message()),
            Some("3D000") => {
                let name = options.get_database().unwrap_or(user);
                format!("{place} has no database {name}; make it first: createdb {name}")
            }
            Some("42501") => format!("{place} does not let user {user} do that: {}", error.message()),
            Some("53300") => format!("{place} has no connection left; raise its max_connections"),
            _ => format!("{place} refuses: {}", error.message()),
        },
        other => format!("{place} cannot be used: {other}"),
    }
}

/// `problem` is rustls' own text.
fn tls_sentence(place: &str, problem: &str) -> String {
    if problem.contains("CaUsedAsEndEntity") {
        return format!(
            "the certificate of {place} is an authority's own, and no server's may be: let an authority sign one for the \
             server, or make the self-signed one anew with `-addext basicConstraints=critical,CA:FALSE`"
        );
    }
    if problem.contains("UnknownIssuer") {
        return format!(
            "nobody whom we trust has signed the certificate of {place}; name its authority's in WAPID_DATABASE_URL: \
             sslrootcert=/path/to/ca.pem"
        );
    }
    if problem.contains("not valid for name") {
        return format!("the certificate of {place} is for another name: {problem}");
    }
    format!("{place} and we do not agree on TLS: {problem}")
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    async fn told(url: &str) -> String {
        let options = PgConnectOptions::from_str(url).unwrap();
        let told = knock(&options).await.unwrap_err().to_string();
        assert!(!told.contains("hush"), "{told}");
        told
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_told_at_once() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let begun = std::time::Instant::now();
        let told = told(&format!("postgres://app:hush@{free}/app")).await;
        assert!(told.contains(&format!("{free} (connection refused)")), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_host_that_nobody_knows_is_told_by_its_name() {
        let told = told("postgres://app:hush@no-such-host.invalid/app").await;
        assert!(told.contains("no host no-such-host.invalid"), "{told}");
    }

    #[tokio::test]
    async fn a_server_that_is_no_postgres_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let told = told(&format!("postgres://app:hush@{address}/app?sslmode=disable")).await;
        assert!(told.contains(&address.to_string()), "{told}");
    }

    /// Against the Postgres of the tests, where there is one.
    #[tokio::test]
    async fn a_wrong_password_and_a_missing_database_are_told() {
        let Ok(url) = std::env::var("WAPID_TEST_POSTGRES") else {
            assert!(std::env::var_os("WAPID_TEST_SQLITE_ONLY").is_some(), "set WAPID_TEST_POSTGRES");
            return;
        };
        let there = PgConnectOptions::from_str(&url).unwrap();
        knock(&there).await.unwrap();
        let missing = there.clone().database("no_such_database");
        let told = knock(&missing).await.unwrap_err().to_string();
        assert!(told.contains("no database no_such_database"), "{told}");
        let stranger = there.username("no_such_user").password("hush");
        let told = knock(&stranger).await.unwrap_err().to_string();
        assert!(told.contains("no_such_user") && !told.contains("hush"), "{told}");
    }
}
