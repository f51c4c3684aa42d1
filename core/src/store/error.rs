//! What can go wrong with the database, and what that says of the next try.

use crate::seal::SealError;

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The database said no, or holds what it should not.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// At the start, in words for whoever starts it.
    #[error("{0}")]
    Away(String),
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error(transparent)]
    Sealed(#[from] SealError),
    #[error("WAPID_DATABASE_URL must begin with sqlite:// or postgres://, not {0}")]
    UnknownEngine(String),
    #[error("this database was sealed with another WAPID_MASTER_KEY")]
    WrongMasterKey,
    #[error("a stored value does not read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The commit that this was to be part of; every other member got the same answer.
    #[error(transparent)]
    Commit(std::sync::Arc<StoreError>),
    #[error("the store is shutting down")]
    Closed,
}

impl StoreError {
    /// Is it about what was to be stored, so that trying again comes to the same?
    pub fn is_about_the_data(&self) -> bool {
        match self {
            Self::Commit(error) => error.is_about_the_data(),
            Self::Unreadable(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                    // 22 a value that is none, 23 a constraint, 54 a limit of the database.
                    return ["22", "23", "54"].iter().any(|class| code.starts_with(class));
                }
                // SQLite's too big, constraint, mismatch.
                code.parse().is_ok_and(|code: u32| [18, 19, 20].contains(&(code & 0xff)))
            }
            Self::Database(sqlx::Error::Encode(_)) => true,
            _ => false,
        }
    }

    /// Has the database not answered, or not in time? Then trying again later may well work. Whether the last
    /// commit was made is not known.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Commit(error) => error.is_away(),
            Self::Away(_) => true,
            Self::Database(error) => !is_about_one(error) && !self.is_full(),
            _ => false,
        }
    }

    /// Is there no room left on the database's disk?
    pub fn is_full(&self) -> bool {
        match self {
            Self::Commit(error) => error.is_full(),
            // SQLite's SQLITE_FULL, Postgres' disk_full.
            Self::Database(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("13" | "53100"))
            }
            _ => false,
        }
    }
}

/// Is an error the fault of one statement, rather than of the database as a whole? Among many that failed together,
/// the others may work.
pub fn is_about_one(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        use sqlx::Error::{ColumnDecode, Decode, Encode, RowNotFound};
        return matches!(error, Encode(_) | Decode(_) | ColumnDecode { .. } | RowNotFound);
    };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        // 08 connection, 25 a transaction that Postgres ended, 53 out of resources, 55 what it needs is locked,
        // 57 operator intervention and a statement that took too long, 58 system error.
        return !["08", "25", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class));
    }
    // SQLite's primary code is the low byte: busy, locked, out of memory, read-only, I/O, corrupt,
    // full, cannot open.
    !code.parse().is_ok_and(|code: u32| [5, 6, 7, 8, 10, 11, 13, 14].contains(&(code & 0xff)))
}
