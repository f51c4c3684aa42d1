//! Groups over HTTP: the server's side and the client's.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::control::{GroupAct, GroupDone, GroupInfo, NewGroup};
use crate::client::RemoteSandbox;
use crate::control::{Refused, Told};
use crate::error::SandboxError;
use crate::sandbox::{Sandbox, check_book};

#[derive(Serialize, Deserialize)]
struct Groups {
    groups: Vec<GroupInfo>,
}

#[derive(Serialize, Deserialize)]
struct PhoneActs {
    phone: String,
    #[serde(flatten)]
    act: GroupAct,
}

/// `/control/{book}/groups`
pub(crate) fn routes() -> axum::Router<Sandbox> {
    axum::Router::new()
        .route("/control/{book}/groups", get(list).post(create))
        .route("/control/{book}/groups/{group}", get(read).post(perform))
}

async fn list(State(sandbox): State<Sandbox>, Path(book): Path<String>) -> Json<Groups> {
    Json(Groups { groups: sandbox.groups(&book).await })
}

async fn create(
    State(sandbox): State<Sandbox>,
    Path(book): Path<String>,
    Told(new): Told<NewGroup>,
) -> Result<(StatusCode, Json<GroupDone>), Refused> {
    Ok((StatusCode::CREATED, Json(sandbox.create_group(&book, new).await?)))
}

async fn read(
    State(sandbox): State<Sandbox>,
    Path((book, group)): Path<(String, String)>,
) -> Result<Json<GroupInfo>, Refused> {
    Ok(Json(sandbox.group(&book, &group).await?))
}

async fn perform(
    State(sandbox): State<Sandbox>,
    Path((book, group)): Path<(String, String)>,
    Told(PhoneActs { phone, act }): Told<PhoneActs>,
) -> Result<Json<GroupDone>, Refused> {
    Ok(Json(sandbox.act_in_group(&book, &group, &phone, act).await?))
}

impl RemoteSandbox {
    pub async fn create_group(&self, book: &str, new: NewGroup) -> Result<GroupDone, SandboxError> {
        self.post(&self.in_book(book, "groups")?, &new).await
    }

    pub async fn groups(&self, book: &str) -> Result<Vec<GroupInfo>, SandboxError> {
        let answer: Groups = self.get(&self.in_book(book, "groups")?).await?;
        Ok(answer.groups)
    }

    pub async fn group(&self, book: &str, id: &str) -> Result<GroupInfo, SandboxError> {
        self.get(&self.of_group(book, id)?).await
    }

    pub async fn act_in_group(
        &self,
        book: &str,
        id: &str,
        phone: &str,
        act: GroupAct,
    ) -> Result<GroupDone, SandboxError> {
        self.post(&self.of_group(book, id)?, &PhoneActs { phone: phone.to_owned(), act }).await
    }

    fn of_group(&self, book: &str, id: &str) -> Result<String, SandboxError> {
        check_book(book)?;
        // The id is a part of the path; what is not one belongs to no group.
        let digits = id.strip_suffix("@g.us").unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SandboxError::GroupNotFound);
        }
        self.in_book(book, &format!("groups/{id}"))
    }
}
