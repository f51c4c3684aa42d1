//! What is answered, bounded while it is made and until it is read.
//!
//! A list ends early where it would be larger than [`BYTES_MAX`], with the place to read on from, and always holds one
//! row. What counts is what is written: a control character is six bytes of JSON. Whoever makes something that large
//! has room for it first ([`prepare`](super::visit::OwnVisit::prepare)), and [`hold`] keeps room for what is on its way.

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tracing::error;

use super::error::ApiError;
use crate::door::{Room, Visit};

/// A part of a list is not larger, but for a single row that is.
pub const BYTES_MAX: usize = 1 << 20;
/// What a list takes while it is made: its rows, and what is written of them.
pub const PREPARED: usize = 2 * BYTES_MAX;
/// So little is answered whoever else reads slowly: sends, and how things stand.
const SMALL: usize = 16 << 10;

/// Rows of a list, written as they come.
#[derive(Default)]
pub struct Rows {
    written: Vec<Box<RawValue>>,
    bytes: usize,
}

impl Rows {
    /// Those of `rows` that fit, and whether some did not.
    ///
    /// # Errors
    /// When one of them is no JSON.
    pub fn of<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<(Self, bool), ApiError> {
        let mut fitting = Self::default();
        for row in rows {
            if !fitting.add(&row)? {
                return Ok((fitting, true));
            }
        }
        Ok((fitting, false))
    }

    /// `false`: it does not fit, and is not among them.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn add(&mut self, row: &impl Serialize) -> Result<bool, ApiError> {
        let row = serde_json::value::to_raw_value(row).map_err(anyhow::Error::from)?;
        let bytes = self.bytes + row.get().len();
        if bytes > BYTES_MAX && !self.written.is_empty() {
            return Ok(false);
        }
        self.bytes = bytes;
        self.written.push(row);
        Ok(true)
    }

    pub fn len(&self) -> usize {
        self.written.len()
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

/// Bytes on their way, and the room that they take.
struct Kept {
    bytes: Bytes,
    #[expect(dead_code, reason = "held until the bytes are written")]
    room: Room,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that take their room along.
pub fn kept(bytes: Bytes, room: Option<Room>) -> Bytes {
    match room {
        Some(room) => Bytes::from_owner(Kept { bytes, room }),
        None => bytes,
    }
}

/// Keeps room for a tenant's answer until it is read. One that is written bit by bit has its own.
pub async fn hold(request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let answer = next.run(request).await;
    let (Some(visit), Some(size)) = (visit, answer.body().size_hint().exact()) else { return answer };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size <= SMALL {
        visit.forget_room();
        return answer;
    }
    let room = match visit.answer(size).await {
        Ok(room) => room,
        Err(full) => return ApiError::from(full).into_response(),
    };
    let (head, body) = answer.into_parts();
    match to_bytes(body, size).await {
        Ok(bytes) => Response::from_parts(head, Body::from(kept(bytes, room))),
        Err(problem) => {
            error!("An answer could not be written: {problem}");
            ApiError::internal().into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_counts() {
        let row = "\u{1}".repeat(60_000);
        let (rows, is_cut) = Rows::of([&row, &row, &row]).unwrap_or_else(|_| panic!("JSON"));
        assert_eq!((rows.len(), is_cut), (2, true), "360,002 bytes each");
        let (rows, is_cut) = Rows::of(["small"; 1_000]).unwrap_or_else(|_| panic!("JSON"));
        assert_eq!((rows.len(), is_cut), (1_000, false));
    }

    #[test]
    fn there_is_always_one_row() {
        let (rows, is_cut) = Rows::of(["\u{1}".repeat(BYTES_MAX)]).unwrap_or_else(|_| panic!("JSON"));
        assert_eq!((rows.len(), is_cut), (1, false));
        let written = serde_json::to_string(&rows).expect("JSON");
        assert_eq!(written.len(), 6 * BYTES_MAX + 4);
    }
}
